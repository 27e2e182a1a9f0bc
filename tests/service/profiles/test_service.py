"""ProfileService over real sockets: a profile is that of batch and stream, and the rights of people cover it."""

from __future__ import annotations

import itertools
import json
import tomllib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from recocore.v1 import profile_pb2 as shared
from recocore.v1 import profile_service_pb2 as v1
from recocore.v1 import profile_service_pb2_grpc as stubs
from tests.profiles.logs import made_up
from tests.profiles.retail import TIMEZONE, retail_events
from tests.service.events.served import StateServer
from tests.service.http_calls import post
from tests.service.server_process import ServerProcess
from tests.service.small_index import small_index

from recocore.cli.app import main
from recocore.client import Client, Event, ServiceError
from recocore.data import EventBatch
from recocore.models import ItemKNN
from recocore.profiles import Features, ProfileConfig, ProfileTable, Segmentation, TagSet, Updater, build
from recocore.profiles.consent import purposes_of
from recocore.profiles.lifetime import LIFETIME_FEATURES, LifetimeModels
from recocore.profiles.segments import SegmentRule, members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

TAGS = """
[[tags]]
name = "spender"
when = "spend_net >= 100000"
weight_of = "min(1, spend_net / 1000000)"

[[tags]]
name = "category_fan"
when = "top_category_share > 0.5"
value_of = "top_category"
purpose = "personalisation"

[[tags]]
name = "keeps_coming"
when = "p_alive >= 0 and expected_purchases_mbg >= 0"

[[tags]]
name = "asleep"
when = "days_since_last_event > 365"
purpose = "analytics"
"""
COMPARED = ("n_events", "spend_net", "days_since_last_event")
RULES = """
[[segments]]
name = "lost_ones"
when = "lifecycle == 'lost'"
about = "Nobody has seen them for a year."
"""


def event_of(row: dict[str, Any]) -> Event:
    """A row of a log as a caller sends it."""
    return Event(**{name: value for name, value in row.items() if value is not None and name != "known_time"})


@pytest.fixture(scope="module")
def log() -> EventBatch:
    """All lines of sixty customers, and a made-up shop with views, searches, refunds and coupons."""
    lines = retail_events(customers=60)
    shop = [
        {**row, "event_id": row["event_id"] or f"made-{place}", "currency": "GBP"}
        for place, row in enumerate(made_up(12, 1_500, seed=3))
        if row["type"] != "impression" and (row["item_id"] or row["type"] == "search")
    ]
    made = EventBatch.from_arrow(pa.Table.from_pylist([{**row, "known_time": None} for row in shop]))
    return EventBatch.concat([lines, made])


@pytest.fixture(scope="module")
def population(log: EventBatch) -> ProfileTable:
    config = ProfileConfig(currency="GBP", money_digits=3, timezone=TIMEZONE)
    return build(log, pc.max(log.column("event_time")).as_py() + timedelta(days=1), config)


@pytest.fixture(scope="module")
def server(
    log: EventBatch, population: ProfileTable, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StateServer]:
    folder = tmp_path_factory.mktemp("p")
    small_index(ItemKNN()).save(folder / "index")
    population.save(folder / "profiles.parquet")
    Segmentation.fit(population, features=COMPARED, k=3).save(folder / "segments.json")
    LifetimeModels.fit(population).save(folder / "models")
    (folder / "tags.toml").write_text(TAGS)
    (folder / "rules.toml").write_text(RULES)
    files = {
        "population": "profiles.parquet",
        "tags": "tags.toml",
        "segments": "segments.json",
        "models": "models",
        "segment_rules": "rules.toml",
    }
    given = ", ".join(f"{name}={str(folder / file)!r}" for name, file in files.items())
    with StateServer.start(
        folder / "index",
        folder / "state",
        workers=2,
        more=f"profiles=ProfilesConfig(bytes_per_user=65_536, keep_seconds=60, {given}), "
        "observing=Observing(MetricsConfig(enabled=True, port=0))",
    ) as running:
        with Client(running.address, timeout=30) as client:
            rows = log.table.to_pylist()
            token = ""
            for begin in range(0, len(rows), 1_000):
                recorded = client.record_events([event_of(row) for row in rows[begin : begin + 1_000]])
                assert not recorded.errors, recorded.errors[0]
                assert recorded.accepted == len(rows[begin : begin + 1_000])
                token = recorded.commit_token
            client.profiles.get(str(rows[0]["user_id"]), min_commit_token=token)
        yield running


