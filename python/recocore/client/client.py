"""The client: one channel, its calls with deadlines and retries."""

from __future__ import annotations

import contextlib
import random
import threading
import time
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from recocore.client import results
from recocore.client.arguments import RANKING, SIMILAR, ids, message, one_id, ranking_fields
from recocore.client.credentials import CallCredentials, channel_credentials, check_way, with_name
from recocore.client.errors import ClientClosedError, ServiceError, failure
from recocore.client.events import (
    consents,
    event_message,
    exported,
    forgotten,
    purpose_number,
    record_request,
    recorded,
)
from recocore.client.fraud_calls import FraudCalls
from recocore.client.profiles import ProfileCalls
from recocore.client.streaming import UserStream
from recocore.errors import InvalidArgumentError
from recocore.v1 import event_service_pb2_grpc as event_stubs
from recocore.v1 import privacy_service_pb2 as privacy
from recocore.v1 import privacy_service_pb2_grpc as privacy_stubs
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1
from recocore.v1 import recommendation_service_pb2_grpc as stubs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import Unpack

    from recocore.client.arguments import RankingOptions, SimilarOptions
    from recocore.client.credentials import Pem, Secret
    from recocore.client.events import Consent, Durability, Event, Forgotten, Purpose, Recorded, UserExport
    from recocore.client.results import BatchRow, Recommendations, Scores, SimilarItems
    from recocore.client.streaming import OpenStream
    from recocore.v1 import event_pb2 as event

_REQUEST_ID_KEY = "x-request-id"
_SERVICE = v1.DESCRIPTOR.services_by_name["RecommendationService"].full_name

_FIRST_BACKOFF_SECONDS = 0.05
_LONGEST_BACKOFF_SECONDS = 1.0
# gRPC takes an infinite or huge time for none at all.
_LONGEST_TIMEOUT_SECONDS = 86_400
# A server that restarts is found again in a fraction of gRPC's own second.
_OPTIONS = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 5_000))


