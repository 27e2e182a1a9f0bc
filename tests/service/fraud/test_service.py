"""FraudService over real sockets: what it says is what batch and stream say, kill -9 or not, and every status comes as told."""

from __future__ import annotations

import json
import os
import random
import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from recocore.v1 import event_pb2 as events_v1
from recocore.v1 import fraud_pb2 as shared
from recocore.v1 import fraud_service_pb2 as v1
from recocore.v1 import fraud_service_pb2_grpc as stubs
from tests.browser import browser, complaints, show_as
from tests.fraud.logs import RULES, batch
from tests.fraud.test_decision import COLUMNS, fitted, live
from tests.service.fraud.served import FraudServer, event_of
from tests.service.http_calls import post
from tests.service.small_index import small_index
from tests.service.watched import until

from recocore.cli import main
from recocore.client import Client, FraudReport, ServiceError
from recocore.fraud import FraudEngine, KnownRings, Ring, RuleSet
from recocore.fraud.rules import OUTCOMES
from recocore.models import ItemKNN
from recocore.service import limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.service.server_process import ServerProcess

    from recocore.client import FraudDecision
    from recocore.fraud import Decision

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RINGS = KnownRings((Ring(("f1", "f2", "f3"), (("device", "bad0"), ("device", "bad1")), 0.9),), 1_000_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("f")
    small_index(ItemKNN()).save(folder / "index")
    fitted()[0].save(folder / "model")
    RINGS.save(folder / "rings.json")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[FraudServer]:
    more = (
        f"state=StateConfig(path={str(folder / 'state')!r}), observing=Observing(MetricsConfig(enabled=True, port=0))"
    )
    settings = f"rings={str(folder / 'rings.json')!r}"
    with FraudServer.start(
        folder / "index", folder / "model", folder / "log", workers=2, settings=settings, more=more
    ) as running:
        yield running


@pytest.fixture
def client(server: FraudServer) -> Iterator[Client]:
    with Client(server.address, timeout=20, retries=50) as made:
        yield made


def same(served: FraudDecision, made: Decision) -> bool:
    """Whether a decision that was served is the one that was made, field by field."""
    reasons = [
        (one.code, one.kind, one.observed, one.threshold, one.window, one.contribution, list(one.evidence))
        for one in served.reasons
    ]
    told = json.loads(json.dumps(made.as_json()))
    wanted = [
        tuple(reason[name] for name in ("code", "kind", "observed", "threshold", "window", "contribution", "evidence"))
        for reason in told["reasons"]
    ]
    shadow = [
        {"rule": one.rule, "status": one.status, "outcome": one.outcome, "score": one.score} for one in served.shadow
    ]
    plain = (
        "decision_id",
        "event_id",
        "policy",
        "propensity",
        "score",
        "probability",
        "ruleset_version",
        "model_version",
    )
    return (
        reasons == wanted
        and shadow == told["shadow"]
        and served.outcome == made.decision
        and served.penalties == made.penalties
        and served.rule_errors == made.errors
        and served.rings_version == made.rings_version
        and served.feature_time.timestamp() * 1e6 == made.feature_time
        and all(getattr(served, name) == getattr(made, name) for name in plain)
    )


def test_one_log_through_batch_stream_and_rpc_gives_equal_decisions_kill_or_not(folder: Path, tmp_path: Path) -> None:
    """The process that decides is killed again and again between and within calls; events are sent again as a client does."""
    model, events = fitted()
    events = events[:800]
    kills = int(os.environ.get("RECOCORE_KILLS", "3"))
    offline = list(model.decisions(batch(events), rings=RINGS))
    stream = live(FraudEngine(model, rings=RINGS), events)
    assert stream == offline
    served: list[FraudDecision] = []
    random_ = random.Random(5)
    settings = f"rings={str(folder / 'rings.json')!r}, checkpoint_events=300, remembered=50"
    with (
        FraudServer.start(folder / "index", folder / "model", tmp_path / "log", settings=settings) as running,
        Client(running.address, timeout=30, retries=200) as client,
    ):
        pieces = [events[begin : begin + 20] for begin in range(0, len(events), 20)]
        dies = {random_.randrange(len(pieces)) for _ in range(kills)}
        for number, piece in enumerate(pieces):
            if number in dies:
                killed = running.kill_owner()
            if number % 2:
                rows = client.batch_score_fraud(map(event_of, piece))
            else:
                rows = [client.score_fraud(event_of(event)) for event in piece]
            assert [row.error for row in rows] == [None] * len(piece)
            served += [row.decision for row in rows if row.decision is not None]
            if number in dies:
                running.wait_for_another_owner(killed)
        # The whole service is ended at once, too; what it said stays said.
        recalled = client.fraud_decision(served[7].decision_id)
    with (
        FraudServer.start(folder / "index", folder / "model", tmp_path / "log", settings=settings) as running,
        Client(running.address, timeout=30, retries=200) as client,
    ):
        assert client.fraud_decision(served[7].decision_id) == recalled
        assert recalled.reproduced == "same"
        again = client.batch_score_fraud(map(event_of, events[:300]))
        assert all(row.duplicate for row in again)
        assert [row.decision for row in again if row.decision] == served[
            : sum(e["type"] == "buy" for e in events[:300])
        ]
    assert len(served) == len(offline)
    assert all(map(same, served, offline))
    assert any(reason.code == "RING" for one in served for reason in one.reasons)
    assert any(reason.code == "RANDOM_APPROVAL" and one.propensity < 1 for one in served for reason in one.reasons)
    assert any(one.shadow for one in served)


def buy(number: int, **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"t{number}",
        "type": "buy",
        "user_id": "f1",
        "item_id": "i1",
        "value": 30.0,
        "device": "d1",
        "country": "TW",
        "event_time": int(NOW.timestamp() * 1e6) + number * 1_000_000,
        **more,
    }


def test_a_bad_event_leaves_the_others_of_a_batch_whole(server: FraudServer, client: Client) -> None:
    rows = [event_of(buy(1)), event_of(buy(2, type="No")), event_of(buy(1)), event_of(buy(3, type="view"))]
    first, wrong, again, counted = client.batch_score_fraud(rows)
    assert first.decision is not None
    assert not first.duplicate
    assert wrong.error is not None
    assert wrong.error.status == "INVALID_ARGUMENT"
    assert wrong.error.violations[0].field == "events[1].type"
    assert again == type(again)(first.decision, duplicate=True)
    assert (counted.decision, counted.error) == (None, None)


def test_a_ring_is_a_reason_and_is_listed(client: Client) -> None:
    decision = client.score_fraud(event_of(buy(10, device="bad1"))).decision
    assert decision is not None
    [reason] = [reason for reason in decision.reasons if reason.kind == "ring"]
    [evidence] = reason.evidence
    # It names nobody: who is forgotten stands in no decision on another.
    assert evidence == {
        "ring": 0.0,
        "via": ["user_id", "device"],
        "density": 0.9,
        "account_count": 3.0,
        "entity_count": 2.0,
    }
    rings = client.fraud_rings(2)
    assert rings.version == decision.rings_version == RINGS.version
    assert [(ring.account_count, ring.accounts, ring.entities) for ring in rings.rings] == [
        (3, ("f1", "f2"), ("device:bad0", "device:bad1"))
    ]


def test_outcomes_are_kept_once_with_their_time(server: FraudServer, client: Client) -> None:
    decision = client.score_fraud(event_of(buy(20))).decision
    assert decision is not None
    report = FraudReport(decision_id=decision.decision_id, label="fraud", source="chargeback", known_time=NOW)
    told = client.report_outcomes([report, report, FraudReport(decision_id="0" * 32, label="good", source="review")])
    assert (told.accepted, told.duplicates) == (1, 1)
    [(place, error)] = told.errors
    assert (place, error.status) == (2, "NOT_FOUND")
    killed = server.kill_owner()
    assert client.report_outcomes([report]).duplicates == 1
    server.wait_for_another_owner(killed)
    found = client.fraud_decision(decision.decision_id)
    assert found.reports == (report,)
    assert (found.decision, found.reproduced) == (decision, "same")
    assert found.event["device"] == "d1"
    assert set(found.counters) <= {spec.name for spec in fitted()[0].specs}


def test_rules_are_changed_whole_or_not_at_all(server: FraudServer, client: Client) -> None:
    before = client.fraud_rules()
    assert before.version == fitted()[0].rules.version
    assert {rule.name for rule in before.rules} == {"shared_device", "known_bad_device", "odd_ratio", "trial"}
    with pytest.raises(ServiceError) as caught:
        client.activate_fraud_rules(RULES + '\n[[rules]]\nname = "odd"\nwhen = "no_such > 1"\n[[rules]]\nname = 3\n')
    assert caught.value.status == "INVALID_ARGUMENT"
    told = [violation.description for violation in caught.value.violations]
    assert [text.partition(":")[0] for text in told] == ["rules[4] (odd)", "rules[5] (3)"]
    assert "got no_such at" in told[0]
    with pytest.raises(ServiceError) as caught:
        client.activate_fraud_rules(RULES, expected_version="other")
    assert (caught.value.status, caught.value.reason) == ("ABORTED", "CONFLICT")
    assert client.fraud_rules().version == before.version
    stricter = RULES + '\n[[rules]]\nname = "large"\nwhen = "value > 20"\noutcome = "review"\nscore = 300\n'
    wanted = RuleSet.from_toml(stricter, COLUMNS).version
    assert client.activate_fraud_rules(stricter, dry_run=True) == (wanted, before.version)
    assert client.fraud_rules().version == before.version
    assert client.activate_fraud_rules(stricter, expected_version=before.version) == (wanted, before.version)
    decision = client.score_fraud(event_of(buy(30))).decision
    assert decision is not None
    assert decision.ruleset_version == wanted
    assert any(reason.code == "large" for reason in decision.reasons)
    large = next(rule for rule in client.fraud_rules().rules if rule.name == "large")
    assert (large.hit_count, large.no_hit_count, large.error_count) == (1, 0, 0)
    # They decide after a kill too, and what was decided by others is made again by those.
    killed = server.kill_owner()
    assert client.fraud_rules().version == wanted
    server.wait_for_another_owner(killed)
    assert client.activate_fraud_rules(before.toml) == (before.version, wanted)
    assert client.fraud_decision(decision.decision_id).reproduced == "same"


def test_who_is_forgotten_is_in_no_file_and_the_others_stay(server: FraudServer, client: Client) -> None:
    mine = client.score_fraud(event_of(buy(40, user_id="forget-me-8316"))).decision
    other = client.score_fraud(event_of(buy(41, user_id="keep-me"))).decision
    assert mine is not None
    assert other is not None
    client.report_outcomes([FraudReport(decision_id=mine.decision_id, label="fraud", source="review", known_time=NOW)])
    [held] = client.export_user("forget-me-8316").profile["fraud"]
    assert (held["event"]["event_id"], held["decision"]["decision_id"]) == ("t40", mine.decision_id)
    client.forget_user("forget-me-8316")
    assert client.export_user("forget-me-8316").profile["fraud"] == []
    for _ in range(2):  # after a kill as before it
        with pytest.raises(ServiceError) as caught:
            client.fraud_decision(mine.decision_id)
        assert caught.value.status == "NOT_FOUND"
        assert client.fraud_decision(other.decision_id).decision == other
        assert not client.score_fraud(event_of(buy(42, user_id="keep-me", device=None))).error
        killed = server.kill_owner()
        server.wait_for_another_owner(killed)
    # Ids of others are in no file either: content is encrypted, and names are pseudonyms.
    told = b"".join(path.read_bytes() for path in server.log_folder.rglob("*") if path.is_file())
    for word in (b"forget-me-8316", b"keep-me", b"t40", mine.decision_id.encode(), bytes.fromhex(mine.decision_id)):
        assert word not in told
    assert bytes.fromhex(other.decision_id) in told


def test_metrics_count_decisions_and_rules(server: FraudServer, client: Client) -> None:
    url = server.events("metrics")[0]["url"]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def values() -> dict[str, float]:
        text = opener.open(f"{url}/metrics", timeout=20).read().decode()
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("recocore_fraud_"))
        return {name: float(value) for name, value in lines}

    client.score_fraud(event_of(buy(50)))
    rule = 'recocore_fraud_rules_total{result="%s",rule="trial"}'
    until(lambda: values().get("recocore_fraud_owner_up") == 1)
    until(lambda: sum(values().get(rule % kind, 0) for kind in ("hit", "no_hit", "error")) > 0)
    until(lambda: values().get("recocore_fraud_decision_seconds_count", 0) > 0)
    version = client.fraud_rules().version
    # The processes' figures are read from time to time; rules may have been changed since.
    until(lambda: values().get(f'recocore_fraud_rule_set_info{{version="{version}"}}') == 1)
    found = values()
    assert sum(value for name, value in found.items() if name.startswith("recocore_fraud_rule_set_info")) == 1
    decisions = sum(value for name, value in found.items() if name.startswith("recocore_fraud_decisions_total"))
    assert decisions > 0
    assert found["recocore_fraud_owner_restarts_total"] >= 0


