"""How a server starts, says how it is, turns work away, drops what nobody waits for, and ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from recocore.v1 import recommendation_service_pb2 as v1
from recocore.v1 import recommendation_service_pb2_grpc as stubs
from tests.service.server_process import ServerProcess

from recocore.client import Client, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICE = "recocore.v1.RecommendationService"
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that must come true."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come true within 20 s"
        time.sleep(0.01)


def logged(server: ServerProcess, **fields: Any) -> list[dict[str, Any]]:
    return [record for record in server.records() if fields.items() <= record.items()]


def until_refused(client: Client, status: str) -> None:
    """Wait until a short call fails so: DEADLINE_EXCEEDED when all threads are taken, RESOURCE_EXHAUSTED when all places."""

    def refused() -> bool:
        try:
            client.recommend("odd", timeout=0.1)
        except ServiceError as error:
            return error.status == status
        return False

    client.wait_until_ready()
    until(refused)


def test_it_announces_a_loopback_address(stub_server: ServerProcess) -> None:
    host, port = stub_server.address.rsplit(":", 1)
    assert host == "127.0.0.1"
    assert int(port) > 0


@pytest.mark.parametrize("service", ["", SERVICE])
def test_health_says_serving(channel: grpc.Channel, service: str) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    assert health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status == SERVING


def test_health_of_another_service_is_not_found(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="other"), timeout=10)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.NOT_FOUND


def ask_reflection(channel: grpc.Channel, request: Any) -> Any:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    return next(stub.ServerReflectionInfo(iter([request]), timeout=10))


def test_reflection_lists_and_describes_the_services(channel: grpc.Channel) -> None:
    answer = ask_reflection(channel, reflection_pb2.ServerReflectionRequest(list_services=""))
    names = {service.name for service in answer.list_services_response.service}
    assert {SERVICE, "grpc.health.v1.Health"} <= names
    answer = ask_reflection(channel, reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE))
    raw = answer.file_descriptor_response.file_descriptor_proto[0]
    file = descriptor_pb2.FileDescriptorProto.FromString(raw)
    methods = [method.name for method in file.service[0].method]
    assert methods == ["Recommend", "SimilarItems", "Score", "BatchRecommend", "StreamRecommend"]


def test_reflection_can_be_switched_off() -> None:
    with ServerProcess.stub(reflection=False) as server, grpc.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            ask_reflection(channel, reflection_pb2.ServerReflectionRequest(list_services=""))
        error: Any = caught.value
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_many_clients_at_once_get_their_own_answers(stub_server: ServerProcess) -> None:
    expected = {"even": "i04", "odd": "i03", "nobody": "i00"}

    def ask(number: int) -> None:
        user = list(expected)[number % 3]
        with Client(stub_server.address, timeout=30) as client:
            for _ in range(10):
                assert client.recommend(user, 1).items[0].item_id == expected[user]

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(ask, range(32)))


def test_a_full_server_turns_calls_away_and_says_when_to_retry() -> None:
    with ServerProcess.stub(threads=1, max_calls=2) as server, Client(server.address, timeout=20, retries=0) as client:
        with ThreadPoolExecutor(2) as pool:
            slow = [pool.submit(client.recommend, "slow-1000", 1) for _ in range(2)]
            until_refused(client, "RESOURCE_EXHAUSTED")
            with pytest.raises(ServiceError) as caught:
                client.recommend("even", 1)
            assert (caught.value.status, caught.value.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS")
            assert caught.value.retry_after == pytest.approx(0.05)
            # The slow ones are unharmed, and health answers all the while.
            assert client.health() == "SERVING"
            assert all(len(call.result().items) == 1 for call in slow)
        assert len(client.recommend("even", 1).items) == 1


def test_a_client_that_retries_gets_through_a_full_server() -> None:
    with (
        ServerProcess.stub(threads=1, max_calls=1) as server,
        Client(server.address, timeout=20, retries=100) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        answers = [pool.submit(client.recommend, "slow-50", 1) for _ in range(4)]
        assert all(len(answer.result().items) == 1 for answer in answers)
        assert logged(server, reason="TOO_MANY_CALLS")


def test_a_call_whose_deadline_passes_in_the_queue_is_never_worked_on() -> None:
    with ServerProcess.stub(threads=1) as server, Client(server.address, timeout=20, retries=0) as client:
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(client.recommend, "slow-3000", 1)
            until_refused(client, "DEADLINE_EXCEEDED")
            with pytest.raises(ServiceError) as caught:
                client.recommend("boom", timeout=0.2)
            assert caught.value.status == "DEADLINE_EXCEEDED"
            slow.result()
        client.recommend("even")
        # On a busy machine the deadline of one passes before the server reads it.
        assert logged(server, status="DEADLINE_EXCEEDED")
        assert not logged(server, level="error")


def test_cancelled_calls_are_dropped_and_their_places_freed() -> None:
    with (
        ServerProcess.stub(threads=1, max_calls=3) as server,
        Client(server.address, timeout=20, retries=0) as client,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = stubs.RecommendationServiceStub(channel)
        slow = stub.Recommend.future(v1.RecommendRequest(user_id="slow-3000"), timeout=20)
        until_refused(client, "DEADLINE_EXCEEDED")
        waiting = [stub.Recommend.future(v1.RecommendRequest(user_id="boom"), timeout=20) for _ in range(2)]
        until_refused(client, "RESOURCE_EXHAUSTED")
        for call in waiting:
            call.cancel()
        until(lambda: len(logged(server, status="CANCELLED")) == 2)
        assert len(slow.result().items) == 10
        answers = [stub.Recommend.future(v1.RecommendRequest(user_id="even"), timeout=20) for _ in range(3)]
        assert all(len(answer.result().items) == 10 for answer in answers)
        assert not logged(server, level="error")


def test_a_cancelled_batch_stops_between_its_parts() -> None:
    with (
        ServerProcess.stub(threads=1) as server,
        Client(server.address, timeout=20, retries=0) as client,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = stubs.RecommendationServiceStub(channel)
        # 1,000 users of 50 ms each would hold the only thread for 50 s.
        batch = stub.BatchRecommend.future(v1.BatchRecommendRequest(user_ids=["slow-50"] * 1_000), timeout=60)
        until_refused(client, "DEADLINE_EXCEEDED")
        batch.cancel()
        assert len(client.recommend("even").items) == 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_finishes_calls_in_flight_and_exits_with_zero(number: signal.Signals) -> None:
    with ServerProcess.stub(threads=8, max_calls=8) as server, Client(server.address, timeout=20, retries=0) as client:
        with ThreadPoolExecutor(8) as pool:
            calls = [pool.submit(client.recommend, "slow-3000", 1) for _ in range(8)]
            until_refused(client, "RESOURCE_EXHAUSTED")
            server.terminate(number)
            assert [len(call.result().items) for call in calls] == [1] * 8
        assert server.wait() == 0
        with pytest.raises(ServiceError) as caught:
            client.recommend("even")
        assert caught.value.status == "UNAVAILABLE"
        assert [record["event"] for record in server.records() if record["event"] != "call"] == [
            "serving",
            "draining",
            "stopped",
        ]


def test_it_says_not_serving_before_it_stops_taking_calls() -> None:
    with ServerProcess.stub(drain_delay_seconds=3.0) as server, grpc.insecure_channel(server.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE), timeout=20)
        assert next(watch).status == SERVING
        server.terminate()
        assert next(watch).status == NOT_SERVING
        for service in ("", SERVICE):
            assert health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status == NOT_SERVING
        answer = stubs.RecommendationServiceStub(channel).Recommend(v1.RecommendRequest(user_id="even"), timeout=10)
        assert len(answer.items) == 10
        assert list(watch) == []
        assert server.wait() == 0


def test_an_open_watch_does_not_hold_up_the_end() -> None:
    with (
        ServerProcess.stub(grace_seconds=3600) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=60)
        assert next(watch).status == SERVING
        server.terminate()
        assert server.wait() == 0
        assert [answer.status for answer in watch] == [NOT_SERVING]


def test_grace_ends_calls_that_take_too_long() -> None:
    with (
        ServerProcess.stub(threads=1, grace_seconds=0.2) as server,
        Client(server.address, timeout=20, retries=0) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        slow = pool.submit(client.recommend, "slow-3000")
        until_refused(client, "DEADLINE_EXCEEDED")
        server.terminate()
        with pytest.raises(ServiceError) as caught:
            slow.result()
        assert (caught.value.status, caught.value.reason) == ("UNAVAILABLE", "STOPPING")
        assert server.wait() == 0


def test_a_taken_port_is_refused_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = (
            "import asyncio\nfrom recocore.service import ServerConfig\nfrom recocore.service.server import run\n"
            "from tests.service.stub_index import StubIndex\n"
            f"asyncio.run(run(StubIndex(), ServerConfig(port={port}), print))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    expected = f"InvalidArgumentError: cannot listen on 127.0.0.1:{port}: Address already in use; try another port"
    assert done.stderr.splitlines()[-1].startswith(f"recocore.errors.{expected}")
    # Nor does gRPC say it in its own words.
    assert "Failed to" not in done.stderr
