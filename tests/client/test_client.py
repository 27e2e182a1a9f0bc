"""The client against a server that answers by a script: retries, deadlines, errors, results."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1
from recocore.v1 import recommendation_service_pb2_grpc as stubs

from recocore.client import (
    All,
    Client,
    ClientClosedError,
    Diversity,
    Exists,
    In,
    Item,
    Not,
    Range,
    Reason,
    Rule,
    ServiceError,
    SessionEvent,
)
from recocore.client import Any as AnyOf
from recocore.errors import InvalidArgumentError, RecocoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

Code = grpc.StatusCode


class Script(stubs.RecommendationServiceServicer, health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Fails as the steps say, one a call, then answers."""

    def __init__(self) -> None:
        self.steps: list[tuple[grpc.StatusCode, float | None]] = []
        self.health = [health_pb2.HealthCheckResponse.SERVING]
        self.request_ids: list[str] = []
        self.requests: list[Any] = []

    def Recommend(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.requests.append(request)
        self.request_ids.append(dict(context.invocation_metadata())["x-request-id"])
        if self.steps:
            code, retry_after = self.steps.pop(0)
            status = status_pb2.Status(code=code.value[0], message="not now")
            if retry_after is not None:
                info = error_details_pb2.RetryInfo()
                info.retry_delay.FromNanoseconds(int(retry_after * 1e9))
                status.details.add().Pack(info)
            context.abort_with_status(_GrpcStatus(code, "not now", status))
        return v1.RecommendResponse(
            items=[
                shared.ScoredItem(
                    item_id="a",
                    score=0.5,
                    source=shared.SOURCE_MODEL,
                    reasons=[shared.Reason(item_id="b", weight=0.25)],
                )
            ],
            served_model="m1",
            fallback_used=shared.FALLBACK_NONE,
            attribution_token="t",
            missing_ids=["x"],
            request_id="r",
        )

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        state = self.health.pop(0) if len(self.health) > 1 else self.health[0]
        return health_pb2.HealthCheckResponse(status=state)


class _GrpcStatus(grpc.Status):
    def __init__(self, code: grpc.StatusCode, details: str, status: status_pb2.Status) -> None:
        self.code = code
        self.details = details
        self.trailing_metadata = (("grpc-status-details-bin", status.SerializeToString()),)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def target(script: Script) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4))
    stubs.add_RecommendationServiceServicer_to_server(script, server)
    health_pb2_grpc.add_HealthServicer_to_server(script, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_results_are_plain_values(target: str, script: Script) -> None:
    with Client(target, timeout=10) as client:
        answer = client.recommend(
            "ann", 5, exclude_item_ids=("p",), candidate_item_ids=iter(["q"]), seen_policy="include", fallback="none"
        )
    assert answer.items == (Item("a", 0.5, "model", (Reason("b", 0.25),)),)
    assert (answer.served_model, answer.fallback_used, answer.attribution_token) == ("m1", "none", "t")
    assert (answer.missing_ids, answer.request_id) == (("x",), "r")
    assert script.requests == [
        v1.RecommendRequest(
            user_id="ann",
            page_size=5,
            exclude_item_ids=["p"],
            candidate_item_ids=["q"],
            seen_policy=shared.SEEN_POLICY_INCLUDE,
            fallback=shared.FALLBACK_NONE,
        )
    ]


def test_every_option_becomes_its_field(target: str, script: Script) -> None:
    with Client(target, timeout=10) as client:
        client.recommend(
            "ann",
            3,
            page_token="t",
            filter=All([In("brand", ["a", 2, True]), AnyOf([Range("price", at_least=0, below=5)]), Not(Exists("x"))]),
            rules=[Rule("boost", Exists("x"), weight=2.5), Rule("pin", item_ids=["p"], slot=4)],
            diversity=Diversity(relevance=0.0, max_per_group=2, group_field="brand"),
            session_events=["s", SessionEvent("t", -2.0)],
            context_item_ids=["c"],
            fallback=["similar", "popular"],
            personalization="context",
            placement="home",
            read_mask=["items.item_id", "missing_ids"],
            packed=True,
            validate_only=True,
        )
    (sent,) = script.requests
    assert MessageToDict(sent) == {
        "userId": "ann",
        "pageSize": 3,
        "pageToken": "t",
        "filter": {
            "all": [
                {"in": {"field": "brand", "values": ["a", 2.0, True]}},
                {"any": [{"range": {"field": "price", "atLeast": 0.0, "below": 5.0}}]},
                {"not": {"exists": {"field": "x"}}},
            ]
        },
        "rules": [
            {"action": "RULE_ACTION_BOOST", "where": {"exists": {"field": "x"}}, "weight": 2.5},
            {"action": "RULE_ACTION_PIN", "itemIds": ["p"], "slot": 4},
        ],
        "diversity": {"relevance": 0.0, "maxPerGroup": 2, "groupField": "brand"},
        "sessionEvents": [{"itemId": "s"}, {"itemId": "t", "weight": -2.0}],
        "contextItemIds": ["c"],
        "fallbacks": ["FALLBACK_SIMILAR", "FALLBACK_POPULAR"],
        "personalization": "PERSONALIZATION_CONTEXT_ONLY",
        "placement": "home",
        "readMask": "items.itemId,missingIds",
        "outputFormat": "OUTPUT_FORMAT_PACKED",
        "validateOnly": True,
    }


def test_an_option_that_is_not_there_is_named(target: str) -> None:
    with Client(target) as client:
        with pytest.raises(TypeError, match="unexpected keyword argument 'filters'; there are candidate_item_ids"):
            client.recommend("ann", filters=None)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="unexpected keyword argument 'seen_policy'"):
            client.similar_items(["a"], seen_policy="include")  # type: ignore[call-arg]