def test_the_page_and_top_show_what_is_decided(
    server: FraudServer, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rule that divides by nothing is seen as an error, by its name."""
    url = server.events("metrics")[0]["url"]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    before = client.fraud_rules()
    broken = '[[rules]]\nname = "by_nothing"\nwhen = "value / (value - value) > 1"\nscore = 1\n'
    version, _ = client.activate_fraud_rules(broken)
    try:
        for number in range(70, 75):
            client.score_fraud(event_of(buy(number)))

        def told() -> dict[str, Any]:
            report: dict[str, Any] = json.loads(opener.open(f"{url}/status.json", timeout=20).read())
            return dict(report["fraud"])

        until(lambda: told()["rule_set"] == version and told()["rule_errors"] >= 5)
        fraud = told()
        # Rules of tests before may have failed too.
        failing = {each["rule"]: each["errors"] for each in fraud["failing_rules"]}
        assert failing["by_nothing"] >= 5
        assert sum(failing.values()) == fraud["rule_errors"]
        assert [each["outcome"] for each in fraud["outcomes"]] == list(OUTCOMES)
        assert sum(each["decisions"] for each in fraud["outcomes"]) >= 5
        assert fraud["p50_seconds"] <= fraud["p99_seconds"] < 1
        assert main(["top", "--url", url, "--once"]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        for part in (f"rule set {version}", "decisions/s", "rule errors (", "by_nothing"):
            assert part in shown
        with browser() as page:
            page.get(url)
            until(lambda: version in page.find_element("id", "rules").text)
            assert page.find_element("id", "fraud").is_displayed()
            assert "by_nothing" in page.find_element("id", "rules").text
            assert all(outcome in page.find_element("id", "outcomes").text for outcome in OUTCOMES)
            for width in (360, 1280):
                show_as(page, width, "light")
                assert page.execute_script("return document.documentElement.scrollWidth") <= width
            assert complaints(page) == []
    finally:
        client.activate_fraud_rules(before.toml)


def test_the_door_decides_too(server: FraudServer, client: Client) -> None:
    event = {"event_id": "t60", "type": "buy", "user_id": "f2", "item_id": "i1", "value": 12.0, "device": "bad0"}
    with FraudServer.door(server.address) as door:
        answer = post(door.address, "/v1/score-fraud", {"event": {**event, "event_time": "2026-01-01T00:00:00Z"}})
        assert answer.status == 200
        decision = answer.body["decision"]
        assert client.fraud_decision(decision["decision_id"]).decision.score == decision["score"]
        kinds = {reason["kind"] for reason in decision["reasons"]}
        assert kinds >= {"FRAUD_REASON_KIND_COST", "FRAUD_REASON_KIND_RING"}
        refused = post(door.address, "/v1/get-decision", {"decision_id": "0" * 32})
    assert (refused.status, refused.reason) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("ScoreFraud", v1.ScoreFraudRequest(), "event.event_id"),
        ("BatchScoreFraud", v1.BatchScoreFraudRequest(), "events"),
        ("BatchScoreFraud", v1.BatchScoreFraudRequest(events=[events_v1.Event()] * 501), "events"),
        ("ReportOutcome", v1.ReportOutcomeRequest(), "reports"),
        ("ActivateRules", v1.ActivateRulesRequest(), "toml"),
        ("ActivateRules", v1.ActivateRulesRequest(toml="x" * (limits.MAX_RULES_BYTES + 1)), "toml"),
        ("GetDecision", v1.GetDecisionRequest(decision_id="A" * 32), "decision_id"),
        ("ListRings", v1.ListRingsRequest(max_members=-1), "max_members"),
    ],
)
def test_what_breaks_a_limit_is_refused(server: FraudServer, method: str, request_: Any, field: str) -> None:
    with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError) as caught:
        getattr(stubs.FraudServiceStub(channel), method)(request_, timeout=20)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert field in str(caught.value.details())


def test_a_wrong_report_says_every_field(server: FraudServer) -> None:
    report = shared.FraudOutcomeReport(decision_id="x", source="y" * 65, confidence=0.0)
    report.known_time.seconds = -1
    with grpc.insecure_channel(server.address) as channel:
        response = stubs.FraudServiceStub(channel).ReportOutcome(v1.ReportOutcomeRequest(reports=[report]), timeout=20)
    [row] = response.errors
    assert row.index == 0
    for field in ("decision_id", "label", "source", "known_time", "confidence"):
        assert f"reports[0].{field}".encode() in row.error.SerializeToString()


def test_a_service_without_a_model_says_what_to_do(stub_server: ServerProcess) -> None:
    with Client(stub_server.address, timeout=20) as client:
        for call in (
            lambda: client.score_fraud(event_of(buy(1))),
            lambda: client.batch_score_fraud([event_of(buy(1))]),
            lambda: client.report_outcomes([FraudReport(decision_id="0" * 32, label="good", source="review")]),
            client.fraud_rules,
            lambda: client.activate_fraud_rules(RULES),
            lambda: client.fraud_decision("0" * 32),
            client.fraud_rings,
        ):
            with pytest.raises(ServiceError) as caught:
                call()
            assert (caught.value.status, caught.value.reason) == ("FAILED_PRECONDITION", "NO_FRAUD")
            assert "[fraud] model" in caught.value.message
