"""Events and people's rights over real sockets: what is recorded changes the next answer, and every status comes as told."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from recocore.v1 import event_pb2 as shared
from recocore.v1 import event_service_pb2 as v1
from recocore.v1 import event_service_pb2_grpc as stubs
from recocore.v1 import privacy_service_pb2 as privacy
from recocore.v1 import privacy_service_pb2_grpc as privacy_stubs
from tests.service.events.served import StateServer
from tests.service.http_calls import post
from tests.service.server_process import ServerProcess
from tests.service.small_index import small_index

from recocore.client import Client, Event, ServiceError
from recocore.client import SessionEvent as ClientSessionEvent
from recocore.data.schema import DEFAULT_WEIGHTS
from recocore.index import Ask, Index, SessionEvent
from recocore.models import ItemKNN
from recocore.service.attribution import Attribution, decode, encode
from recocore.service.events import commit_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("index") / "index"
    small_index(ItemKNN()).save(path)
    return path


@pytest.fixture(scope="module")
def server(index: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateServer]:
    folder = tmp_path_factory.mktemp("s")
    with StateServer.start(
        index,
        folder / "state",
        workers=2,
        settings=f"attribution_key={KEY!r}",
        more="observing=Observing(MetricsConfig(enabled=True, port=0))",
    ) as running:
        yield running


@pytest.fixture
def client(server: StateServer) -> Iterator[Client]:
    with Client(server.address, timeout=20) as made:
        yield made


def event(user_id: str, type_: str, item_id: str, **more: Any) -> Event:
    return Event(type=type_, user_id=user_id, item_id=item_id, **more)


def ids(answer: Any) -> list[str]:
    return [item.item_id for item in answer.items]


def asked(index: Path, user_id: str, ask: Ask) -> list[tuple[str, float]]:
    """What the index itself says."""
    [ranked] = Index.load(index).ask([user_id], ask)
    return [(str(item.item_id), item.score) for item in ranked.items]


def test_the_next_answer_knows_of_events(client: Client, index: Path) -> None:
    before = client.recommend("user-01", 5)
    bought, viewed = ids(before)[0], ids(before)[1]
    recorded = client.record_events([event("user-01", "view", viewed), event("user-01", "buy", bought)])
    assert (recorded.accepted, recorded.duplicates, recorded.errors) == (2, 0, ())
    after = client.recommend("user-01", 5, min_commit_token=recorded.commit_token)
    session = (SessionEvent(viewed, DEFAULT_WEIGHTS["view"]), SessionEvent(bought, DEFAULT_WEIGHTS["buy"]))
    expected = asked(index, "user-01", Ask(k=5, session=session, had=(bought,)))
    assert [(item.item_id, item.score) for item in after.items] == expected
    assert bought not in ids(after)
    # The same request again: the answer that was kept before the events is no more.
    assert ids(client.recommend("user-01", 5)) == ids(after)
    # And events of the request come on top.
    mine = client.recommend("user-01", 5, session_events=[ClientSessionEvent("200")])
    assert [(item.item_id, item.score) for item in mine.items] == asked(
        index, "user-01", Ask(k=5, session=(*session, SessionEvent("200")), had=(bought,))
    )
    assert mine.missing_ids == ()


def test_somebody_whom_no_model_knows_is_known_by_events(client: Client, index: Path) -> None:
    assert {item.source for item in client.recommend("new", 5).items} == {"popular"}
    client.record_events([event("new", "view", "10")])
    answer = client.recommend("new", 5)
    assert answer.missing_ids == ("new",)
    assert [(item.item_id, item.score) for item in answer.items] == asked(
        index, "new", Ask(k=5, session=(SessionEvent("10", 1.0),))
    )
    assert "session" in {item.source for item in answer.items}
    # What the record alone names is no id of the request.
    client.record_events([event("new", "view", "of-no-catalogue")])
    assert client.recommend("new", 5).missing_ids == ("new",)


def test_recommendations_know_of_merged_ids_until_the_merge_is_taken_back(client: Client) -> None:
    client.record_events([event("joined", "view", "10"), event("joined-old", "buy", "20")])
    alone = client.recommend("joined", 6)
    assert "20" in ids(alone)
    merge = client.profiles.merge("joined", source_user_id="joined-old")
    token = client.record_events([event("joined-old", "buy", "30")]).commit_token
    both = client.recommend("joined", 6, min_commit_token=token)
    assert {"20", "30"}.isdisjoint(ids(both))
    # Under either id the person is one, in batches too.
    assert ids(client.recommend("joined-old", 6)) == ids(both)
    [row] = client.batch_recommend(["joined"], 6)
    assert ids(row.result) == ids(both)
    client.set_consent("joined-old", "personalization", False)
    assert {item.source for item in client.recommend("joined", 6).items} == {"popular"}
    client.profiles.unmerge("joined", merge.number)
    assert ids(client.recommend("joined", 6)) == ids(alone)


def test_rows_of_batches_and_streams_know_of_events(client: Client) -> None:
    client.record_events([event("user-02", "buy", "10"), event("user-03", "view", "30")])
    single = {user: ids(client.recommend(user, 6)) for user in ("user-02", "user-03", "user-04")}
    batch = client.batch_recommend(list(single), 6)
    assert {row.user_id: ids(row.result) for row in batch} == single
    stream = client.recommend_stream(list(single), 6, timeout=20)
    assert {row.user_id: ids(row.result) for row in stream} == single


def test_an_event_is_recorded_once(client: Client) -> None:
    one = event("user-05", "view", "10")
    assert client.record_events([one, one]).duplicates == 1
    again = client.record_events([one], durability="buffered")
    assert (again.accepted, again.duplicates) == (0, 1)
    assert len(client.export_user("user-05").events) == 1


def test_a_bad_row_leaves_the_others_whole(client: Client) -> None:
    good = event("user-06", "view", "10")
    found = client.record_events([replace(good, event_id="b", item_id=""), good, replace(good, event_id="c", type="!")])
    assert found.accepted == 1
    assert [(error.index, error.error.status) for error in found.errors] == [
        (0, "INVALID_ARGUMENT"),
        (2, "INVALID_ARGUMENT"),
    ]
    assert found.errors[0].error.violations[0].field == "events[0].item_id"
    assert found.errors[1].error.violations[0].field == "events[2].type"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (v1.RecordEventsRequest(), "events"),
        (v1.RecordEventsRequest(events=[shared.Event()] * 1_001), "events"),
        (v1.RecordEventsRequest(events=[shared.Event()], durability=9), "durability"),  # type: ignore[arg-type]
    ],
)
def test_a_bad_request_is_refused_whole(server: StateServer, request_: Any, field: str) -> None:
    with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError) as caught:
        stubs.EventServiceStub(channel).RecordEvents(request_, timeout=20)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert field in error.details()


def test_fields_off_the_list_are_not_kept(server: StateServer, client: Client) -> None:
    secret = b"my-diagnosis-is-private"
    made = shared.Event(event_id="off", type="view", user_id="user-07", item_id="10").SerializeToString()
    made += b"\xa2\x38" + bytes([len(secret)]) + secret
    request = b"\x0a" + bytes([len(made)]) + made
    with grpc.insecure_channel(server.address) as channel:
        call: Any = channel.unary_unary("/recocore.v1.EventService/RecordEvents")
        assert v1.RecordEventsResponse.FromString(call(request, timeout=20)).accepted == 1
    assert secret.decode() not in json.dumps(client.export_user("user-07").events)


def test_events_are_joined_to_the_answer_that_led_to_them(client: Client) -> None:
    answer = client.recommend("user-08", 3)
    token = answer.attribution_token
    click = event("user-08", "click", ids(answer)[1], attribution_token=token, position=1)
    forged = encode(Attribution("als-9", "mine", datetime.now(UTC)))
    refused = client.record_events([click, replace(click, event_id="forged", attribution_token=forged)])
    assert [error.error.violations[0].field for error in refused.errors] == ["events[1].attribution_token"]
    [kept] = client.export_user("user-08").events
    told = decode(token, KEY)
    assert (kept["served_model"], kept["served_request"], int(kept["position"])) == (
        answer.served_model,
        answer.request_id,
        1,
    )
    assert (told.served_model, told.request_id) == (answer.served_model, answer.request_id)


def test_consent_that_is_withdrawn_is_obeyed_until_it_is_given(client: Client) -> None:
    client.record_events([event("user-09", "view", "10")])
    personal = client.recommend("user-09", 5)
    anybody = client.recommend("user-09", 5, personalization="none")
    assert ids(personal) != ids(anybody)
    consents = client.set_consent("user-09", "personalization", False)
    assert (consents["personalization"].granted, consents["marketing"].granted) == (False, False)
    assert ids(client.recommend("user-09", 5)) == ids(anybody)
    assert ids(client.recommend("user-09", 5, personalization="context")) == ids(anybody)
    with pytest.raises(ServiceError, match="must not be ranked"):
        client.score("user-09", ["10"])
    assert client.get_consent("user-09")["personalization"].answered
    client.set_consent("user-09", "personalization", True)
    assert ids(client.recommend("user-09", 5)) == ids(personal)
    assert not client.get_consent("nobody")["marketing"].answered


def test_an_export_has_everything(client: Client) -> None:
    when = datetime.now(UTC) - timedelta(days=2)
    sent = [
        event(
            "user-10",
            "view",
            f"{number}",
            event_id=f"x{number}",
            event_time=when + timedelta(seconds=number),
            brand="acme",
        )
        for number in range(5)
    ]
    client.record_events(sent)
    client.set_consent("user-10", "marketing", True)
    export = client.export_user("user-10")
    assert [(row["event_id"], row["item_id"], row["brand"]) for row in export.events] == [
        (one.event_id, one.item_id, "acme") for one in sent
    ]
    assert datetime.fromisoformat(export.events[0]["event_time"]) == when
    assert "marketing" in json.dumps(export.profile)
    assert client.export_user("nobody").events == ()


def test_an_export_comes_in_pages(server: StateServer, client: Client) -> None:
    client.record_events([event("user-11", "view", f"{number}") for number in range(5)])
    with grpc.insecure_channel(server.address) as channel:
        stub = privacy_stubs.PrivacyServiceStub(channel)
        found, token = [], ""
        while True:
            page = stub.ExportUser(privacy.ExportUserRequest(user_id="user-11", page_size=2, page_token=token))
            found.append([one.item_id for one in page.events])
            token = page.next_page_token
            if not token:
                break
        assert found == [["0", "1"], ["2", "3"], ["4"]]
        with pytest.raises(grpc.RpcError, match="page_token"):
            stub.ExportUser(privacy.ExportUserRequest(user_id="user-11", page_token="mine"))


def test_somebody_forgotten_is_nobody_to_the_service(client: Client) -> None:
    client.record_events([event("user-12", "view", "10")])
    personal = client.recommend("user-12", 5)
    receipt = client.forget_user("user-12")
    assert receipt.key_destroyed
    assert len(receipt.subject) == 32
    assert abs(datetime.now(UTC) - receipt.time) < timedelta(minutes=1)
    answer, unknown = client.recommend("user-12", 5), client.recommend("never-seen", 5)
    assert ids(answer) != ids(personal)
    assert [(item.item_id, item.score, item.source) for item in answer.items] == [
        (item.item_id, item.score, item.source) for item in unknown.items
    ]
    assert answer.missing_ids == ("user-12",)
    explained = client.recommend("user-12", 5, explain=True)
    assert ids(explained) == ids(unknown)
    assert explained.missing_ids == ("user-12",)
    [row] = client.batch_recommend(["user-12"], 5)
    assert ids(row.result) == ids(unknown)
    [row] = client.recommend_stream(["user-12"], 5)
    assert ids(row.result) == ids(unknown)
    with pytest.raises(ServiceError) as caught:
        client.score("user-12", ["10"])
    assert caught.value.status == "NOT_FOUND"
    assert client.export_user("user-12").events == ()
    [error] = client.record_events([event("user-12", "view", "10")]).errors
    assert error.error.violations[0].field.startswith("events[0]")
    assert client.forget_user("user-12").subject == receipt.subject


def test_a_commit_that_nobody_made_is_not_waited_for_beyond_the_deadline(server: StateServer) -> None:
    with Client(server.address, timeout=0.5, retries=0) as impatient, pytest.raises(ServiceError) as caught:
        impatient.recommend("user-13", 5, min_commit_token=commit_tokens.encode(2**40))
    assert caught.value.status in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
    assert caught.value.reason in {"COMMIT_NOT_SEEN", ""}


def test_what_happens_to_events_is_counted(server: StateServer, client: Client) -> None:
    def counted() -> dict[str, float]:
        [url] = [record["url"] for record in server.records() if record["event"] == "metrics"]
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/metrics", timeout=20) as answer:
            lines = answer.read().decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}

    before = counted()
    one = event("user-14", "view", "10")
    client.record_events([one, one, replace(one, event_id="bad", item_id="")])
    client.forget_user("user-14")
    after = counted()

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert [grown(f'recocore_events_total{{result="{name}"}}') for name in ("recorded", "duplicate", "refused")] == [
        1,
        1,
        1,
    ]
    assert grown("recocore_event_commit_seconds_count") == 1
    assert grown("recocore_users_forgotten_total") == 1
    assert after["recocore_events_waiting"] == 0
    assert after["recocore_state_owner_up"] == 1
    assert after['recocore_process_resident_memory_bytes{process="state"}'] > 2**20


def test_recommendations_go_on_without_the_owner_and_events_come_back(server: StateServer) -> None:
    with Client(server.address, timeout=20, retries=50) as client:
        client.record_events([event("user-15", "buy", "10")])
        known = ids(client.recommend("user-15", 5))
        killed = server.kill_owner()
        assert ids(client.recommend("user-15", 5, exclude_item_ids=["none"])) == known
        # Whatever the moment: the client tries again after what the server says.
        assert client.record_events([event("user-15", "buy", "20")]).accepted == 1
        server.wait_for_another_owner(killed)
        assert len(client.export_user("user-15").events) == 2


def test_a_state_has_one_owner(server: StateServer, client: Client, index: Path) -> None:
    code = (
        "import recocore.service.processes.ready_keeper as keeper\n"
        "keeper._OTHER_ENDS_SECONDS = 0.0\n"
        "from recocore.service import StateConfig, serve\n"
        f"serve({str(index)!r}, port=0, state=StateConfig(path={str(server.state)!r}))"
    )
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode != 0
    assert "InUseError" in second.stderr
    assert client.record_events([event("user-17", "view", "10")]).accepted == 1


def test_a_service_without_a_state_says_what_to_do(stub_server: ServerProcess) -> None:
    with Client(stub_server.address, timeout=20) as client:
        calls = (
            lambda: client.record_events([event("ann", "view", "i01")]),
            lambda: client.set_consent("ann", "marketing", True),
            lambda: client.get_consent("ann"),
            lambda: client.export_user("ann"),
            lambda: client.forget_user("ann"),
            lambda: client.recommend("even", min_commit_token=commit_tokens.encode(1)),
        )
        for call in calls:
            with pytest.raises(ServiceError) as caught:
                call()
            assert (caught.value.status, caught.value.reason) == ("FAILED_PRECONDITION", "NO_STATE")
            assert "recocore serve --state DIR" in caught.value.message


def test_the_door_takes_events_as_json(server: StateServer, client: Client) -> None:
    pytest.importorskip("starlette")
    body = {
        "events": [
            {
                "event_id": "json",
                "type": "view",
                "user_id": "user-16",
                "item_id": "10",
                "event_time": "2026-01-02T03:04:05Z",
            },
            {"event_id": "bad", "type": "view", "user_id": "user-16"},
        ],
        "durability": "DURABILITY_BUFFERED",
    }
    with ServerProcess.door(server.address) as door:
        answer = post(door.address, "/v1/record-events", body)
        assert answer.status == 200
        assert (answer.body["accepted"], answer.body["errors"][0]["index"]) == (1, 1)
        ranked = post(
            door.address, "/v1/recommend", {"user_id": "user-16", "min_commit_token": answer.body["commit_token"]}
        )
        assert ranked.status == 200
        assert post(door.address, "/v1/forget-user", {"user_id": "user-16"}).body["key_destroyed"]
    assert client.export_user("user-16").events == ()