@pytest.fixture
def client(server: StateServer) -> Iterator[Client]:
    with Client(server.address, timeout=30) as made:
        yield made


def present(row: dict[str, Any]) -> dict[str, Any]:
    """What of a row is sent: what has a value."""
    return {name: value for name, value in row.items() if name != "user_id" and value is not None and value != []}


def refused(call: Any) -> tuple[str, str]:
    """Status and reason of a call that fails."""
    with pytest.raises(ServiceError) as caught:
        call()
    return caught.value.status, caught.value.reason


def test_batch_stream_and_rpc_agree_over_a_real_log(client: Client, log: EventBatch, population: ProfileTable) -> None:
    config = population.config.with_cuts(population.cuts)
    stream = Updater(config)
    stream.update(log)
    users = [str(user) for user in population.column("user_id").to_pylist()]
    got = client.profiles.get_many([*users, "nobody"])
    assert got.missing_ids == ("nobody",)
    assert [profile.user_id for profile in got.profiles] == users
    for profile in got.profiles:
        assert profile.features == present(stream.row(profile.user_id, profile.as_of))
        assert (profile.currency, profile.money_digits, profile.complete_since) == ("GBP", 3, None)
    for profile in got.profiles[::20]:
        assert profile.features == present(build(log, profile.as_of, config).row(profile.user_id))


def test_what_is_expected_of_people_is_that_of_the_batch(
    client: Client, log: EventBatch, population: ProfileTable
) -> None:
    config, models = population.config.with_cuts(population.cuts), LifetimeModels.fit(population)
    bought = 0
    for user in [str(user) for user in population.column("user_id").to_pylist()[::2]]:
        profile = client.profiles.get(user)
        own = log.filter(np.asarray(pc.equal(log.column("user_id"), user)))
        [expected] = models.features(build(own, profile.as_of, config)).to_pylist()
        present = {name: expected[name] for name in LIFETIME_FEATURES if expected[name] is not None}
        bought += bool(present)
        assert profile.lifetime == pytest.approx({"horizon_days": 90.0, **present} if present else {}, rel=1e-12)
    assert bought > 10
    alone = client.profiles.get("u0", fields=["lifetime"])
    assert (alone.lifetime, alone.features) == (client.profiles.get("u0").lifetime, {})
    assert [tag.name for tag in client.profiles.get("u0").tags if tag.name == "keeps_coming"] == ["keeps_coming"]


