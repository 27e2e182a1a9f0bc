"""Slow calls in the log, and traces."""

from __future__ import annotations

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from recocore.v1 import recommendation_service_pb2 as v1
from recocore.v1 import recommendation_service_pb2_grpc as stubs
from tests.service.observe.test_rates import Answering
from tests.service.watched import WatchedProcess

from recocore.client import Client
from recocore.service.call import Call
from recocore.service.observe.config import LogsConfig, TracingConfig
from recocore.service.observe.slow import SlowCalls
from recocore.service.observe.tracing import Tracing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.server_process import ServerProcess

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def traced(call: Call, status: str = "OK", seconds: float = 0.25, sample: float = 1.0) -> Any:
    exporter = InMemorySpanExporter()
    tracing = Tracing(TracingConfig(endpoint="http://127.0.0.1:1", sample=sample), exporter)
    tracing.finished("Recommend", status, seconds, Answering(version="v7"), call)
    tracing.close()
    return exporter.get_finished_spans()


def test_a_call_is_a_span_of_its_callers_trace() -> None:
    [span] = traced(Call("r1", traceparent=f"00-{TRACE}-{SPAN}-01"), sample=0.0)
    assert (span.name, span.kind) == ("recocore.v1.RecommendationService/Recommend", SpanKind.SERVER)
    assert format(span.context.trace_id, "032x") == TRACE
    assert format(span.parent.span_id, "016x") == SPAN
    assert (span.end_time - span.start_time) / 1e9 == pytest.approx(0.25)
    assert span.attributes["rpc.response.status_code"] == "OK"
    assert span.attributes["recocore.request_id"] == "r1"
    assert span.attributes["recocore.model.version"] == "v7"
    assert span.status.status_code is StatusCode.UNSET


def test_a_caller_that_is_not_traced_is_heard() -> None:
    assert traced(Call("r1", traceparent=f"00-{TRACE}-{SPAN}-00")) == ()


@pytest.mark.parametrize("traceparent", [None, "", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_call_without_a_trace_begins_one(traceparent: str | None) -> None:
    [span] = traced(Call("r1", traceparent=traceparent))
    assert span.parent is None
    assert traced(Call("r1", traceparent=traceparent), sample=0.0) == ()


@pytest.mark.parametrize(("status", "code"), [("INTERNAL", StatusCode.ERROR), ("NOT_FOUND", StatusCode.UNSET)])
def test_faults_of_the_server_are_errors(status: str, code: StatusCode) -> None:
    [span] = traced(Call("r1"), status)
    assert span.status.status_code is code


class _Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, CollectorServer)
        self.server.requests.append((self.path, self.headers.get("Content-Encoding"), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class CollectorServer(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Collector)
        self.requests: list[tuple[str, str | None, bytes]] = []


def test_a_server_sends_its_spans_to_a_collector(saved: Path) -> None:
    with CollectorServer() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        try:
            endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
            settings = f"tracing=TracingConfig(endpoint={endpoint!r}, sample=0.0)"
            with WatchedProcess.watch(saved, observing=settings) as server:
                with grpc.insecure_channel(server.address) as channel:
                    stub = stubs.RecommendationServiceStub(channel)
                    metadata = (("traceparent", f"00-{TRACE}-{SPAN}-01"),)
                    stub.Recommend(v1.RecommendRequest(user_id="user-00"), timeout=20, metadata=metadata)
                    stub.Recommend(v1.RecommendRequest(user_id="user-00"), timeout=20)
                server.terminate()
                assert server.wait() == 0, server.log()
        finally:
            collector.shutdown()
            thread.join()
    [(path, encoding, body)] = collector.requests
    assert (path, encoding) == ("/v1/traces", None)
    [resource] = ExportTraceServiceRequest.FromString(body).resource_spans
    [span] = resource.scope_spans[0].spans
    assert span.trace_id.hex() == TRACE
    assert {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}[
        "service.name"
    ] == "recocore"


def test_a_collector_that_is_away_does_not_hold_up_the_end(saved: Path) -> None:
    settings = "tracing=TracingConfig(endpoint='http://127.0.0.1:1/v1/traces', sample=1.0)"
    with WatchedProcess.watch(saved, observing=settings) as server:
        with Client(server.address, timeout=20) as client:
            client.recommend("user-00")
        server.terminate()
        assert server.wait(15) == 0, server.log()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_slow_calls_are_sampled_and_the_others_counted(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    slow = SlowCalls(LogsConfig(slow_milliseconds=100, slow_per_second=2), clock)
    with caplog.at_level(logging.INFO, "recocore.service"):
        for seconds in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5):
            slow.finished("Recommend", "OK", seconds, None, Call(f"r{seconds}"))
        clock.now += 0.5
        slow.finished("Score", "OK", 0.6, None, Call("later"))
        slow.finished("Score", "OK", 0.6, None, Call("too many"))
    fields: list[dict[str, Any]] = [record.__dict__["recocore_fields"] for record in caplog.records]
    assert [(line["request_id"], line["milliseconds"], line["unlogged"]) for line in fields] == [
        ("r0.2", 200.0, 0),
        ("r0.3", 300.0, 0),
        ("later", 600.0, 2),
    ]


def test_a_server_logs_its_slow_calls(saved: Path) -> None:
    settings = "logs=LogsConfig(slow_milliseconds=0.001, slow_per_second=1000)"
    with WatchedProcess.watch(saved, observing=settings) as server, Client(server.address, timeout=20) as client:
        request_id = client.recommend("user-00").request_id
        lines = [record for record in server.records() if record["event"] == "slow call"]
        assert [(line["request_id"], line["method"], line["status"]) for line in lines] == [
            (request_id, "Recommend", "OK")
        ]
        assert "user-00" not in json.dumps(lines)


def test_a_server_of_the_stub_is_silent_by_default(stub_server: ServerProcess) -> None:
    with Client(stub_server.address, timeout=20) as client:
        client.recommend("even")
    assert not [record for record in stub_server.records() if record["event"] == "slow call"]
