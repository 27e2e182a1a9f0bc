"""A stream of users: sent ahead of their answers by a bounded number, and taken up again where a stream broke."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from recocore.client import results
from recocore.v1 import recommendation_service_pb2 as v1

if TYPE_CHECKING:
    from recocore.client.results import BatchRow

# Users of one message. Larger ones gain nothing, and their answers stay well below a message's limit.
_USERS = 100
# Messages without an answer: enough that the server finds the next one when it has sent an answer.
_AHEAD = 4

# Opens a stream that sends these requests; gives the call, which is an iterator of responses too.
OpenStream: TypeAlias = Callable[[Iterator[v1.StreamRecommendRequest]], Any]


class UserStream:
    """Users to recommend for, over as many streams as it takes."""

    def __init__(self, user_ids: Iterator[str], template: v1.RecommendRequest) -> None:
        self._users = user_ids
        self._template = template
        # Held while users are taken: gRPC asks for requests on a thread of its own.
        self._taking = threading.Lock()
        # What was taken and has no answer yet.
        self._unanswered: deque[list[str]] = deque()
        self._error: Exception | None = None

    def answers(self, open_stream: OpenStream) -> Iterator[tuple[BatchRow, ...]]:
        """The rows of each message, over a new stream that begins with the first user who has none.

        Raises:
            grpc.RpcError: the stream broke; call again to go on.
            Exception: what the iterator of users raised.
        """
        # Whoever still takes users for a stream that broke is done when this is free.
        with self._taking:
            requests = _Requests(self._take, self._unanswered, self._template)
        call = open_stream(requests)
        try:
            for response in call:
                self._unanswered.popleft()
                requests.room.release()
                yield results.batch_rows(response.rows, response.request_id)
        finally:
            call.cancel()
            requests.stop()
        if self._error is not None:
            raise self._error

    def _take(self, stopped: threading.Event) -> list[str] | None:
        with self._taking:
            if stopped.is_set():
                return None
            try:
                users = list(islice(self._users, _USERS))
            except Exception as error:
                # Raised to the caller after the rows of the users before, not into a thread of gRPC.
                self._error = error
                return None
            if users:
                self._unanswered.append(users)
            return users or None


class _Requests:
    """The requests of one stream: what is unanswered from before, then new users."""

    def __init__(
        self,
        take: Callable[[threading.Event], list[str] | None],
        unanswered: deque[list[str]],
        template: v1.RecommendRequest,
    ) -> None:
        self.room = threading.Semaphore(_AHEAD)
        self._take = take
        self._again = list(unanswered)
        self._template: v1.RecommendRequest | None = template
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Take no more users, and let go who waits for room."""
        self._stopped.set()
        self.room.release()

    def __iter__(self) -> _Requests:
        return self

    def __next__(self) -> v1.StreamRecommendRequest:
        self.room.acquire()
        if self._stopped.is_set():
            raise StopIteration
        users = self._again.pop(0) if self._again else self._take(self._stopped)
        if users is None:
            raise StopIteration
        request = v1.StreamRecommendRequest(user_ids=users, template=self._template)
        self._template = None
        return request
