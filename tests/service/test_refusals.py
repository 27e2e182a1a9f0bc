"""Every way in which a call can be refused: the status, the reason, the fields, and what the caller does not learn."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from recocore.v1 import recommendation_service_pb2 as v1
from tests.service.server_process import ServerProcess

from recocore.client import Client, ServiceError
from recocore.service import convert, limits
from recocore.service.convert.errors import status_of
from recocore.service.problems import Problem, Violation

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICE = "/recocore.v1.RecommendationService/"
METHODS = ("Recommend", "SimilarItems", "Score", "BatchRecommend")


def call_raw(
    channel: grpc.Channel, method: str, data: bytes, timeout: float = 10, metadata: Any = None
) -> tuple[str, str, bytes | None]:
    """The status, its message and its details, or OK with the response."""
    stub: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(SERVICE + method)
    try:
        return "OK", "", stub(data, timeout=timeout, metadata=metadata)
    except grpc.RpcError as error:
        call: Any = error
        details = dict(call.trailing_metadata()).get("grpc-status-details-bin")
        return call.code().name, call.details(), details


def fail(function: Callable[[], object]) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        function()
    return caught.value


LONG = "x" * (limits.MAX_ID_BYTES + 1)


@pytest.mark.parametrize(
    ("method", "request_", "field", "description"),
    [
        ("Recommend", v1.RecommendRequest(), "user_id", "expected an id, got an empty string"),
        ("Recommend", v1.RecommendRequest(user_id=LONG), "user_id", "expected an id of at most 256 bytes, got 257"),
        ("Recommend", v1.RecommendRequest(user_id="a", page_size=-1), "page_size", "expected at least 0, got -1"),
        (
            "Recommend",
            v1.RecommendRequest(user_id="a", exclude_item_ids=["x"] * 10_001),
            "exclude_item_ids",
            "expected 0 to 10000 ids, got 10001",
        ),
        (
            "Recommend",
            v1.RecommendRequest(user_id="a", candidate_item_ids=["x"] * 10_001),
            "candidate_item_ids",
            "expected 0 to 10000 ids, got 10001",
        ),
        (
            "Recommend",
            v1.RecommendRequest(user_id="a", candidate_item_ids=["x", "y", ""]),
            "candidate_item_ids[2]",
            "expected an id, got an empty string",
        ),
        (
            "Recommend",
            v1.RecommendRequest.FromString(b"\x0a\x01a\x28\x11"),
            "seen_policy",
            "expected a value of SeenPolicy, got 17",
        ),
        (
            "Recommend",
            v1.RecommendRequest.FromString(b"\x0a\x01a\x30\x11"),
            "fallback",
            "expected a value of Fallback, got 17",
        ),
        ("SimilarItems", v1.SimilarItemsRequest(), "item_ids", "expected 1 to 100 ids, got 0"),
        (
            "SimilarItems",
            v1.SimilarItemsRequest(item_ids=["x"] * 101),
            "item_ids",
            "expected 1 to 100 ids, got 101",
        ),
        (
            "SimilarItems",
            v1.SimilarItemsRequest(item_ids=["x"], page_size=-(2**31)),
            "page_size",
            "expected at least 0, got -2147483648",
        ),
        (
            "SimilarItems",
            v1.SimilarItemsRequest(item_ids=["x"], exclude_item_ids=[LONG]),
            "exclude_item_ids[0]",
            "expected an id of at most 256 bytes, got 257",
        ),
        ("Score", v1.ScoreRequest(item_ids=["x"]), "user_id", "expected an id, got an empty string"),
        ("Score", v1.ScoreRequest(user_id="a"), "item_ids", "expected 1 to 10000 ids, got 0"),
        (
            "Score",
            v1.ScoreRequest(user_id="a", item_ids=["x"] * 10_001),
            "item_ids",
            "expected 1 to 10000 ids, got 10001",
        ),
        ("BatchRecommend", v1.BatchRecommendRequest(), "user_ids", "expected 1 to 1000 ids, got 0"),
        (
            "BatchRecommend",
            v1.BatchRecommendRequest(user_ids=["x"] * 1_001),
            "user_ids",
            "expected 1 to 1000 ids, got 1001",
        ),
        (
            "BatchRecommend",
            v1.BatchRecommendRequest(user_ids=["x"], template=v1.RecommendRequest(user_id="a")),
            "template.user_id",
            "expected an empty string: the users are in user_ids",
        ),
        (
            "BatchRecommend",
            v1.BatchRecommendRequest(user_ids=["x"], template=v1.RecommendRequest(page_size=-1)),
            "template.page_size",
            "expected at least 0, got -1",
        ),
        (
            "BatchRecommend",
            v1.BatchRecommendRequest(user_ids=["x"], template=v1.RecommendRequest(exclude_item_ids=[""])),
            "template.exclude_item_ids[0]",
            "expected an id, got an empty string",
        ),
    ],
)
def test_a_field_over_its_limit_is_named(
    channel: grpc.Channel, method: str, request_: Any, field: str, description: str
) -> None:
    code, message, details = call_raw(channel, method, request_.SerializeToString())
    assert code == "INVALID_ARGUMENT"
    assert message == f"{field}: {description}"
    status = status_pb2.Status.FromString(details or b"")
    assert (status.code, status.message) == (3, message)
    info, request_info, bad = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.RequestInfo(),
        error_details_pb2.BadRequest(),
    )
    for packed, kind in zip(status.details, (info, request_info, bad), strict=True):
        assert packed.Unpack(kind)
    assert (info.reason, info.domain) == ("INVALID_ARGUMENT", "recocore")
    assert request_info.request_id
    assert [(violation.field, violation.description) for violation in bad.field_violations] == [(field, description)]


def test_every_bad_field_is_named_at_once(client: Client) -> None:
    error = fail(lambda: client.recommend("", -5, exclude_item_ids=[""]))
    assert [violation.field for violation in error.violations] == ["user_id", "exclude_item_ids[0]", "page_size"]
    assert "(and 2 more)" in error.message


def test_very_many_bad_fields_still_fit_into_headers(client: Client) -> None:
    error = fail(lambda: client.recommend("😀" * 65, candidate_item_ids=["😀" * 65] * 10_000))
    assert (error.status, len(error.violations)) == ("INVALID_ARGUMENT", 12)


@pytest.mark.parametrize("method", METHODS)
def test_bytes_that_are_no_message_are_refused(channel: grpc.Channel, method: str) -> None:
    code, message, details = call_raw(channel, method, b"\xff\xff\xff")
    assert (code, message) == ("INVALID_ARGUMENT", f"the request is not a recocore.v1.{method}Request")
    status = status_pb2.Status.FromString(details or b"")
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.reason == "MALFORMED_REQUEST"


def test_text_that_is_not_utf8_is_refused(channel: grpc.Channel) -> None:
    assert call_raw(channel, "Recommend", b"\x0a\x02\xc3\x28")[0] == "INVALID_ARGUMENT"


def test_an_unknown_user_has_no_scores(client: Client) -> None:
    error = fail(lambda: client.score("nobody", ["i00"]))
    assert (error.status, error.reason, error.violations) == ("NOT_FOUND", "NOT_FOUND", ())


def test_unknown_seeds_have_no_similar_items(client: Client) -> None:
    error = fail(lambda: client.similar_items(["nix", "nax"]))
    assert (error.status, error.reason) == ("NOT_FOUND", "NOT_FOUND")
    assert "at least one item that the model knows, got 2 unknown" in error.message


@pytest.mark.parametrize(
    ("user", "status", "reason", "told"),
    [
        ("no-memory", "RESOURCE_EXHAUSTED", "OUT_OF_MEMORY", True),
        ("unsupported", "UNIMPLEMENTED", "UNSUPPORTED", True),
        ("corrupt", "DATA_LOSS", "CORRUPT", False),
        ("boom", "INTERNAL", "INTERNAL", False),
    ],
)
def test_errors_of_the_index_keep_their_status(client: Client, user: str, status: str, reason: str, told: bool) -> None:
    for call in (lambda: client.recommend(user), lambda: client.score(user, ["i00"])):
        error = fail(call)
        assert (error.status, error.reason) == (status, reason)
        assert error.retry_after is None
        assert ("the server failed" not in error.message) is told
        assert "secret" not in str(error)


def test_a_defect_is_logged_under_the_request_id_without_ids_of_people() -> None:
    with ServerProcess.stub() as server, Client(server.address, timeout=10) as client:
        client.recommend("even")
        failed = fail(lambda: client.recommend("boom"))
        fail(lambda: client.score("nobody-at-all", ["i00"]))
        server.terminate()
        assert server.wait() == 0
        records = {record.get("request_id"): record for record in server.records()}
        text = server.log()
    record = records[failed.request_id]
    assert (record["level"], record["status"], record["method"]) == ("error", "INTERNAL", "Recommend")
    assert record["error"][0]["type"] == "builtins.RuntimeError"
    assert record["error"][0]["frames"][-1].endswith("_misbehave")
    assert all(word not in text for word in ("boom", "secret", "nobody-at-all"))
    # The same key gives the same pseudonym: HMAC-SHA256("key", "even"), 64 bits.
    assert json.dumps("20dec68ec0cbe046") in text


def test_a_placement_stands_in_the_log_line_of_a_call() -> None:
    with ServerProcess.stub() as server, Client(server.address, timeout=10) as client:
        client.recommend("even", placement="home")
        client.similar_items(["i00"], placement="basket")
        client.recommend("even")
        server.terminate()
        assert server.wait() == 0
        calls = [(record["method"], record["placement"]) for record in server.events("call")]
    assert calls == [("Recommend", "home"), ("SimilarItems", "basket"), ("Recommend", None)]


def test_a_request_over_four_mebibytes_is_refused_unread(channel: grpc.Channel) -> None:
    code, message, details = call_raw(channel, "Recommend", b"\x0a" + b"\x00" * limits.MAX_MESSAGE_BYTES)
    assert (code, details) == ("RESOURCE_EXHAUSTED", None)
    assert "larger than max" in message


def test_a_response_over_four_mebibytes_is_refused() -> None:
    with ServerProcess.stub(long_ids=True) as server, Client(server.address, timeout=30) as client:
        assert len(client.batch_recommend(["a"] * 30, 500)) == 30
        error = fail(lambda: client.batch_recommend(["a"] * 60, 500))
    assert (error.status, error.reason, error.retry_after) == ("RESOURCE_EXHAUSTED", "RESPONSE_TOO_LARGE", None)
    assert "at most 4194304 are sent; ask for fewer items or users" in error.message


def test_the_caller_may_name_its_call(channel: grpc.Channel) -> None:
    request = v1.RecommendRequest(user_id="even").SerializeToString()

    def request_id(given: str) -> str:
        response = call_raw(channel, "Recommend", request, metadata=(("x-request-id", given),))[2]
        return v1.RecommendResponse.FromString(response or b"").request_id

    assert request_id("Order_7-a") == "Order_7-a"
    assert request_id("a" * 64) == "a" * 64
    for unfit in ("a" * 65, "two words", "ann@example.com", ""):
        assert request_id(unfit) not in {unfit, ""}


def test_a_method_that_is_not_there_is_unimplemented(channel: grpc.Channel) -> None:
    assert call_raw(channel, "Forget", b"")[0] == "UNIMPLEMENTED"


@pytest.mark.parametrize("id_", ["r", "x" * limits.MAX_REQUEST_ID_CHARS])
@pytest.mark.parametrize(
    "problem",
    [
        Problem("UNAVAILABLE", "STOPPING", "stopped"),
        Problem("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS", "é" * 100, retry_after=0.05),
        Problem("RESOURCE_EXHAUSTED", "RATE_LIMITED", "slowly", retry_after=1.5, quota=(Violation("ann", "too fast"),)),
        Problem("INVALID_ARGUMENT", "INVALID_ARGUMENT", "bad", (Violation("user_id", "expected one"),)),
    ],
)
def test_a_problem_in_bytes_is_the_message(problem: Problem, id_: str) -> None:
    for _ in range(2):
        assert status_pb2.Status.FromString(convert.encode_problem(problem, id_)) == status_of(problem, id_)