def test_it_retries_what_may_pass_under_one_request_id(target: str, script: Script) -> None:
    script.steps = [(Code.UNAVAILABLE, None), (Code.RESOURCE_EXHAUSTED, 0.01), (Code.CANCELLED, None)]
    with Client(target, timeout=20) as client:
        assert client.recommend("ann").request_id == "r"
    assert len(script.request_ids) == 4
    assert len(set(script.request_ids)) == 1


def test_it_gives_up_after_its_retries(target: str, script: Script) -> None:
    script.steps = [(Code.UNAVAILABLE, None)] * 9
    with Client(target, timeout=20, retries=2) as client, pytest.raises(ServiceError) as caught:
        client.recommend("ann")
    assert (caught.value.status, caught.value.message) == ("UNAVAILABLE", "not now")
    assert len(script.request_ids) == 3


@pytest.mark.parametrize(
    "code",
    [Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.INTERNAL, Code.RESOURCE_EXHAUSTED, Code.DATA_LOSS, Code.UNIMPLEMENTED],
)
def test_it_does_not_retry_what_would_fail_again(target: str, script: Script, code: grpc.StatusCode) -> None:
    script.steps = [(code, None)]
    with Client(target, timeout=20) as client, pytest.raises(ServiceError) as caught:
        client.recommend("ann")
    assert caught.value.status == code.name
    assert isinstance(caught.value, RecocoreError)
    assert len(script.request_ids) == 1


def test_it_does_not_wait_past_its_deadline_for_a_retry(target: str, script: Script) -> None:
    script.steps = [(Code.RESOURCE_EXHAUSTED, 3600.0)]
    with Client(target) as client, pytest.raises(ServiceError) as caught:
        client.recommend("ann", timeout=20)
    assert (caught.value.status, caught.value.retry_after) == ("RESOURCE_EXHAUSTED", 3600.0)


def test_nobody_there_is_unavailable() -> None:
    with Client("127.0.0.1:1", timeout=5, retries=1) as client, pytest.raises(ServiceError) as caught:
        client.recommend("ann")
    assert (caught.value.status, caught.value.reason) == ("UNAVAILABLE", "")
    assert caught.value.request_id in str(caught.value)


def test_it_waits_until_the_service_serves(target: str, script: Script) -> None:
    states = health_pb2.HealthCheckResponse
    script.health = [states.NOT_SERVING, states.NOT_SERVING, states.SERVING]
    with Client(target) as client:
        client.wait_until_ready(20)
        assert client.health() == "SERVING"


def test_it_says_why_the_service_is_not_ready(target: str, script: Script) -> None:
    script.health = [health_pb2.HealthCheckResponse.NOT_SERVING]
    with (
        Client(target) as client,
        pytest.raises(ServiceError, match=r"not ready within 0\.3 s: its health is NOT_SERVING"),
    ):
        client.wait_until_ready(0.3)


