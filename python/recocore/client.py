"""A client of RecommendationService: deadlines, retries, typed results. Needs no native code.

Example:
    from recocore.client import Client

    with Client("127.0.0.1:50051") as client:
        for item in client.recommend("ann", page_size=5, explain=True).items:
            print(item.item_id, item.score, item.reasons)
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from recocore.errors import InvalidArgumentError, RecocoreError
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1
from recocore.v1 import recommendation_service_pb2_grpc as stubs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

SeenPolicy = Literal["exclude", "include"]
Fallback = Literal["popular", "none"]
Source = Literal["model", "popular"]

_SEEN_POLICY = {"exclude": shared.SEEN_POLICY_EXCLUDE, "include": shared.SEEN_POLICY_INCLUDE}
_FALLBACK = {"popular": shared.FALLBACK_POPULAR, "none": shared.FALLBACK_NONE}

_DETAILS_KEY = "grpc-status-details-bin"
_REQUEST_ID_KEY = "x-request-id"
_SERVICE = v1.DESCRIPTOR.services_by_name["RecommendationService"].full_name

_FIRST_BACKOFF_SECONDS = 0.05
_LONGEST_BACKOFF_SECONDS = 1.0
# gRPC takes an infinite or huge time for none at all.
_LONGEST_TIMEOUT_SECONDS = 86_400
# A server that restarts is found again in a fraction of gRPC's own second.
_OPTIONS = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 5_000))


@dataclass(frozen=True, slots=True)
class Reason:
    """One of the user's own items that pulled an item up, and its share of the score."""

    item_id: str
    weight: float


@dataclass(frozen=True, slots=True)
class Item:
    """One ranked item; `source` says which ranking it came from."""

    item_id: str
    score: float
    source: Source
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Recommendations:
    """Ranked items for one user, best first.

    Attributes:
        items: at most as many as asked for.
        served_model: the version of the model that ranked.
        fallback_used: "popular" where some items are the fallback's.
        attribution_token: send it back with the events that follow from showing the items.
        missing_ids: ids of the request that the model does not know.
        request_id: names the call in the server's log.
    """

    items: tuple[Item, ...]
    served_model: str
    fallback_used: Fallback
    attribution_token: str
    missing_ids: tuple[str, ...]
    request_id: str


@dataclass(frozen=True, slots=True)
class SimilarItems:
    """Items like the seeds, best first; the other fields as in Recommendations."""

    items: tuple[Item, ...]
    served_model: str
    attribution_token: str
    missing_ids: tuple[str, ...]
    request_id: str


