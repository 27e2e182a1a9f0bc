"""The HTTP/JSON door answers what gRPC answers, and says errors as HTTP does."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import json_format
from google.rpc import status_pb2
from recocore.v1 import recommendation_service_pb2 as v1
from tests.service.http_calls import ask, connect, get, post
from tests.service.server_process import ServerProcess

from recocore.errors import InvalidArgumentError
from recocore.service import limits
from recocore.service.door import HttpConfig
from recocore.service.door.descriptors import Descriptors, url_path

if TYPE_CHECKING:
    import grpc

PATHS = {
    "Recommend": "/v1/recommend",
    "SimilarItems": "/v1/similar-items",
    "Score": "/v1/score",
    "BatchRecommend": "/v1/batch-recommend",
}

ASKED: list[tuple[str, dict[str, Any]]] = [
    ("Recommend", {"user_id": "even"}),
    ("Recommend", {"userId": "odd", "pageSize": 3, "explain": True, "seenPolicy": "SEEN_POLICY_INCLUDE"}),
    ("Recommend", {"user_id": "Jürgen 東京 😀", "page_size": 2, "fallback": "FALLBACK_POPULAR"}),
    ("Recommend", {"user_id": "who", "fallback": 1, "candidate_item_ids": ["i03", "zz", "i07"]}),
    ("Recommend", {"user_id": "even", "page_size": None, "exclude_item_ids": ["i04", "i06"]}),
    ("SimilarItems", {"item_ids": ["i05", "i09", "none"], "page_size": 4}),
    ("Score", {"user_id": "odd", "item_ids": ["i01", "i02", "zz"]}),
    ("BatchRecommend", {"user_ids": ["even", "", "who"], "template": {"page_size": 2, "explain": True}}),
]


def stub(channel: grpc.Channel, method: str) -> Any:
    return channel.unary_unary(f"/recocore.v1.RecommendationService/{method}")


def without_time(message: Any) -> Any:
    """The response without its tokens, which hold the time of the call."""
    for part in [message, *(row.response for row in getattr(message, "rows", ()) if row.HasField("response"))]:
        if "attribution_token" in part.DESCRIPTOR.fields_by_name:
            assert part.attribution_token
            part.ClearField("attribution_token")
    return message


@pytest.mark.parametrize(("method", "asked"), ASKED)
def test_the_answer_is_that_of_grpc(
    door: ServerProcess, channel: grpc.Channel, method: str, asked: dict[str, Any]
) -> None:
    request = json_format.ParseDict(asked, getattr(v1, f"{method}Request")())
    kind = getattr(v1, f"{method}Response")
    metadata = (("x-request-id", "same"),)
    expected = kind.FromString(stub(channel, method)(request.SerializeToString(), timeout=10, metadata=metadata))
    answer = post(door.address, PATHS[method], asked, {"x-request-id": "same"})
    assert answer.status == 200, answer
    assert without_time(json_format.ParseDict(answer.body, kind())) == without_time(expected)
    assert answer.headers["x-request-id"] == "same"


def test_the_answer_has_the_names_of_the_proto_and_its_empty_lists(door: ServerProcess) -> None:
    answer = post(door.address, "/v1/recommend", {"user_id": "even", "page_size": 1}, {"x-request-id": "r1"}).body
    assert answer.pop("attribution_token")
    assert answer.pop("next_page_token")
    assert answer == {
        "items": [{"item_id": "i04", "score": 96.0, "reasons": [], "source": "SOURCE_MODEL"}],
        "served_model": "stub-1",
        "fallback_used": "FALLBACK_NONE",
        "missing_ids": [],
        "request_id": "r1",
    }


REFUSED: list[tuple[str, dict[str, Any], int]] = [
    ("Recommend", {"user_id": ""}, 400),
    ("Recommend", {"user_id": "a", "page_size": -1, "exclude_item_ids": [""]}, 400),
    ("Recommend", {"user_id": "a", "seen_policy": 99}, 400),
    ("BatchRecommend", {}, 400),
    ("Score", {"user_id": "nobody", "item_ids": ["i00"]}, 404),
    ("SimilarItems", {"item_ids": ["nix"]}, 404),
    ("Recommend", {"user_id": "no-memory"}, 429),
    ("Recommend", {"user_id": "unsupported"}, 501),
    ("Recommend", {"user_id": "corrupt"}, 500),
    ("Recommend", {"user_id": "boom"}, 500),
]


@pytest.mark.parametrize(("method", "asked", "status"), REFUSED)
def test_an_error_is_that_of_grpc(
    door: ServerProcess, channel: grpc.Channel, method: str, asked: dict[str, Any], status: int
) -> None:
    request = json_format.ParseDict(asked, getattr(v1, f"{method}Request")())
    call = stub(channel, method).future(request.SerializeToString(), timeout=10, metadata=(("x-request-id", "same"),))
    details = dict(call.trailing_metadata())["grpc-status-details-bin"]
    answer = post(door.address, PATHS[method], asked, {"x-request-id": "same"})
    assert answer.status == status
    assert answer.problem == status_pb2.Status.FromString(details)
    assert answer.headers["x-request-id"] == "same"
    assert "retry-after" not in answer.headers


def test_a_field_that_is_not_there_is_named(door: ServerProcess) -> None:
    answer = post(door.address, "/v1/recommend", {"user_id": "a", "page_sise": 3})
    assert (answer.status, answer.reason, answer.fields) == (400, "INVALID_ARGUMENT", ["page_sise"])
    assert "page_size is near" in answer.body["message"]
    answer = post(door.address, "/v1/batch-recommend", {"user_ids": ["a"], "template": {"k": 3}})
    assert (answer.status, answer.fields) == (400, ["template.k"])


def test_urls_that_are_not_there(door: ServerProcess) -> None:
    for path in ("/", "/v1", "/v1/recommend/", "/v1/Recommend", "/v2/recommend", "/v1/%2e%2e/healthz", "/v1/forget"):
        answer = post(door.address, path, {})
        assert (answer.status, answer.problem.code, answer.reason) == (404, 5, "NO_SUCH_PATH"), path
    answer = get(door.address, "/v1/recommend")
    assert (answer.status, answer.headers["allow"], answer.reason) == (405, "POST", "WRONG_HTTP_METHOD")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": ""},
        {"content-encoding": "gzip"},
    ],
)
def test_what_is_not_said_to_be_json_is_refused(door: ServerProcess, headers: dict[str, str]) -> None:
    answer = post(door.address, "/v1/recommend", {"user_id": "even"}, headers)
    assert (answer.status, answer.reason, answer.fields) == (415, "UNSUPPORTED_MEDIA_TYPE", list(headers))


def test_json_may_name_its_encoding(door: ServerProcess) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert post(door.address, "/v1/recommend", {"user_id": "even"}, headers).status == 200


def test_the_caller_may_name_its_call(door: ServerProcess) -> None:
    def name(given: str) -> tuple[str, str]:
        answer = post(door.address, "/v1/recommend", {"user_id": "even"}, {"x-request-id": given})
        return answer.headers["x-request-id"], answer.body["request_id"]

    assert name("Order_7-a") == ("Order_7-a", "Order_7-a")
    for unfit in ("a" * 65, "two words", "ann@example.com", ""):
        out, inside = name(unfit)
        assert out == inside
        assert out not in {unfit, ""}


def test_the_deadline_is_the_callers(door: ServerProcess) -> None:
    answer = post(door.address, "/v1/recommend", {"user_id": "slow-3000"}, {"x-timeout-ms": "100"})
    assert (answer.status, answer.problem.code) == (504, 4)
    assert "allow more time" in answer.body["message"]
    assert post(door.address, "/v1/recommend", {"user_id": "slow-300"}, {"x-timeout-ms": "20000"}).status == 200


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "5s", "", "1e3", "86400001", "9" * 30, "\uff11"])
def test_a_deadline_that_is_none_is_refused(door: ServerProcess, given: str) -> None:
    connection = connect(door.address)
    connection.putrequest("POST", "/v1/recommend")
    connection.putheader("content-type", "application/json")
    connection.putheader("x-timeout-ms", given.encode())
    connection.putheader("content-length", "2")
    connection.endheaders(b"{}")
    body = json.loads(connection.getresponse().read())
    connection.close()
    assert body["code"] == 3
    assert body["message"].startswith("x-timeout-ms: expected a whole number of milliseconds from 1 to 86400000, got ")


def test_a_full_service_says_when_to_come_again() -> None:
    with ServerProcess.stub(max_calls=1) as server, ServerProcess.door(server.address) as door:
        connection = connect(door.address)

        def ask_slowly() -> None:
            # Whoever comes second is turned away; this one comes again until it is first.
            while ask(connection, "/v1/recommend", {"user_id": "slow-1000"}).status != 200:
                time.sleep(0.01)

        slow = threading.Thread(target=ask_slowly)
        slow.start()
        refused = None
        while slow.is_alive() and refused is None:
            time.sleep(0.05)
            answer = post(door.address, "/v1/recommend", {"user_id": "even"})
            refused = answer if answer.status != 200 else None
        slow.join()
        connection.close()
    assert refused is not None
    assert (refused.status, refused.reason, refused.headers["retry-after"]) == (429, "TOO_MANY_CALLS", "1")
    assert "the server admits 1 calls" in refused.body["message"]


def test_a_full_door_says_when_to_come_again(stub_server: ServerProcess) -> None:
    with ServerProcess.door(stub_server.address, max_calls=1) as door:
        first = connect(door.address)
        # A body that does not come holds its place.
        first.putrequest("POST", "/v1/recommend")
        first.putheader("content-type", "application/json")
        first.putheader("content-length", "20")
        first.endheaders(b'{"user_id":')
        refused = None
        while refused is None:
            answer = post(door.address, "/v1/recommend", {"user_id": "even"})
            refused = answer if answer.status != 200 else None
        first.send(b'  "even"}')
        assert json.loads(first.getresponse().read())["items"]
        first.close()
    assert (refused.status, refused.reason, refused.headers["retry-after"]) == (429, "TOO_MANY_CALLS", "1")
    assert "the door admits 1 calls" in refused.body["message"]


def test_a_response_too_large_for_grpc_is_refused() -> None:
    with ServerProcess.stub(long_ids=True) as server, ServerProcess.door(server.address) as door:
        ask_ = {"user_ids": ["a"] * 30, "template": {"page_size": 500}}
        assert len(post(door.address, "/v1/batch-recommend", ask_).body["rows"]) == 30
        refused = post(door.address, "/v1/batch-recommend", {**ask_, "user_ids": ["a"] * 60})
    assert (refused.status, refused.reason) == (429, "RESPONSE_TOO_LARGE")


def test_nobody_behind_the_door() -> None:
    with ServerProcess.stub() as server, ServerProcess.door(server.address) as door:
        assert get(door.address, "/healthz").body == {"status": "SERVING"}
        server.terminate()
        assert server.wait() == 0
        answer = post(door.address, "/v1/recommend", {"user_id": "even"})
        assert (answer.status, answer.problem.code) == (503, 14)
        assert server.address not in json.dumps(answer.body)
        health = get(door.address, "/healthz")
        assert (health.status, health.body) == (503, {"status": "UNREACHABLE"})


def test_many_callers_at_once_each_get_their_own_answer(door: ServerProcess) -> None:
    def call_on(caller: int) -> None:
        connection = connect(door.address)
        for number in range(25):
            item = f"i{(caller + number) % 40:02}"
            name = f"c{caller}-{number}"
            body = {"user_id": "odd", "item_ids": [item]}
            answer = ask(connection, "/v1/score", body, {"x-request-id": name})
            even = int(item[1:]) % 2 == 0
            expected = (50.0 if even else 100.0) - int(item[1:])
            assert (answer.body["scores"], answer.body["request_id"]) == ([expected], name)
        connection.close()

    with ThreadPoolExecutor(32) as callers:
        assert len(list(callers.map(call_on, range(32)))) == 32


def test_every_unary_method_has_one_url() -> None:
    methods = Descriptors.installed().methods
    paths = [method.path for method in methods if method.path]
    assert len(set(paths)) == len(paths)
    assert {method.name: method.path for method in methods if method.name in PATHS} == PATHS
    for method in methods:
        assert bool(method.path) is not (method.streams_requests or method.streams_responses)
    assert (url_path("RecordEvents"), url_path("GetModel")) == ("/v1/record-events", "/v1/get-model")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"host": ""}, "http.host"),
        ({"port": 65_536}, "http.port"),
        ({"port": -1}, "http.port"),
        ({"connections": 0}, "http.connections"),
        ({"max_calls": 0}, "http.max_calls"),
        ({"timeout_seconds": 0}, "http.timeout_seconds"),
        ({"timeout_seconds": float("nan")}, "http.timeout_seconds"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        HttpConfig(**settings)
    assert caught.value.field == field


def test_a_body_of_the_greatest_size_is_read(door: ServerProcess) -> None:
    asked = json.dumps({"user_id": "even", "page_size": 1}).encode()
    padded = asked + b" " * (limits.MAX_MESSAGE_BYTES - len(asked))
    assert post(door.address, "/v1/recommend", padded).status == 200
    refused = post(door.address, "/v1/recommend", padded + b" ")
    assert (refused.status, refused.problem.code, refused.reason) == (413, 8, "REQUEST_TOO_LARGE")