class Client(FraudCalls):
    """One channel to a service; safe to share between threads. Close it, or use it in a `with` block.

    Args:
        target: `host:port`, or any target that gRPC resolves.
        timeout: seconds that a call may take with all its retries, at most 86,400, unless the call says otherwise.
        retries: how often a call is tried again within its time, after UNAVAILABLE and after CANCELLED that this client
            did not cause (exponential backoff with jitter), and where the server names a delay.
        ca: authorities that may have signed the service's certificate: PEM, or the path of a file; None for plain text.
        certificate: the client's own certificate, where the service asks for one: PEM, or the path of a file.
        key: its private key, likewise.
        server_name: a name that the service's certificate has, where it lacks the target's.
        token: a bearer token, or a function that gives one before each call.
        api_key: an API key, or a function that gives one before each call.
        credentials: TLS credentials made elsewhere, instead of `ca`, `certificate` and `key`.
        options: further gRPC channel options.

    A token or an API key is sent over TLS or to this machine alone: any other plain-text target is refused.

    Every method raises ServiceError where the call fails (ClientClosedError after `close`) and InvalidArgumentError for
    an argument that cannot be sent.

    Attributes:
        profiles: the calls of ProfileService.
    """

    def __init__(
        self,
        target: str,
        *,
        timeout: float = 1.0,
        retries: int = 3,
        ca: Pem | None = None,
        certificate: Pem | None = None,
        key: Pem | None = None,
        server_name: str | None = None,
        token: Secret | None = None,
        api_key: Secret | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        target = _target(target)
        self._timeout = _seconds(timeout)
        self._retries = _count(retries)
        merged = with_name((*_OPTIONS, *options), server_name)
        credentials = credentials or channel_credentials(ca, certificate, key)
        self._credentials = CallCredentials(token, api_key)
        check_way(target, self._credentials, is_encrypted=credentials is not None)
        if credentials is None:
            self._channel = grpc.insecure_channel(target, options=merged)
        else:
            self._channel = grpc.secure_channel(target, credentials, options=merged)
        super().__init__(self._channel)
        self._stub = stubs.RecommendationServiceStub(self._channel)
        self._events = event_stubs.EventServiceStub(self._channel)
        self._privacy = privacy_stubs.PrivacyServiceStub(self._channel)
        self.profiles = ProfileCalls(self._channel, self._call)
        self._health = health_pb2_grpc.HealthStub(self._channel)
        self._closed = threading.Event()

    def recommend(
        self,
        user_id: str,
        page_size: int = 10,
        *,
        page_token: str = "",
        min_commit_token: str = "",
        timeout: float | None = None,
        **options: Unpack[RankingOptions],
    ) -> Recommendations:
        """The best items for a user; the limits of each argument stand in recommendation_service.proto.

        Args:
            user_id: whom for.
            page_size: how many items.
            page_token: the `next_page_token` of the answer before, to a call with the same arguments.
            min_commit_token: the `commit_token` of an earlier call, which the answer is to know of.
            timeout: seconds for this call.
            options: see RankingOptions.
        """
        fields = ranking_fields(page_size, options, RANKING)
        fields |= {"user_id": one_id(user_id, "user_id"), "page_token": page_token}
        fields |= {"min_commit_token": min_commit_token}
        response = self._call(self._stub.Recommend, message(v1.RecommendRequest, fields), timeout)
        return results.recommendations(response)

    def recommend_pages(
        self, user_id: str, page_size: int = 100, *, timeout: float | None = None, **options: Unpack[RankingOptions]
    ) -> Iterator[Recommendations]:
        """The pages of a user's list, one call each as they are asked for, all of the same model.

        Args:
            user_id: whom for.
            page_size: items of a page.
            timeout: seconds for each call.
            options: see RankingOptions.
        """
        token = ""
        while True:
            page = self.recommend(user_id, page_size, page_token=token, timeout=timeout, **options)
            yield page
            token = page.next_page_token
            if not token:
                return

    def similar_items(
        self,
        item_ids: Iterable[str],
        page_size: int = 10,
        *,
        negative_item_ids: Iterable[str] = (),
        page_token: str = "",
        timeout: float | None = None,
        **options: Unpack[SimilarOptions],
    ) -> SimilarItems:
        """The items most like one or several others, and least like the negatives; options: see SimilarOptions."""
        fields = ranking_fields(page_size, options, SIMILAR)
        fields |= {
            "item_ids": ids(item_ids, "item_ids"),
            "negative_item_ids": ids(negative_item_ids, "negative_item_ids"),
            "page_token": page_token,
        }
        response = self._call(self._stub.SimilarItems, message(v1.SimilarItemsRequest, fields), timeout)
        return results.similar_items(response)

    def score(
        self,
        user_id: str,
        item_ids: Iterable[str],
        *,
        explain: bool = False,
        packed: bool = False,
        timeout: float | None = None,
    ) -> Scores:
        """The scores of a user with given items; `packed` lets them travel as an array, without reasons."""
        wanted = ids(item_ids, "item_ids")
        fields = {"user_id": one_id(user_id, "user_id"), "item_ids": wanted, "explain": explain}
        if packed:
            fields["output_format"] = shared.OUTPUT_FORMAT_PACKED
        response = self._call(self._stub.Score, message(v1.ScoreRequest, fields), timeout)
        return results.scores(response, wanted)

    def batch_recommend(
        self,
        user_ids: Iterable[str],
        page_size: int = 10,
        *,
        timeout: float | None = None,
        **options: Unpack[RankingOptions],
    ) -> tuple[BatchRow, ...]:
        """The best items for each of up to 1,000 users, a row each in the order given; options: see RankingOptions."""
        template = message(v1.RecommendRequest, ranking_fields(page_size, options, RANKING))
        fields = {"user_ids": ids(user_ids, "user_ids"), "template": template}
        response = self._call(self._stub.BatchRecommend, message(v1.BatchRecommendRequest, fields), timeout)
        return results.batch_rows(response.rows, response.request_id)

    def recommend_stream(
        self,
        user_ids: Iterable[str],
        page_size: int = 10,
        *,
        timeout: float = 3_600.0,
        **options: Unpack[RankingOptions],
    ) -> Iterator[BatchRow]:
        """The best items for each of any number of users, a row each in the order given, as they come.

        Users are taken from `user_ids` as answers are read, a few hundred ahead, on another thread. A stream that breaks is
        opened again, and goes on with the first user who has no row yet.

        Args:
            user_ids: whom for.
            page_size: items of each row.
            timeout: seconds for all of it.
            options: see RankingOptions.
        """
        template = message(v1.RecommendRequest, ranking_fields(page_size, options, RANKING))
        users = UserStream(
            (one_id(user_id, "user_ids") for user_id in _iterable(user_ids, "user_ids", "ids")), template
        )
        return self._stream(users, time.monotonic() + _seconds(timeout))

    def record_events(
        self, events: Iterable[Event], *, durability: Durability | None = None, timeout: float | None = None
    ) -> Recorded:
        """Record up to 1,000 events, each or not by itself; EventBuffer sends more, in the background.

        It is retried like every call: the service knows events by their ids, and records none twice.

        Args:
            events: what people did.
            durability: "fsync" answers when they are on the disk, "buffered" before that; None leaves it to the service.
            timeout: seconds for this call.
        """
        return self._record(list(map(event_message, _iterable(events, "events", "events"))), durability, timeout)

    def set_consent(
        self, user_id: str, purpose: Purpose, granted: bool, *, timeout: float | None = None
    ) -> dict[str, Consent]:
        """Note that somebody gives consent to a purpose or withdraws it: every purpose, as it is then."""
        request = privacy.SetConsentRequest(
            user_id=one_id(user_id, "user_id"), purpose=purpose_number(purpose), granted=granted
        )
        return consents(self._call(self._privacy.SetConsent, request, timeout).consents)

    def get_consent(self, user_id: str, *, timeout: float | None = None) -> dict[str, Consent]:
        """What somebody has said of each purpose."""
        request = privacy.GetConsentRequest(user_id=one_id(user_id, "user_id"))
        return consents(self._call(self._privacy.GetConsent, request, timeout).consents)

    def export_user(self, user_id: str, *, timeout: float | None = None) -> UserExport:
        """Everything that is kept of somebody; `timeout` is for each page."""

        def pages() -> Iterator[privacy.ExportUserResponse]:
            request = privacy.ExportUserRequest(user_id=one_id(user_id, "user_id"))
            while True:
                page = self._call(self._privacy.ExportUser, request, timeout)
                yield page
                if not page.next_page_token:
                    return
                request.page_token = page.next_page_token

        return exported(pages())

    def forget_user(self, user_id: str, *, timeout: float | None = None) -> Forgotten:
        """Forget somebody for good."""
        request = privacy.ForgetUserRequest(user_id=one_id(user_id, "user_id"))
        return forgotten(self._call(self._privacy.ForgetUser, request, timeout))

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

    def _record(self, events: Sequence[event.Event], durability: Durability | None, timeout: float | None) -> Recorded:
        return recorded(self._call(self._events.RecordEvents, record_request(events, durability), timeout))

    def _call(self, method: _Method[_Request, _Response], request: _Request, timeout: float | None) -> _Response:
        deadline = time.monotonic() + (self._timeout if timeout is None else _seconds(timeout))
        # One id for all tries: they are one call in the server's log.
        request_id = uuid.uuid4().hex
        attempt = 0
        while True:
            try:
                with self._open():
                    left = max(deadline - time.monotonic(), 0.0)
                    return method(request, timeout=left, metadata=self._metadata(request_id))
            except grpc.RpcError as error:
                attempt = self._wait_to_retry(error, request_id, attempt, deadline)

    def _stream(self, users: UserStream, deadline: float) -> Iterator[BatchRow]:
        # One id for all streams: they are one call in the server's log.
        request_id = uuid.uuid4().hex
        attempt = 0
        while True:
            try:
                for rows in users.answers(self._open_stream(deadline, request_id)):
                    attempt = 0
                    yield from rows
                return
            except grpc.RpcError as error:
                attempt = self._wait_to_retry(error, request_id, attempt, deadline)

    def _open_stream(self, deadline: float, request_id: str) -> OpenStream:
        def open_stream(requests: Iterator[v1.StreamRecommendRequest]) -> Any:
            with self._open():
                left = max(deadline - time.monotonic(), 0.0)
                return self._stub.StreamRecommend(requests, timeout=left, metadata=self._metadata(request_id))

        return open_stream

    def _metadata(self, request_id: str) -> tuple[tuple[str, str], ...]:
        return (_REQUEST_ID_KEY, request_id), *self._credentials.metadata()

    @contextlib.contextmanager
    def _open(self) -> Iterator[None]:
        """Where the channel is used; a closed one is a ClientClosedError."""
        if self._closed.is_set():
            raise ClientClosedError
        try:
            yield
        except ValueError as error:
            # gRPC's word for a channel that another thread has just closed.
            if self._closed.is_set():
                raise ClientClosedError from error
            raise

    def _wait_to_retry(self, error: grpc.RpcError, request_id: str, attempt: int, deadline: float) -> int:
        """Sleep until the next try and return its number; raise where there should be none."""
        if self._closed.is_set():
            raise ClientClosedError from error
        failed = failure(error, request_id)
        delay = _delay(failed, attempt)
        if delay is None or attempt >= self._retries or time.monotonic() + delay >= deadline:
            raise failed from error
        time.sleep(delay)
        return attempt + 1


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
    # A server that stops may drop a call with CANCELLED; every call may be sent again: it only reads, or does nothing twice.
    if failure.status in {"UNAVAILABLE", "CANCELLED"}:
        backoff: float = min(_FIRST_BACKOFF_SECONDS * 2**attempt, _LONGEST_BACKOFF_SECONDS)
        return backoff * random.uniform(0.5, 1.0)
    return None


def _iterable(values: Any, name: str, what: str) -> Iterable[Any]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise InvalidArgumentError(f"{name}: expected several {what}, got {values!r:.80}", field=name)
    return values


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
