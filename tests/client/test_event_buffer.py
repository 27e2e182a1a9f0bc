"""The buffer against a service that answers by a script: batches, retries, room, and the end."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest

from recocore.client import BufferCounts, ClientClosedError, Event, EventBuffer, EventError, Recorded, ServiceError
from recocore.errors import InvalidArgumentError

Answer = Callable[[Sequence[Any]], Recorded]


class Service:
    """Stands in for a Client: records once for each id, after what the script says of each call."""

    def __init__(self, *script: Exception | threading.Event | None) -> None:
        self._script = list(script)
        self.calls: list[list[str]] = []
        self.log: Counter[str] = Counter()
        self.called = threading.Semaphore(0)

    def _record(self, messages: Sequence[Any], durability: str | None, timeout: float) -> Recorded:
        assert 0 < timeout <= 10
        self.calls.append([message.event_id for message in messages])
        self.called.release()
        step = self._script.pop(0) if self._script else None
        if isinstance(step, threading.Event):
            assert step.wait(20)
        elif step is not None:
            if isinstance(step, LostError):
                self.log.update({message.event_id for message in messages} - set(self.log))
            raise step
        new = [message.event_id for message in messages if message.event_id not in self.log]
        bad = [place for place, message in enumerate(messages) if message.item_id == "bad"]
        self.log.update(new)
        error = ServiceError("INVALID_ARGUMENT", "no such item")
        refused = tuple(EventError(place, error) for place in bad)
        return Recorded(len(new) - len(bad), len(messages) - len(new), refused, "t", "r")


class LostError(ServiceError):
    """The events are recorded, and the answer is lost."""

    def __init__(self) -> None:
        super().__init__("UNAVAILABLE", "the connection broke")


def unavailable() -> ServiceError:
    return ServiceError("UNAVAILABLE", "the owner is being started again", retry_after=0.001)


def buffer(service: Service, **settings: Any) -> EventBuffer:
    client: Any = service
    return EventBuffer(client, **{"max_age": 3_600, **settings})


def event(number: int, item_id: str = "i") -> Event:
    return Event(type="view", user_id="ann", item_id=item_id, event_id=f"e{number}")


def test_a_full_batch_leaves_at_once_and_the_rest_at_the_end() -> None:
    service = Service()
    with buffer(service, batch_events=4) as events:
        for number in range(10):
            assert events.add(event(number))
        assert service.called.acquire(timeout=20)
        assert service.called.acquire(timeout=20)
    assert [len(call) for call in service.calls] == [4, 4, 2]
    assert list(service.log) == [f"e{number}" for number in range(10)]
    assert events.counts == BufferCounts(added=10, recorded=10)


def test_an_event_that_is_old_enough_leaves_alone() -> None:
    service = Service()
    with buffer(service, max_age=0.01) as events:
        events.add(event(1))
        assert service.called.acquire(timeout=20)
        assert events.flush(20)
        assert events.counts.recorded == 1


def test_flush_waits_for_the_answers() -> None:
    service = Service()
    with buffer(service) as events:
        events.add(event(1))
        assert events.flush(20)
        assert events.counts == BufferCounts(added=1, recorded=1)


def test_what_fails_for_a_while_is_sent_again_as_it_stands() -> None:
    service = Service(unavailable(), LostError(), unavailable())
    with buffer(service, batch_events=3) as events:
        for number in range(3):
            events.add(event(number))
        assert events.flush(20)
    assert service.calls == [["e0", "e1", "e2"]] * 4
    assert set(service.log.values()) == {1}
    # The second try was recorded although its answer was lost: the fourth finds its events there.
    assert events.counts == BufferCounts(added=3, duplicates=3, retries=3)


def test_what_the_service_refuses_for_good_is_told_and_not_sent_again() -> None:
    told: list[EventError] = []
    service = Service(ServiceError("INVALID_ARGUMENT", "no"))
    with buffer(service, batch_events=2, on_refused=told.append) as events:
        events.add(event(0))
        events.add(event(1))
        events.add(event(2, "bad"))
        events.add(event(3))
    assert [len(call) for call in service.calls] == [2, 2]
    assert [error.index for error in told] == [0, 1, 0]
    assert events.counts == BufferCounts(added=4, recorded=1, refused=3)


@pytest.mark.parametrize(("policy", "kept"), [("drop_newest", [0, 1, 2, 3]), ("drop_oldest", [0, 1, 4, 5])])
def test_without_room_events_are_dropped_and_counted(policy: Any, kept: list[int]) -> None:
    hold = threading.Event()
    service = Service(hold)
    with buffer(service, batch_events=2, max_events=4, when_full=policy) as events:
        events.add(event(0))
        events.add(event(1))
        assert service.called.acquire(timeout=20)  # these are on their way, and stay there
        for number in (2, 3):
            assert events.add(event(number))
        assert [events.add(event(number)) for number in (4, 5)] == [policy == "drop_oldest"] * 2
        assert events.counts == BufferCounts(added=6, dropped=2, waiting=4)
        hold.set()
    assert list(service.log) == [f"e{number}" for number in kept]
    assert events.counts == BufferCounts(added=6, recorded=4, dropped=2)


def test_who_may_wait_waits_for_room() -> None:
    hold = threading.Event()
    service = Service(hold)
    with buffer(service, batch_events=1, max_events=1, when_full="wait") as events:
        events.add(event(0))
        adding = threading.Thread(target=lambda: events.add(event(1)))
        adding.start()
        hold.set()
        adding.join(20)
        assert not adding.is_alive()
    assert events.counts == BufferCounts(added=2, recorded=2)


def test_the_end_drops_what_cannot_be_sent_in_time_and_counts_it() -> None:
    service = Service(*(unavailable() for _ in range(10_000)))
    events = buffer(service, batch_events=2)
    for number in range(5):
        events.add(event(number))
    counts = events.close(timeout=0.05)
    assert (counts.added, counts.dropped, counts.waiting, counts.recorded) == (5, 5, 0, 0)
    with pytest.raises(ClientClosedError):
        events.add(event(9))
    assert events.close() == counts


def test_a_client_that_is_closed_ends_it() -> None:
    service = Service(ClientClosedError())
    with buffer(service, batch_events=1) as events:
        events.add(event(0))
    assert events.counts == BufferCounts(added=1, dropped=1)


def test_a_batch_is_no_larger_than_a_message_may_be() -> None:
    service = Service()
    with buffer(service, batch_events=1000) as events:
        for number in range(900):
            events.add(Event(type="view", user_id="ann", item_id="i", event_id=f"e{number}", query="q" * 9_000))
    assert len(service.calls) == 3
    assert sum(map(len, service.calls)) == 900


def test_many_threads_lose_nothing() -> None:
    # Every other call fails, so that pauses stay short.
    service = Service(*(None if number % 2 else LostError() if number % 3 else unavailable() for number in range(16)))
    with buffer(service, batch_events=7, max_age=0.001) as events:

        def work(start: int) -> None:
            for number in range(start, start + 100):
                events.add(event(number))

        threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 800, 100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # A flush that ends in the middle of a pause is no failure; the end sends what is left.
        events.flush(20)
    counts = events.counts
    assert service.log == Counter(f"e{number}" for number in range(800))
    assert counts.recorded + counts.duplicates == counts.added == 800


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"batch_events": 0}, "batch_events"),
        ({"batch_events": 1_001}, "batch_events"),
        ({"batch_events": 10, "max_events": 9}, "max_events"),
        ({"max_age": -1}, "max_age"),
        ({"when_full": "panic"}, "when_full"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        buffer(Service(), **settings)
    assert caught.value.field == field


def test_what_is_no_event_is_refused_where_it_is_added() -> None:
    with buffer(Service()) as events:
        with pytest.raises(InvalidArgumentError, match="expected Event"):
            events.add({"type": "view"})  # type: ignore[arg-type]
        with pytest.raises(InvalidArgumentError, match="event_time: expected a time with a zone"):
            events.add(Event(type="view", user_id="ann", item_id="i", event_time=datetime(2026, 1, 1)))
        with pytest.raises(InvalidArgumentError, match="event_time: expected a time with a zone, got 1775000000000000"):
            events.add(Event(type="view", user_id="ann", item_id="i", event_time=1_775_000_000_000_000))  # type: ignore[arg-type]
    assert events.counts == BufferCounts()
