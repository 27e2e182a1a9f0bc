"""Streams that break: the client goes on where the answers ended."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from recocore.v1 import recommendation_service_pb2 as v1
from recocore.v1 import recommendation_service_pb2_grpc as stubs

from recocore.client import Client, ClientClosedError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Breaking(stubs.RecommendationServiceServicer):
    """Answers as many messages of each stream as it is told, then fails; without orders it answers all."""

    def __init__(self) -> None:
        self.orders: list[tuple[int, grpc.StatusCode]] = []
        self.streams: list[list[v1.StreamRecommendRequest]] = []
        self.request_ids: set[str] = set()
        self.hold: threading.Event | None = None

    def StreamRecommend(self, requests: Any, context: Any) -> Any:  # noqa: N802
        self.request_ids.add(dict(context.invocation_metadata())["x-request-id"])
        seen: list[v1.StreamRecommendRequest] = []
        self.streams.append(seen)
        most, code = self.orders.pop(0) if self.orders else (10**9, grpc.StatusCode.OK)
        for request in requests:
            if len(seen) == most:
                context.abort(code, "broken")
            seen.append(request)
            rows = [
                v1.BatchRecommendResponse.Row(user_id=user, response=v1.RecommendResponse(served_model="m"))
                for user in request.user_ids
            ]
            if self.hold is not None:
                self.hold.wait(20)
            yield v1.StreamRecommendResponse(rows=rows, request_id="r")


@pytest.fixture
def service() -> Breaking:
    return Breaking()  # type: ignore[abstract]  # the other methods stay unimplemented


@pytest.fixture
def target(service: Breaking) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4))
    stubs.add_RecommendationServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


USERS = [f"u{n}" for n in range(1_234)]


def test_it_goes_on_where_the_answers_ended(target: str, service: Breaking) -> None:
    service.orders = [(0, grpc.StatusCode.UNAVAILABLE), (3, grpc.StatusCode.UNAVAILABLE)]
    service.orders += [(1, grpc.StatusCode.CANCELLED), (2, grpc.StatusCode.UNAVAILABLE)]
    with Client(target, timeout=20, retries=2) as client:
        rows = list(client.recommend_stream(iter(USERS), 7))
    assert [row.user_id for row in rows] == USERS
    assert all(not isinstance(row.result, ServiceError) and row.result.served_model == "m" for row in rows)
    assert len(service.streams) == 5
    assert len(service.request_ids) == 1
    for stream in service.streams:
        assert [request.template.page_size for request in stream[:1]] == [7] * len(stream[:1])
        assert not any(request.HasField("template") for request in stream[1:])


def test_it_gives_up_where_nothing_is_answered_any_more(target: str, service: Breaking) -> None:
    service.orders = [(2, grpc.StatusCode.UNAVAILABLE), *[(0, grpc.StatusCode.UNAVAILABLE)] * 9]
    rows: list[str] = []
    with Client(target, retries=2) as client, pytest.raises(ServiceError) as caught:
        rows.extend(row.user_id for row in client.recommend_stream(USERS, timeout=60))
    assert (caught.value.status, caught.value.message) == ("UNAVAILABLE", "broken")
    assert len(service.streams) == 3
    assert rows == USERS[:200]


def test_what_would_fail_again_is_not_tried_again(target: str, service: Breaking) -> None:
    service.orders = [(1, grpc.StatusCode.INVALID_ARGUMENT)]
    with Client(target) as client:
        rows = client.recommend_stream(USERS)
        assert [next(rows).user_id for _ in range(100)] == USERS[:100]
        with pytest.raises(ServiceError) as caught:
            next(rows)
    assert caught.value.status == "INVALID_ARGUMENT"
    assert len(service.streams) == 1


def test_closing_the_client_ends_its_streams(target: str, service: Breaking) -> None:
    client = Client(target)
    rows = client.recommend_stream(USERS)
    assert next(rows).user_id == "u0"
    service.hold = threading.Event()
    client.close()
    with pytest.raises(ClientClosedError):
        list(rows)
    service.hold.set()
    with pytest.raises(ClientClosedError):
        list(client.recommend_stream(USERS))


def test_letting_a_stream_go_lets_its_thread_go(target: str) -> None:
    before = threading.active_count()
    with Client(target) as client:
        for _ in range(5):
            rows = client.recommend_stream(f"u{n}" for n in range(10**6))
            next(rows)
            rows.close()  # type: ignore[attr-defined]
        finished = threading.Event()
        for _ in range(200):
            if threading.active_count() <= before + 4:
                break
            finished.wait(0.05)
        # The server's own pool has four.
        assert threading.active_count() <= before + 4