@dataclass(frozen=True, slots=True)
class Scores:
    """The score of each known item, in request order; the other fields as in Recommendations."""

    scores: dict[str, float]
    missing_ids: tuple[str, ...]
    served_model: str
    request_id: str


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One user's row: its ranking, or why it has none."""

    user_id: str
    result: Recommendations | ServiceError


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with one field of a request, by its path in the proto."""

    field: str
    description: str


class ServiceError(RecocoreError):
    """A call failed.

    Attributes:
        status: name of the gRPC status, such as "UNAVAILABLE".
        reason: the server's own name for it, such as "TOO_MANY_CALLS"; empty where the server was not reached.
        message: what the server said.
        violations: the fields at fault.
        request_id: names the call in the server's log.
        retry_after: seconds after which the server would take the call; None where it did not say.
    """

    def __init__(
        self,
        status: str,
        message: str,
        *,
        reason: str = "",
        violations: tuple[Violation, ...] = (),
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status}: {message} (request {request_id})" if request_id else f"{status}: {message}")
        self.status = status
        self.message = message
        self.reason = reason
        self.violations = violations
        self.request_id = request_id
        self.retry_after = retry_after


class ClientClosedError(ServiceError):
    """The client was closed, before the call or during it."""

    def __init__(self) -> None:
        super().__init__("CANCELLED", "this client is closed; make a new one")


class Client:
    """One channel to a service; safe to share between threads. Close it, or use it in a `with` block.

    Args:
        target: `host:port`, or any target that gRPC resolves.
        timeout: seconds that a call may take with all its retries, at most 86,400, unless the call says otherwise.
        retries: how often a call is tried again within its time, after UNAVAILABLE and after CANCELLED that this client
            did not cause (exponential backoff with jitter), and where the server names a delay.
        credentials: TLS credentials; None for plain text.
        options: further gRPC channel options.

    Every method raises ServiceError where the call fails (ClientClosedError after `close`) and InvalidArgumentError for
    an argument that cannot be sent.
    """

    def __init__(
        self,
        target: str,
        *,
        timeout: float = 1.0,
        retries: int = 3,
        credentials: grpc.ChannelCredentials | None = None,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        target = _target(target)
        self._timeout = _seconds(timeout)
        self._retries = _count(retries)
        merged = (*_OPTIONS, *options)
        if credentials is None:
            self._channel = grpc.insecure_channel(target, options=merged)
        else:
            self._channel = grpc.secure_channel(target, credentials, options=merged)
        self._stub = stubs.RecommendationServiceStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)
        self._closed = threading.Event()

    def recommend(
        self,
        user_id: str,
        page_size: int = 10,
        *,
        exclude_item_ids: Iterable[str] = (),
        candidate_item_ids: Iterable[str] = (),
        seen_policy: SeenPolicy = "exclude",
        fallback: Fallback = "popular",
        explain: bool = False,
        timeout: float | None = None,
    ) -> Recommendations:
        """The best items for a user; the limits of each argument stand in recommendation_service.proto."""
        template = _template(page_size, exclude_item_ids, candidate_item_ids, seen_policy, fallback, explain)
        request = _message(v1.RecommendRequest, {**template, "user_id": _id(user_id, "user_id")})
        return _recommendations(self._call(self._stub.Recommend, request, timeout))

    def similar_items(
        self,
        item_ids: Iterable[str],
        page_size: int = 10,
        *,
        exclude_item_ids: Iterable[str] = (),
        candidate_item_ids: Iterable[str] = (),
        timeout: float | None = None,
    ) -> SimilarItems:
        """The items most like one or several others."""
        fields = {
            "item_ids": _ids(item_ids, "item_ids"),
            "page_size": page_size,
            "exclude_item_ids": _ids(exclude_item_ids, "exclude_item_ids"),
            "candidate_item_ids": _ids(candidate_item_ids, "candidate_item_ids"),
        }
        response = self._call(self._stub.SimilarItems, _message(v1.SimilarItemsRequest, fields), timeout)
        return SimilarItems(
            items=_items(response.items),
            served_model=response.served_model,
            attribution_token=response.attribution_token,
            missing_ids=tuple(response.missing_ids),
            request_id=response.request_id,
        )

    def score(self, user_id: str, item_ids: Iterable[str], *, timeout: float | None = None) -> Scores:
        """The scores of a user with given items."""
        wanted = _ids(item_ids, "item_ids")
        request = _message(v1.ScoreRequest, {"user_id": _id(user_id, "user_id"), "item_ids": wanted})
        response = self._call(self._stub.Score, request, timeout)
        missing = frozenset(response.missing_ids)
        known = (item_id for item_id in wanted if item_id not in missing)
        return Scores(
            scores=dict(zip(known, response.scores, strict=True)),
            missing_ids=tuple(response.missing_ids),
            served_model=response.served_model,
            request_id=response.request_id,
        )

    def batch_recommend(
        self,
        user_ids: Iterable[str],
        page_size: int = 10,
        *,
        exclude_item_ids: Iterable[str] = (),
        candidate_item_ids: Iterable[str] = (),
        seen_policy: SeenPolicy = "exclude",
        fallback: Fallback = "popular",
        explain: bool = False,
        timeout: float | None = None,
    ) -> tuple[BatchRow, ...]:
        """The best items for each of many users, a row each in the order given."""
        template = _template(page_size, exclude_item_ids, candidate_item_ids, seen_policy, fallback, explain)
        fields = {"user_ids": _ids(user_ids, "user_ids"), "template": _message(v1.RecommendRequest, template)}
        response = self._call(self._stub.BatchRecommend, _message(v1.BatchRecommendRequest, fields), timeout)
        return tuple(
            BatchRow(
                row.user_id,
                _recommendations(row.response)
                if row.WhichOneof("result") == "response"
                else _service_error(row.error, response.request_id),
            )
            for row in response.rows
        )

    def health(self, *, timeout: float | None = None) -> str:
        """The service's state by its name in grpc.health.v1: SERVING or NOT_SERVING."""
        request = health_pb2.HealthCheckRequest(service=_SERVICE)
        response = self._call(self._health.Check, request, timeout)
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(response.status))

    def wait_until_ready(self, timeout: float = 10.0) -> None:
        """Return as soon as the service says SERVING; ServiceError with DEADLINE_EXCEEDED if it does not in time."""
        deadline = time.monotonic() + _seconds(timeout)
        last = "nobody answered"
        while (left := deadline - time.monotonic()) > 0:
            try:
                state = self.health(timeout=left)
            except ClientClosedError:
                raise
            except ServiceError as error:
                last = str(error)
            else:
                if state == "SERVING":
                    return
                last = f"its health is {state}"
            time.sleep(max(0.0, min(_FIRST_BACKOFF_SECONDS, deadline - time.monotonic())))
        raise ServiceError("DEADLINE_EXCEEDED", f"the service was not ready within {timeout} s: {last}")

    def close(self) -> None:
        """Close the channel; calls in flight end with ClientClosedError."""
        self._closed.set()
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, method: _Method[_Request, _Response], request: _Request, timeout: float | None) -> _Response:
        deadline = time.monotonic() + (self._timeout if timeout is None else _seconds(timeout))
        # One id for all tries: they are one call in the server's log.
        request_id = uuid.uuid4().hex
        attempt = 0
        while True:
            if self._closed.is_set():
                raise ClientClosedError
            left = max(deadline - time.monotonic(), 0.0)
            try:
                return method(request, timeout=left, metadata=((_REQUEST_ID_KEY, request_id),))
            except ValueError as error:
                # gRPC's word for a channel that another thread has just closed.
                if self._closed.is_set():
                    raise ClientClosedError from error
                raise
            except grpc.RpcError as error:
                if self._closed.is_set():
                    raise ClientClosedError from error
                failure = _failure(error, request_id)
                delay = _delay(failure, attempt)
                if delay is None or attempt >= self._retries or time.monotonic() + delay >= deadline:
                    raise failure from error
            attempt += 1
            time.sleep(delay)


