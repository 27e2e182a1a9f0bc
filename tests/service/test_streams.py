"""StreamRecommend: any number of users, message by message."""

from __future__ import annotations

import threading
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from recocore.v1 import recommendation_service_pb2 as v1
from recocore.v1 import recommendation_service_pb2_grpc as stubs
from tests.service.server_process import ServerProcess

from recocore.client import Client, In, ServiceError
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recocore.client import BatchRow


def content(row: BatchRow) -> Any:
    return row.user_id, row.result if isinstance(row.result, ServiceError) else row.result.items


def test_a_stream_answers_as_a_batch_does(client: Client) -> None:
    users = [f"user-{n}" if n % 3 else "even" for n in range(1_000)]
    options: dict[str, Any] = {"filter": In("tags", ["odd"]), "fallback": ["popular"]}
    streamed = [content(row) for row in client.recommend_stream(iter(users), 2, **options)]
    assert streamed == [content(row) for row in client.batch_recommend(users, 2, **options)]


def test_more_users_than_a_batch_takes(client: Client) -> None:
    rows = client.recommend_stream((f"user-{n}" for n in range(2_500)), 1)
    assert [row.user_id for row in rows] == [f"user-{n}" for n in range(2_500)]


def test_nobody_is_answered_with_nothing(client: Client) -> None:
    assert list(client.recommend_stream([])) == []


def test_a_bad_row_fails_alone(client: Client) -> None:
    rows = list(client.recommend_stream(["even", "", "boom", "odd"], 1))
    assert [getattr(row.result, "status", "OK") for row in rows] == ["OK", "INVALID_ARGUMENT", "INTERNAL", "OK"]


def test_a_bad_template_fails_the_stream(client: Client) -> None:
    with pytest.raises(ServiceError) as caught:
        list(client.recommend_stream(["even"], filter=In("brandt", ["b1"])))
    assert (caught.value.status, caught.value.violations[0].field) == ("INVALID_ARGUMENT", "template.filter.in.field")
    assert "did you mean 'brand'?" in caught.value.message


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([v1.StreamRecommendRequest(user_ids=["a"] * 1_001)], "user_ids"),
        ([v1.StreamRecommendRequest(template=v1.RecommendRequest(user_id="a"))], "template.user_id"),
        ([v1.StreamRecommendRequest(template=v1.RecommendRequest(page_token="a"))], "template.page_token"),
        ([v1.StreamRecommendRequest(template=v1.RecommendRequest())] * 2, "template"),
    ],
)
def test_a_bad_message_ends_the_stream(
    channel: grpc.Channel, messages: list[v1.StreamRecommendRequest], field: str
) -> None:
    stub = stubs.RecommendationServiceStub(channel)
    answers: list[v1.StreamRecommendResponse] = []
    with pytest.raises(grpc.RpcError) as caught:
        answers.extend(stub.StreamRecommend(iter(messages), timeout=10))
    call: Any = caught.value
    assert call.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert call.details().startswith(f"{field}: ")
    assert len(answers) == len(messages) - 1


def test_each_message_is_answered_before_the_next_is_needed(channel: grpc.Channel) -> None:
    stub = stubs.RecommendationServiceStub(channel)
    answered = threading.Semaphore(1)

    def requests() -> Iterator[v1.StreamRecommendRequest]:
        for n in range(5):
            assert answered.acquire(timeout=20)
            yield v1.StreamRecommendRequest(user_ids=[f"u{n}", f"v{n}"] if n != 2 else [])

    rows = []
    for response in stub.StreamRecommend(requests(), timeout=30):
        rows.append([row.user_id for row in response.rows])
        answered.release()
    assert rows == [["u0", "v0"], ["u1", "v1"], [], ["u3", "v3"], ["u4", "v4"]]


def test_a_caller_who_does_not_read_holds_little(client: Client) -> None:
    """The client runs a few messages ahead, however many users there are."""
    taken = count()
    rows = client.recommend_stream((f"u{next(taken)}" for _ in range(100_000)), 1)
    for _ in range(150):
        next(rows)
    rows.close()  # type: ignore[attr-defined]
    assert next(taken) <= 100 * (2 + 4)


def test_an_error_of_the_users_iterator_comes_after_the_rows_before_it(client: Client) -> None:
    def users() -> Iterator[str]:
        yield from (f"u{n}" for n in range(250))
        raise OSError("the list of users broke off")

    rows: list[BatchRow] = []
    with pytest.raises(OSError, match="broke off"):
        rows.extend(client.recommend_stream(users(), 1))
    with pytest.raises(InvalidArgumentError, match="user_ids: ids are strings here, got 7"):
        list(client.recommend_stream(["a", 7], 1))  # type: ignore[list-item]
    with pytest.raises(InvalidArgumentError, match="expected several ids"):
        client.recommend_stream("abc")


def test_a_cancelled_stream_is_dropped() -> None:
    with ServerProcess.stub(threads=1) as server, Client(server.address, timeout=20) as client:
        with grpc.insecure_channel(server.address) as channel:
            stub = stubs.RecommendationServiceStub(channel)
            users = ["slow-300"] * 200
            call = stub.StreamRecommend(iter([v1.StreamRecommendRequest(user_ids=users)]), timeout=60)
            client.wait_until_ready()
            call.cancel()
        # A minute of work is not waited for.
        assert client.recommend("even", 1, timeout=20).items
        server.terminate()
        assert server.wait() == 0
        ended = [record for record in server.records() if record.get("method") == "StreamRecommend"]
    assert [record["status"] for record in ended] in (["CANCELLED"], [])


def test_a_stream_past_its_deadline_ends(client: Client) -> None:
    with pytest.raises(ServiceError) as caught:
        list(client.recommend_stream(["slow-300"] * 100, 1, timeout=0.5))
    assert caught.value.status == "DEADLINE_EXCEEDED"


def test_a_stream_waits_where_a_call_is_turned_away() -> None:
    with ServerProcess.stub(threads=1, max_calls=1) as server, Client(server.address, timeout=30, retries=0) as client:
        # Whoever comes second is turned away; this one comes again until it is first.
        patient = Client(server.address, timeout=30, retries=100)
        busy = threading.Thread(target=lambda: patient.recommend("slow-1000"))
        busy.start()
        while True:
            time.sleep(0.05)  # without which the only place would mostly be ours
            try:
                client.recommend("even", 1)
            except ServiceError as error:
                if error.reason == "TOO_MANY_CALLS":
                    break
        rows = list(client.recommend_stream(["even"], 1))
        busy.join()
        patient.close()
    assert [getattr(row.result, "status", "OK") for row in rows] == ["OK"]


def test_a_stopping_server_ends_streams_between_two_answers() -> None:
    with (
        ServerProcess.stub(grace_seconds=20) as server,
        Client(server.address, timeout=20) as client,
        grpc.insecure_channel(server.address) as channel,
    ):
        client.wait_until_ready()
        stub = stubs.RecommendationServiceStub(channel)
        more = threading.Event()

        def requests() -> Iterator[v1.StreamRecommendRequest]:
            yield v1.StreamRecommendRequest(user_ids=["even"])
            more.wait(30)

        call = stub.StreamRecommend(requests(), timeout=60)
        assert next(call).rows[0].user_id == "even"
        server.terminate()
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        more.set()
        assert server.wait() == 0
    error: Any = caught.value
    assert error.code() == grpc.StatusCode.UNAVAILABLE