def test_waiting_for_nobody_ends() -> None:
    started = time.monotonic()
    with Client("127.0.0.1:1") as client, pytest.raises(ServiceError, match="UNAVAILABLE"):
        client.wait_until_ready(0.5)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"exclude_item_ids": "abc"}, "exclude_item_ids"),
        ({"candidate_item_ids": [7]}, "candidate_item_ids"),
        ({"seen_policy": "maybe"}, "seen_policy"),
        ({"fallback": "random"}, "fallback"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"timeout": 1e300}, "timeout"),
        ({"timeout": "x"}, "timeout"),
        ({"user_id": 7}, "user_id"),
        ({"user_id": None}, "user_id"),
        ({"exclude_item_ids": None}, "exclude_item_ids"),
        ({"user_id": "\ud800"}, ""),
        ({"page_size": 2**40}, ""),
        ({"page_size": "ten"}, ""),
        ({"fallback": ["popular", "random"]}, "fallback"),
        ({"fallback": None}, "fallback"),
        ({"personalization": "some"}, "personalization"),
        ({"filter": "brand = acme"}, "filter"),
        ({"filter": In("brand", "acme")}, "filter"),
        ({"filter": In("brand", [None])}, "filter"),  # type: ignore[list-item]
        ({"filter": All(["brand"])}, "filter"),  # type: ignore[list-item]
        ({"filter": Not(Range("price", below="cheap"))}, "filter"),  # type: ignore[arg-type]
        ({"rules": Rule("bury")}, "rules"),
        ({"rules": ["bury"]}, "rules"),
        ({"rules": [Rule("hide", item_ids=["a"])]}, "rules"),  # type: ignore[arg-type]
        ({"rules": [Rule("bury", item_ids="abc")]}, "rules"),
        ({"rules": [Rule("boost", item_ids=["a"], weight="much")]}, ""),  # type: ignore[arg-type]
        ({"diversity": 0.5}, "diversity"),
        ({"session_events": "abc"}, "session_events"),
        ({"session_events": [7]}, "session_events"),
        ({"context_item_ids": "abc"}, "context_item_ids"),
        ({"read_mask": "items"}, "read_mask"),
        ({"placement": 7}, ""),
        ({"page_token": 7}, ""),
    ],
)
def test_what_cannot_be_sent_is_refused_here(arguments: dict[str, Any], field: str) -> None:
    with Client("127.0.0.1:1") as client, pytest.raises(InvalidArgumentError) as caught:
        client.recommend(**{"user_id": "ann", **arguments})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("retries", -1),
        ("retries", "x"),
        ("retries", 1.5),
        ("timeout", -1.0),
        ("timeout", "x"),
        ("timeout", float("inf")),
        ("target", None),
        ("target", 5),
        ("target", ""),
    ],
)
def test_settings_are_checked(field: str, value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=field) as caught:
        Client(**{"target": "127.0.0.1:1", field: value})
    assert caught.value.field == field


def test_a_closed_client_says_so() -> None:
    client = Client("127.0.0.1:1")
    client.close()
    for call in (lambda: client.recommend("ann"), client.health, client.wait_until_ready):
        with pytest.raises(ClientClosedError, match="this client is closed"):
            call()


def test_closing_ends_the_calls_in_flight() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as pool:
        client = Client(f"127.0.0.1:{silent.getsockname()[1]}")
        call = pool.submit(client.recommend, "ann", timeout=60)
        silent.accept()[0].close()
        client.close()
        with pytest.raises(ClientClosedError):
            call.result(20)


def test_it_needs_no_native_code() -> None:
    code = (
        "import sys\nsys.modules['recocore._native'] = None\n"
        "from recocore.client import Client\nClient('127.0.0.1:1').close()\n"
        "own = {name for name in sys.modules if name.startswith('recocore')} - {'recocore._native'}\n"
        "rooms = {'.'.join(name.split('.')[:2]) for name in own}\n"
        "assert rooms == {'recocore', 'recocore.addresses', 'recocore.client', 'recocore.errors', 'recocore.v1'}, rooms\n"
        "assert 'numpy' not in sys.modules and 'pyarrow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
