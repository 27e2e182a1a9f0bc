"""How often one caller may call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st
from recocore.v1 import recommendation_service_pb2 as v1
from recocore.v1 import recommendation_service_pb2_grpc as stubs
from tests.service.server_process import ServerProcess
from tests.service.small_index import small_index

from recocore.errors import InvalidArgumentError
from recocore.models import Popularity
from recocore.service.convert import encode_problem
from recocore.service.problems import RateLimitedError, problem_of
from recocore.service.rate_limits import LimitsConfig, RateLimiter

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def admitted(limiter: RateLimiter, caller: str) -> bool:
    try:
        limiter.admit(caller)
    except RateLimitedError:
        return False
    return True


def test_without_a_rate_everybody_may_call() -> None:
    limiter = RateLimiter(LimitsConfig())
    assert all(admitted(limiter, "a") for _ in range(10_000))


def test_a_burst_then_the_rate() -> None:
    clock = Clock()
    limiter = RateLimiter(LimitsConfig(rate=2, burst=3), clock)
    assert [admitted(limiter, "a") for _ in range(5)] == [True, True, True, False, False]
    assert admitted(limiter, "b")
    clock.now += 0.5
    assert [admitted(limiter, "a") for _ in range(2)] == [True, False]
    clock.now += 1_000
    assert [admitted(limiter, "a") for _ in range(4)] == [True, True, True, False]


def test_it_says_when_the_call_will_be_taken() -> None:
    clock = Clock()
    limiter = RateLimiter(LimitsConfig(rate=4, burst=1), clock)
    limiter.admit("a")
    clock.now += 0.1
    with pytest.raises(RateLimitedError) as caught:
        limiter.admit("a")
    assert caught.value.retry_after == pytest.approx(0.15)
    clock.now += caught.value.retry_after + 1e-9
    limiter.admit("a")


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 3)), max_size=60),
    st.floats(0.1, 20),
    st.integers(1, 5),
)
def test_no_window_admits_more_than_burst_and_rate(calls: list[tuple[str, float]], rate: float, burst: int) -> None:
    clock = Clock()
    limiter = RateLimiter(LimitsConfig(rate=rate, burst=burst), clock)
    times: dict[str, list[float]] = {"a": [], "b": []}
    for caller, pause in calls:
        clock.now += pause
        if admitted(limiter, caller):
            times[caller].append(clock.now)
    for of_caller in times.values():
        for first, start in enumerate(of_caller):
            for last, end in enumerate(of_caller[first:], 1):
                assert last <= burst + rate * (end - start) + 1e-6


def test_who_has_been_quiet_for_longest_is_forgotten_first() -> None:
    limiter = RateLimiter(LimitsConfig(rate=1, burst=1, callers=2), Clock())
    assert [admitted(limiter, caller) for caller in "abab"] == [True, True, False, False]
    assert admitted(limiter, "c")
    assert not admitted(limiter, "b")
    assert admitted(limiter, "a")


@pytest.mark.parametrize(
    ("metadata", "peer", "given_", "expected"),
    [
        ("", "ipv4:10.0.0.7:5012", (("x-api-key", "k"),), "ipv4:10.0.0.7"),
        ("", "ipv6:%5B::1%5D:5012", (), "ipv6:[::1]"),
        ("", "unix:/run/recocore.sock", (), "unix:/run/recocore.sock"),
        ("x-api-key", "ipv4:10.0.0.7:5012", (("x-other", "o"), ("x-api-key", "k")), "k"),
        ("x-api-key", "ipv4:10.0.0.7:5012", (("x-api-key", ""),), "ipv4:10.0.0.7"),
        ("x-api-key", "ipv4:10.0.0.7:5012", (("x-api-key", "k" * 5_000),), "k" * 128),
    ],
)
def test_who_calls(metadata: str, peer: str, given_: Any, expected: str) -> None:
    assert RateLimiter(LimitsConfig(caller_metadata=metadata)).caller(peer, given_) == expected


def test_the_caller_is_told_in_details() -> None:
    error = RateLimitedError("ipv4:10.0.0.7", 2.5, 0.25)
    status = status_pb2.Status.FromString(encode_problem(problem_of(error), "r1"))
    info, about = error_details_pb2.ErrorInfo(), error_details_pb2.RequestInfo()
    quota, retry = error_details_pb2.QuotaFailure(), error_details_pb2.RetryInfo()
    for packed, kind in zip(status.details, (info, about, quota, retry), strict=True):
        assert packed.Unpack(kind)
    assert (status.code, info.reason) == (8, "RATE_LIMITED")
    assert [violation.subject for violation in quota.violations] == ["ipv4:10.0.0.7"]
    assert retry.retry_delay.ToNanoseconds() == 250_000_000
    assert status.message == "this caller may make 2.5 calls a second; retry in 0.250 s"


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"rate": -1}, "limits.rate"),
        ({"rate": float("nan")}, "limits.rate"),
        ({"burst": -1}, "limits.burst"),
        ({"callers": 0}, "limits.callers"),
        ({"caller_metadata": "X-Key"}, "limits.caller_metadata"),
        ({"caller_metadata": "key-bin"}, "limits.caller_metadata"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        LimitsConfig(**settings)
    assert caught.value.field == field


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "index"
    small_index(Popularity()).save(path)
    return path


def limited(path: Path, limits: str) -> ServerProcess:
    """A server whose callers have limits."""
    return ServerProcess.code(
        "from recocore.service import serve\n"
        "from recocore.service.rate_limits import LimitsConfig\n"
        f"serve({str(path)!r}, port=0, limits=LimitsConfig({limits}))"
    )


def test_a_server_turns_away_who_calls_too_often_and_nobody_else(saved: Path) -> None:
    request = v1.RecommendRequest(user_id="user-00")
    with (
        limited(saved, "rate=0.001, burst=2, caller_metadata='x-api-key'") as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = stubs.RecommendationServiceStub(channel)
        for key in ("greedy", "other"):
            for _ in range(2):
                assert stub.Recommend(request, metadata=(("x-api-key", key),), timeout=20).items
            with pytest.raises(grpc.RpcError) as refused:
                stub.Recommend(request, metadata=(("x-api-key", key),), timeout=20)
            assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "this caller may make 0.001 calls a second" in str(refused.value.details())
        # Without a name it is the peer's address that counts.
        assert stub.Recommend(request, timeout=20).items
        ended = [record["reason"] for record in server.events("call")]
    assert ended == ["RATE_LIMITED", "RATE_LIMITED"]


def test_a_stream_that_is_too_fast_waits(saved: Path) -> None:
    requests = [
        v1.StreamRecommendRequest(user_ids=["user-00"], template=v1.RecommendRequest(page_size=2)),
        *(v1.StreamRecommendRequest(user_ids=[f"user-{number:02}"]) for number in range(1, 4)),
    ]
    with limited(saved, "rate=20, burst=1") as server, grpc.insecure_channel(server.address) as channel:
        answers = list(stubs.RecommendationServiceStub(channel).StreamRecommend(iter(requests), timeout=20))
    assert len(answers) == 4