_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response", bound=Message)
_Request_contra = TypeVar("_Request_contra", bound=Message, contravariant=True)
_Response_co = TypeVar("_Response_co", bound=Message, covariant=True)


class _Method(Protocol[_Request_contra, _Response_co]):
    def __call__(
        self, request: _Request_contra, *, timeout: float | None, metadata: tuple[tuple[str, str], ...]
    ) -> _Response_co: ...


def _delay(failure: ServiceError, attempt: int) -> float | None:
    """Seconds to wait before the next try; None where there should be none. Jitter keeps clients out of step."""
    if failure.retry_after is not None:
        return failure.retry_after * random.uniform(1.0, 1.5)
    # A server that stops may drop a call with CANCELLED; every call only reads, so it may be sent again.
    if failure.status in {"UNAVAILABLE", "CANCELLED"}:
        backoff: float = min(_FIRST_BACKOFF_SECONDS * 2**attempt, _LONGEST_BACKOFF_SECONDS)
        return backoff * random.uniform(0.5, 1.0)
    return None


def _failure(error: grpc.RpcError, request_id: str) -> ServiceError:
    # What a stub raises is a Call too; the stubs have no type for both.
    call: Any = error
    for key, value in call.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return _service_error(status_pb2.Status.FromString(value), request_id)
            except DecodeError:
                break
    return ServiceError(call.code().name, call.details() or "", request_id=request_id)