def test_the_command_line_shows_a_profile_of_a_server(
    server: StateServer, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profiles", "show", "u0", "--server", server.address, "--json"]) == 0
    told, profile = json.loads(capsys.readouterr().out), client.profiles.get("u0")
    assert (told["user_id"], told["features"]["spend_net"]) == ("u0", profile.features["spend_net"])
    assert told["lifetime"] == profile.lifetime
    assert main(["profiles", "show", "u0", "--server", server.address]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("spend_net", "p_alive_mbg", "has keeps_coming"))
    assert main(["profiles", "show", "nobody", "--server", server.address]) == 1
    assert "there is no profile of 'nobody'" in capsys.readouterr().err
    for wrong in (["p", "u0", "--server", server.address], ["u0"], ["p", "u0", "--visitor"]):
        assert main(["profiles", "show", *wrong]) == 2


def test_tags_and_segments_are_those_of_the_batch(client: Client, log: EventBatch, population: ProfileTable) -> None:
    config = population.config.with_cuts(population.cuts)
    for user in ("u0", "u3", *[str(user) for user in population.column("user_id").to_pylist()[:12]]):
        one = client.profiles.get(user)
        built = build(log, one.as_of, config)
        whole = Features(built, LifetimeModels.fit(population).features(built))
        segmentation = Segmentation.fit(population, features=COMPARED, k=3)
        number = int(segmentation.assign(whole)[whole.position(user)])
        rule = SegmentRule.parse("lost_ones", "lifecycle == 'lost'", whole.kinds)
        lost = user in members([rule], whole).column("user_id").to_pylist()
        assert one.segments == (str(number), *(("lost_ones",) if lost else ()))
        expected = _tags(whole, one.as_of, user)
        assert [(tag.name, tag.value, tag.weight, tag.version) for tag in one.tags] == expected
        assert all(tag.explanation.startswith(f"has {tag.name}") for tag in one.tags)
    definitions = client.profiles.tag_definitions()
    assert [each["name"] for each in definitions] == ["spender", "category_fan", "keeps_coming", "asleep"]
    assert definitions[0]["weight"] == "min(1, spend_net / 1000000)"
    assert [each["name"] for each in client.profiles.segments()] == ["1", "2", "3", "lost_ones"]


def _tags(features: Features, at: datetime, user: str) -> list[tuple[str, str, float, str]]:
    given = TagSet.parse(tomllib.loads(TAGS), features.kinds).apply(features, at)
    return [(tag.name, tag.value, tag.weight, tag.version) for tag in given.of(user)]


def test_a_mask_sends_what_it_names(client: Client) -> None:
    whole = client.profiles.get("u0")
    some = client.profiles.get("u0", fields=["features.spend_net", "features.lifecycle", "segments"])
    assert some.features == {name: whole.features[name] for name in ("spend_net", "lifecycle")}
    assert (some.segments, some.tags, some.currency) == (whole.segments, (), "")
    assert (some.user_id, some.etag) == ("u0", whole.etag)
    assert client.profiles.get("u0", fields=["attributes"]).features == {}
    assert refused(lambda: client.profiles.get("u0", fields=["feature"])) == ("INVALID_ARGUMENT", "INVALID_ARGUMENT")


def test_an_event_shows_in_the_next_profile(client: Client) -> None:
    before = client.profiles.get("u1").features
    bought = Event(type="buy", user_id="u1", item_id="i1", value=12.5, price=12.5, currency="GBP", category="c1")
    token = client.record_events([bought], durability="buffered").commit_token
    after = client.profiles.get("u1", min_commit_token=token).features
    assert after["n_events"] == before["n_events"] + 1
    assert after["spend_gross"] == before["spend_gross"] + 12_500
    search = Event(type="search", user_id="fresh", query=" Blue MUG ")
    token = client.record_events([search]).commit_token
    terms = client.profiles.get("fresh", min_commit_token=token).features["search_terms"]
    assert terms == [{"term": "blue mug", "count": 1}]


def test_declared_attributes_have_a_source_and_an_etag(client: Client) -> None:
    first = client.profiles.update("u2", {"region": "Taipei", "age": "31"}, "account")
    assert {name: (said.value, said.source) for name, said in first.attributes.items()} == {
        "region": ("Taipei", "account"),
        "age": ("31", "account"),
    }
    read = client.profiles.get("u2")
    assert read.etag == first.etag
    assert read.attributes == first.attributes
    second = client.profiles.update("u2", {"region": None, "occupation": "nurse"}, "survey", etag=read.etag)
    assert set(second.attributes) == {"age", "occupation"}
    assert second.attributes["occupation"].source == "survey"
    late = lambda: client.profiles.update("u2", {"age": "32"}, etag=read.etag)  # noqa: E731
    assert refused(late) == ("ABORTED", "CONFLICT")
    client.record_events([Event(type="view", user_id="u2", item_id="i1")])
    assert client.profiles.get("u2", min_commit_token=second.commit_token).etag == second.etag
    assert client.profiles.update("new", {"gender": "x"}).attributes["gender"].value == "x"
    assert client.profiles.get("new").features == {}
    for wrong in ({"income": "9"}, {"age": "200"}, {"region": " "}, {}):
        assert refused(lambda wrong=wrong: client.profiles.update("u2", wrong))[0] == "INVALID_ARGUMENT"


def test_a_merge_joins_what_both_did_and_can_be_taken_back(server: StateServer, client: Client) -> None:
    apart = client.profiles.get("u3").features
    with grpc.insecure_channel(server.address) as channel:
        profiles = stubs.ProfileServiceStub(channel)
        events = [Event(type="view", user_id="old-u3", item_id=f"i{n}", category="c9") for n in range(3)]
        client.record_events(events)
        merge = client.profiles.merge("u3", source_user_id="old-u3", reason="support")
        assert client.profiles.merge("u3", source_user_id="old-u3").number == merge.number
        joined = client.profiles.get("u3")
        assert joined.features["n_events"] == apart["n_events"] + 3
        assert [(each.user_id, each.reason) for each in joined.merges] == [("old-u3", "support")]
        assert client.profiles.get("old-u3").user_id == "u3"
        assert refused(lambda: client.profiles.merge("u4", source_user_id="old-u3")) == (
            "ALREADY_EXISTS",
            "ALREADY_EXISTS",
        )
        assert refused(lambda: client.profiles.merge("old-u3", source_user_id="u3"))[0] == "INVALID_ARGUMENT"
        visitor = profiles.MergeProfiles(
            v1.MergeProfilesRequest(user_id="u3", visitor_id="cookie-1", reason="login"), timeout=20
        )
        assert [(each.number, each.visitor_id) for each in visitor.history] == [
            (merge.number, ""),
            (visitor.merge.number, "cookie-1"),
        ]
        assert profiles.GetProfile(v1.GetProfileRequest(visitor_id="cookie-1"), timeout=20).profile.user_id == "u3"
    history = client.profiles.unmerge("u3", merge.number)
    assert [each.unmerged is None for each in history] == [False, True]
    assert client.profiles.get("u3").features["n_events"] == apart["n_events"]
    assert client.profiles.get("old-u3").features["n_events"] == 3
    assert refused(lambda: client.profiles.unmerge("u3", merge.number)) == ("NOT_FOUND", "NOT_FOUND")


def test_a_withdrawn_purpose_takes_its_features_at_once(client: Client) -> None:
    before = client.profiles.get("u5")
    assert before.features["lifecycle"]
    assert before.lifetime
    client.set_consent("u5", "personalization", False)
    after = client.profiles.get("u5")
    gone = {name for name in before.features if purposes_of(name) == ("personalisation",)}
    assert gone >= {"interest_category", "interest_category_total"}
    assert set(before.features) - set(after.features) == gone
    client.set_consent("u5", "analytics", False)
    client.set_consent("u5", "marketing", False)
    withdrawn = client.profiles.get("u5")
    assert (withdrawn.features, withdrawn.lifetime) == ({}, {})
    client.set_consent("u5", "marketing", True)
    allowed = client.profiles.get("u5")
    assert "lifecycle" in allowed.features
    assert allowed.lifetime == pytest.approx(before.lifetime, rel=1e-6)
    client.profiles.update("u5", {"region": "Bern"})
    client.set_consent("u5", "profiling", False)
    assert refused(lambda: client.profiles.get("u5")) == ("NOT_FOUND", "NOT_FOUND")
    assert refused(lambda: client.profiles.update("u5", {"region": "Bern"})) == ("FAILED_PRECONDITION", "NO_CONSENT")
    client.record_events([Event(type="view", user_id="u5", item_id="i1")])
    assert refused(lambda: client.profiles.get("u5")) == ("NOT_FOUND", "NOT_FOUND")
    client.set_consent("u5", "profiling", True)
    client.set_consent("u5", "analytics", True)
    # Who allows it again begins anew: neither what was kept before nor what came meanwhile is there.
    token = client.record_events([Event(type="view", user_id="u5", item_id="i1")]).commit_token
    begun = client.profiles.get("u5", min_commit_token=token)
    assert (begun.attributes, begun.features["n_events"], begun.features["count_view"]) == ({}, 1, 1)


def test_an_event_that_is_sent_again_later_counts_once(client: Client) -> None:
    def seen() -> tuple[Any, ...]:
        token = client.record_events([bought, Event(type="view", user_id="twice", item_id="i1")]).commit_token
        features = client.profiles.get("twice", min_commit_token=token).features
        return tuple(features[name] for name in ("count_buy", "spend_gross", "count_view"))

    bought = Event(type="buy", user_id="twice", item_id="i1", value=2.5, currency="GBP", event_id="twice-1")
    assert [seen(), seen(), seen()] == [(1, 2_500, 1), (1, 2_500, 2), (1, 2_500, 3)]


@pytest.mark.parametrize("first", [0, 1])
def test_who_was_merged_and_merged_again_is_one_person_and_each_merge_can_be_taken_back(
    client: Client, first: int
) -> None:
    ids = [f"{name}-{first}" for name in ("earlier", "middle", "latest")]
    token = ""
    for place, id_ in enumerate(ids):
        events = [Event(type="view", user_id=id_, item_id=f"i{n}") for n in range(10**place)]
        token = client.record_events(events).commit_token
    merges = [client.profiles.merge(target, source_user_id=source) for source, target in itertools.pairwise(ids)]

    def counts() -> list[int]:
        return [client.profiles.get(id_, min_commit_token=token).features["n_events"] for id_ in ids]

    assert counts() == [111, 111, 111]
    assert {client.profiles.get(id_).user_id for id_ in ids} == {ids[-1]}
    # A circle would be nobody.
    assert refused(lambda: client.profiles.merge(ids[0], source_user_id=ids[2]))[0] == "INVALID_ARGUMENT"
    apart = [[1, 110, 110], [11, 11, 100]]
    client.profiles.unmerge(ids[first + 1], merges[first].number)
    assert counts() == apart[first]
    client.profiles.unmerge(ids[2 - first], merges[1 - first].number)
    assert counts() == [1, 10, 100]
    again = client.profiles.merge(ids[1], source_user_id=ids[0])
    assert again.number not in {merge.number for merge in merges}
    assert counts() == [11, 11, 100]


def test_export_holds_the_profile_and_forgetting_leaves_nothing(server: StateServer, client: Client) -> None:
    secret, visitor = "secretive-person-77", "secretive-cookie-78"
    client.record_events(
        [
            Event(type="buy", user_id=secret, item_id="i1", value=7.5, category="rare-category-79", currency="GBP"),
            Event(type="search", user_id=secret, query="rare-query-80"),
        ]
    )
    client.profiles.update(secret, {"occupation": "rare-occupation-81"}, "support")
    merge = client.profiles.merge(secret, visitor_id=visitor, reason="login")
    profile = client.profiles.get(secret)
    exported = client.export_user(secret).profile
    assert exported["profile"]["features"]["spend_net"] == profile.features["spend_net"] == 7_500
    assert exported["profile"]["attributes"] == {"occupation": {"value": "rare-occupation-81", "source": "support"}}
    assert [said["value"] for said in exported["declared_history"]] == ["rare-occupation-81"]
    assert [(link["id"], link["number"]) for link in exported["links"]] == [(visitor, merge.number)]
    assert [each["visitor_id"] for each in exported["merged"]] == [visitor]
    client.forget_user(secret)
    assert refused(lambda: client.profiles.get(secret)) == ("NOT_FOUND", "NOT_FOUND")
    assert refused(lambda: client.profiles.get(visitor_id=visitor)) == ("NOT_FOUND", "NOT_FOUND")
    assert refused(lambda: client.profiles.update(secret, {"age": "9"}))[0] == "INVALID_ARGUMENT"
    for file in (path for path in server.state.parent.rglob("*") if path.is_file()):
        content = file.read_bytes()
        for word in (secret, visitor, "rare-category-79", "rare-query-80", "rare-occupation-81"):
            assert word.encode() not in content, file


def test_every_refusal_names_its_field(server: StateServer) -> None:
    with grpc.insecure_channel(server.address) as channel:
        profiles = stubs.ProfileServiceStub(channel)
        both = v1.GetProfileRequest(user_id="a", visitor_id="b")
        many = v1.BatchGetProfilesRequest(user_ids=[str(n) for n in range(201)])
        sourceless = v1.UpdateProfileRequest(user_id="a", attributes=[shared.DeclaredAttribute(name="age", value="3")])
        stale = v1.UpdateProfileRequest(
            user_id="a",
            attributes=[shared.DeclaredAttribute(name="age", value="3", source=shared.ATTRIBUTE_SOURCE_ACCOUNT)],
            etag="?",
        )
        cases: tuple[tuple[Any, Any, str], ...] = (
            (profiles.GetProfile, both, "visitor_id"),
            (profiles.GetProfile, v1.GetProfileRequest(), "user_id"),
            (profiles.GetProfile, v1.GetProfileRequest(user_id="a", min_commit_token="?"), "min_commit_token"),
            (profiles.BatchGetProfiles, many, "user_ids"),
            (profiles.UpdateProfile, sourceless, "attributes[0].source"),
            (profiles.UpdateProfile, stale, "etag"),
            (profiles.MergeProfiles, v1.MergeProfilesRequest(user_id="a", source_user_id="a"), "source_user_id"),
            (profiles.UnmergeProfiles, v1.UnmergeProfilesRequest(user_id="a"), "number"),
        )
        for method, request, field in cases:
            with pytest.raises(grpc.RpcError) as caught:
                method(request, timeout=20)
            call: Any = caught.value
            assert call.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert call.details().startswith(f"{field}: "), call.details()


def test_the_door_speaks_of_profiles_too(server: StateServer) -> None:
    with ServerProcess.door(server.address) as door:
        answer = post(door.address, "/v1/get-profile", {"user_id": "u0", "read_mask": "features.spendNet,tags"})
        assert set(answer.body["profile"]["features"]) == {"spend_net"}


def test_without_a_state_there_are_no_profiles(tmp_path: Path) -> None:
    index = tmp_path / "index"
    small_index(ItemKNN()).save(index)
    with ServerProcess.serve(index) as running, Client(running.address, timeout=20) as client:
        assert refused(lambda: client.profiles.get("ann")) == ("FAILED_PRECONDITION", "NO_STATE")
        assert refused(client.profiles.segments) == ("FAILED_PRECONDITION", "NO_STATE")
