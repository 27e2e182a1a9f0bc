"""A buffer of events beside a client: whoever adds an event waits for nobody, and what is lost is counted."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self, TypeAlias, get_args

from recocore.client.errors import ClientClosedError, ServiceError
from recocore.client.events import EventError, event_message
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from recocore.client.client import Client
    from recocore.client.events import Durability, Event
    from recocore.v1 import event_pb2 as shared

WhenFull: TypeAlias = Literal["drop_newest", "drop_oldest", "wait"]

# As RecordEvents takes them; a message of 4 MiB has room for the rest of the request.
_MOST_EVENTS = 1_000
_MOST_BYTES = 4_000_000
_FIRST_BACKOFF_SECONDS = 0.1
_LONGEST_BACKOFF_SECONDS = 5.0
# With these the same call fails again whenever it is sent.
_FINAL = frozenset({"INVALID_ARGUMENT", "UNIMPLEMENTED"})


@dataclass(frozen=True, slots=True)
class BufferCounts:
    """What became of the events that were added. Their sum with `waiting` is `added`.

    Attributes:
        added: so far.
        recorded: acknowledged by the service.
        duplicates: acknowledged as there already, such as after an answer that was lost.
        refused: by the service, for good.
        dropped: for want of room, or of time at the end.
        waiting: to be sent, or for an answer.
        retries: calls that were sent again.
    """

    added: int = 0
    recorded: int = 0
    duplicates: int = 0
    refused: int = 0
    dropped: int = 0
    waiting: int = 0
    retries: int = 0


class EventBuffer:
    """Collects events and sends them in batches, on a thread of its own; safe to share between threads.

    A batch leaves when it is full or its first event is old enough. One that fails is sent again, as it stands and with
    growing pauses, for as long as it takes: the service knows events by their ids and records none twice. Close the buffer, or
    use it in a `with` block: what waits is sent first.

    Args:
        client: sends; it is not closed with the buffer.
        max_events: that may wait.
        batch_events: in a call, at most 1,000.
        max_age: seconds that an event waits for others.
        when_full: "drop_newest" drops what is added, "drop_oldest" what has waited longest and is not on its way, "wait"
            makes `add` wait for room.
        durability: as `Client.record_events` has it.
        timeout: seconds for a call, with the client's retries.
        on_refused: told of each event that the service refused for good, on the buffer's thread.

    Example:
        with Client("127.0.0.1:50051") as client, EventBuffer(client) as events:
            events.add(Event(type="view", user_id="ann", item_id="7"))
    """

    def __init__(
        self,
        client: Client,
        *,
        max_events: int = 10_000,
        batch_events: int = 500,
        max_age: float = 0.5,
        when_full: WhenFull = "drop_newest",
        durability: Durability | None = None,
        timeout: float = 10.0,
        on_refused: Callable[[EventError], object] = lambda error: None,
    ) -> None:
        if not 1 <= batch_events <= _MOST_EVENTS:
            raise InvalidArgumentError(
                f"batch_events: expected 1 to {_MOST_EVENTS}, got {batch_events}", field="batch_events"
            )
        if max_events < batch_events:
            raise InvalidArgumentError(
                f"max_events: expected at least batch_events ({batch_events}), got {max_events}", field="max_events"
            )
        if not 0 <= max_age <= 3_600:
            raise InvalidArgumentError(f"max_age: expected 0 to 3600 seconds, got {max_age}", field="max_age")
        if when_full not in get_args(WhenFull):
            raise InvalidArgumentError(
                f"when_full: expected one of {', '.join(get_args(WhenFull))}, got {when_full!r}", field="when_full"
            )
        self._client = client
        self._max_events = max_events
        self._batch_events = batch_events
        self._max_age = max_age
        self._when_full = when_full
        self._durability = durability
        self._timeout = timeout
        self._on_refused = on_refused
        self._changed = threading.Condition()
        self._waiting: deque[tuple[float, shared.Event]] = deque()
        self._on_its_way = 0
        self._flushing = False
        self._closing = False
        self._give_up_at: float | None = None
        self._counts = BufferCounts()
        self._thread = threading.Thread(target=self._send_all, name="recocore-events", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> BufferCounts:
        """What became of the events so far."""
        with self._changed:
            return replace(self._counts, waiting=len(self._waiting) + self._on_its_way)

    def add(self, event: Event) -> bool:
        """Have an event sent: whether it will be; what is dropped is counted.

        Raises:
            InvalidArgumentError: it cannot be sent.
            ClientClosedError: the buffer is closed.
        """
        made = event_message(event)
        with self._changed:
            while True:
                if self._closing:
                    raise ClientClosedError
                if len(self._waiting) + self._on_its_way < self._max_events:
                    break
                if self._when_full == "wait":
                    self._changed.wait()
                elif self._when_full == "drop_oldest" and self._waiting:
                    self._waiting.popleft()
                    self._count(dropped=1)
                else:
                    self._count(added=1, dropped=1)
                    return False
            self._waiting.append((time.monotonic(), made))
            self._count(added=1)
            self._changed.notify_all()
            return True

    def flush(self, timeout: float = 10.0) -> bool:
        """Send what waits now: whether all of it was answered in time."""
        end = time.monotonic() + timeout
        with self._changed:
            self._flushing = True
            self._changed.notify_all()
            while self._waiting or self._on_its_way:
                left = end - time.monotonic()
                if left <= 0 or not self._thread.is_alive():
                    return False
                self._changed.wait(left)
            return True

    def close(self, timeout: float = 10.0) -> BufferCounts:
        """Take no more events and send what waits; what is not answered within `timeout` seconds is dropped."""
        with self._changed:
            self._closing = True
            if self._give_up_at is None:
                self._give_up_at = time.monotonic() + timeout
            self._changed.notify_all()
        self._thread.join()
        return self.counts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send_all(self) -> None:
        while (batch := self._next_batch()) is not None:
            self._send(batch)
        with self._changed:
            self._count(dropped=len(self._waiting))
            self._waiting.clear()
            self._changed.notify_all()

    def _next_batch(self) -> list[shared.Event] | None:
        """Wait for the next batch; None at the end."""
        with self._changed:
            while True:
                if self._closing and (not self._waiting or self._over()):
                    return None
                if not self._waiting:
                    self._flushing = False
                    self._changed.wait()
                    continue
                age = time.monotonic() - self._waiting[0][0]
                full = len(self._waiting) >= self._batch_events
                if full or self._flushing or self._closing or age >= self._max_age:
                    break
                self._changed.wait(self._max_age - age)
            batch: list[shared.Event] = []
            size = 0
            while self._waiting and len(batch) < self._batch_events:
                size += self._waiting[0][1].ByteSize()
                if batch and size > _MOST_BYTES:
                    break
                batch.append(self._waiting.popleft()[1])
            self._on_its_way = len(batch)
            return batch

    def _send(self, batch: list[shared.Event]) -> None:
        """Send a batch until it is answered, or there is no more time."""
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                answer = self._client._record(batch, self._durability, self._time())
            except ClientClosedError:
                return self._settle(dropped=len(batch))
            except ServiceError as error:
                if error.status in _FINAL:
                    self._settle(refused=len(batch))
                    for index in range(len(batch)):
                        self._on_refused(EventError(index, error))
                    return None
                pause = max(error.retry_after or 0.0, backoff * random.uniform(0.5, 1.0))
                backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)
                if not self._pause(pause):
                    return self._settle(dropped=len(batch))
            else:
                self._settle(recorded=answer.accepted, duplicates=answer.duplicates, refused=len(answer.errors))
                for refused in answer.errors:
                    self._on_refused(refused)
                return None

    def _pause(self, seconds: float) -> bool:
        """Wait before a call is sent again; whether it should be."""
        end = time.monotonic() + seconds
        with self._changed:
            while (left := end - time.monotonic()) > 0 and not self._over():
                until_over = left if self._give_up_at is None else self._give_up_at - time.monotonic()
                self._changed.wait(max(0.0, min(left, until_over)))
            if self._over():
                return False
            self._count(retries=1)
            return True

    def _time(self) -> float:
        """For the next call."""
        with self._changed:
            left = self._timeout if self._give_up_at is None else self._give_up_at - time.monotonic()
            return max(0.001, min(self._timeout, left))

    def _over(self) -> bool:
        return self._give_up_at is not None and time.monotonic() >= self._give_up_at

    def _settle(self, **changes: int) -> None:
        with self._changed:
            self._on_its_way = 0
            self._count(**changes)
            self._changed.notify_all()

    def _count(self, **changes: int) -> None:
        counts = self._counts
        self._counts = replace(counts, **{name: getattr(counts, name) + change for name, change in changes.items()})