def _service_error(status: status_pb2.Status, request_id: str) -> ServiceError:
    info, about, bad = error_details_pb2.ErrorInfo(), error_details_pb2.RequestInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    has_retry = False
    for detail in status.details:
        for kind in (info, about, bad):
            detail.Unpack(kind)
        has_retry = detail.Unpack(retry) or has_retry
    return ServiceError(
        _STATUS_NAME.get(status.code, "UNKNOWN"),
        status.message,
        reason=info.reason,
        violations=tuple(Violation(violation.field, violation.description) for violation in bad.field_violations),
        request_id=about.request_id or request_id,
        retry_after=retry.retry_delay.ToNanoseconds() / 1e9 if has_retry else None,
    )


_STATUS_NAME = {code.value[0]: code.name for code in grpc.StatusCode}


def _template(
    page_size: int, exclude: Iterable[str], candidates: Iterable[str], seen_policy: str, fallback: str, explain: bool
) -> dict[str, Any]:
    return {
        "page_size": page_size,
        "exclude_item_ids": _ids(exclude, "exclude_item_ids"),
        "candidate_item_ids": _ids(candidates, "candidate_item_ids"),
        "seen_policy": _choice(_SEEN_POLICY, seen_policy, "seen_policy"),
        "fallback": _choice(_FALLBACK, fallback, "fallback"),
        "explain": explain,
    }


def _message(kind: type[_Request], fields: dict[str, Any]) -> _Request:
    try:
        return kind(**fields)
    except (TypeError, ValueError) as error:
        shown = {name: value for name, value in fields.items() if not isinstance(value, (list, Message))}
        raise InvalidArgumentError(f"an argument cannot be sent: {error}; got {shown}") from error


def _ids(ids: Iterable[str], field: str) -> list[str]:
    if isinstance(ids, (str, bytes)):
        raise InvalidArgumentError(f"{field}: expected several ids, got one: {ids!r}; put it in a list", field=field)
    if ids is None:
        raise InvalidArgumentError(f"{field}: expected several ids, got None; leave it out or pass ()", field=field)
    return [_id(id_, field) for id_ in ids]


def _id(id_: Any, field: str) -> str:
    if not isinstance(id_, str):
        raise InvalidArgumentError(f"{field}: ids are strings here, got {id_!r}; pass str(id)", field=field)
    return id_


def _choice(values: dict[str, Any], name: str, field: str) -> Any:
    if name not in values:
        raise InvalidArgumentError(f"{field}: expected one of {', '.join(values)}, got {name!r}", field=field)
    return values[name]


def _target(target: Any) -> str:
    if not isinstance(target, str) or not target:
        raise InvalidArgumentError(f"target must be a string such as 127.0.0.1:50051, got {target!r}", field="target")
    return target


def _count(retries: Any) -> int:
    if not isinstance(retries, int) or retries < 0:
        raise InvalidArgumentError(f"retries must be a whole number, at least 0, got {retries!r}", field="retries")
    return retries


def _seconds(timeout: Any) -> float:
    if not isinstance(timeout, int | float) or not 0 < timeout <= _LONGEST_TIMEOUT_SECONDS:
        raise InvalidArgumentError(
            f"timeout must be more than 0 and at most {_LONGEST_TIMEOUT_SECONDS} seconds, got {timeout!r}",
            field="timeout",
        )
    return float(timeout)


def _recommendations(response: v1.RecommendResponse) -> Recommendations:
    return Recommendations(
        items=_items(response.items),
        served_model=response.served_model,
        fallback_used="popular" if response.fallback_used == shared.FALLBACK_POPULAR else "none",
        attribution_token=response.attribution_token,
        missing_ids=tuple(response.missing_ids),
        request_id=response.request_id,
    )


def _items(items: Iterable[shared.ScoredItem]) -> tuple[Item, ...]:
    return tuple(
        Item(
            item_id=item.item_id,
            score=item.score,
            source="popular" if item.source == shared.SOURCE_POPULAR else "model",
            reasons=tuple(Reason(reason.item_id, reason.weight) for reason in item.reasons),
        )
        for item in items
    )
