"""Calls that are answered at once, with those that arrive meanwhile: each ends as it would alone, and is told of once."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Self

import grpc
import pytest
from google.rpc import error_details_pb2
from tests.service.contexts import Context

from recocore.errors import NotFoundError
from recocore.service.config import ServerConfig
from recocore.service.dispatch import Dispatcher
from recocore.service.observe.observer import CallObserver
from recocore.service.rate_limits import LimitsConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.service.call import Call
    from recocore.service.observe.observer import ServedBy


class Seen(CallObserver):
    """Remembers how calls ended."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.ended: list[str] = []

    def started(self) -> None:
        self.in_flight += 1

    def finished(self, method: str, status: str, seconds: float, hosted: ServedBy | None, call: Call) -> None:
        assert method == "Get"
        assert seconds >= 0
        self.in_flight -= 1
        self.ended.append(status)


class Upper:
    """Answers in upper case: `none` is nobody, `wait` has to wait for the event, `broken` fails a batch whole."""

    def __init__(self, most: int = 100) -> None:
        self.batches: list[list[bytes]] = []
        self.alone: list[bytes] = []
        self.event = asyncio.Event()
        self._most = most

    def answer_now(self, requests: Sequence[bytes], calls: Sequence[Call]) -> list[bytes | Exception | None]:
        self.batches.append(list(requests))
        if b"broken" in requests:
            raise OSError("broken")
        return [self._now(request) for request in requests][: self._most]

    async def answer(self, request: bytes, call: Call) -> bytes:
        self.alone.append(request)
        await self.event.wait()
        call.checkpoint()
        return request.upper()

    def _now(self, request: bytes) -> bytes | Exception | None:
        if request == b"none":
            return NotFoundError("nobody")
        return None if request == b"wait" else request.upper()


class Service:
    """The way of calls through a server, without its transport."""

    def __init__(self, most: int = 100, limits: LimitsConfig | None = None, max_calls: int = 256) -> None:
        self.seen, self.method = Seen(), Upper(most)
        config = ServerConfig(threads=1, max_calls=max_calls, max_batch=8)
        self.dispatcher = Dispatcher(config, limits or LimitsConfig(), self.seen)
        self._at_once = self.dispatcher.at_once("Get", self.method)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.dispatcher.running.close()

    def call(self, request: bytes, context: Context | None = None) -> asyncio.Task[bytes]:
        return asyncio.ensure_future(self._at_once.behave(request, context or Context()))  # type: ignore[arg-type]

    async def statuses(self, **asked: bytes) -> dict[str, str]:
        """How calls end that are made at once."""
        contexts = {name: Context() for name in asked}
        calls = [self.call(request, contexts[name]) for name, request in asked.items()]
        ended = await asyncio.gather(*calls, return_exceptions=True)
        for end in ended:
            assert isinstance(end, bytes | grpc.aio.AbortError), end
        return {name: "OK" if each.ended is None else each.ended[0].name for name, each in contexts.items()}


def test_those_who_arrive_together_are_answered_together_each_with_its_own() -> None:
    async def main() -> None:
        with Service() as service:
            requests = [f"r{number}".encode() for number in range(11)]
            answers = await asyncio.gather(*map(service.call, requests))
            assert answers == [request.upper() for request in requests]
            assert service.method.batches == [requests[:8], requests[8:]]
            assert service.seen.ended == 11 * ["OK"]
            assert service.seen.in_flight == 0

    asyncio.run(main())


def test_what_a_batch_has_no_time_for_comes_first_in_the_next() -> None:
    async def main() -> None:
        with Service(most=3) as service:
            requests = [f"r{number}".encode() for number in range(10)]
            answers = await asyncio.gather(*map(service.call, requests))
            assert answers == [request.upper() for request in requests]
            assert [batch[0] for batch in service.method.batches] == [b"r0", b"r3", b"r6", b"r9"]
            assert service.seen.ended == 10 * ["OK"]

    asyncio.run(main())


def test_one_that_fails_fails_alone_and_a_batch_that_fails_is_each_of_its_calls() -> None:
    async def main() -> None:
        with Service() as service:
            assert await service.statuses(a=b"a", b=b"none", c=b"c") == {"a": "OK", "b": "NOT_FOUND", "c": "OK"}
            assert await service.statuses(a=b"a", b=b"broken") == {"a": "INTERNAL", "b": "INTERNAL"}
            assert await service.statuses(a=b"a") == {"a": "OK"}
            assert Counter(service.seen.ended) == {"OK": 3, "NOT_FOUND": 1, "INTERNAL": 2}
            assert service.seen.in_flight == 0

    asyncio.run(main())


def test_who_has_to_wait_holds_nobody_up_and_takes_a_slot() -> None:
    async def main() -> None:
        with Service() as service:
            waits = service.call(b"wait")
            assert await service.call(b"a") == b"A"
            while not service.method.alone:
                await asyncio.sleep(0)
            assert service.dispatcher.running.free_slots == 255
            service.method.event.set()
            assert await waits == b"WAIT"
            assert service.dispatcher.running.free_slots == 256
            assert service.seen.ended == ["OK", "OK"]

    asyncio.run(main())


def test_more_than_are_admitted_are_told_when_to_come_again() -> None:
    async def main() -> None:
        with Service(max_calls=2) as service:
            contexts = [Context() for _ in range(4)]
            calls = [service.call(b"a", context) for context in contexts]
            await asyncio.gather(*calls, return_exceptions=True)
            assert [each.ended is None for each in contexts] == [True, True, False, False]
            assert contexts[3].details(error_details_pb2.ErrorInfo).reason == "TOO_MANY_CALLS"
            service.dispatcher.running.take_slot()
            service.dispatcher.running.take_slot()
            assert await service.statuses(a=b"a") == {"a": "RESOURCE_EXHAUSTED"}
            assert service.seen.in_flight == 0

    asyncio.run(main())


def test_who_calls_too_often_is_turned_away_once_a_call() -> None:
    async def main() -> None:
        with Service(limits=LimitsConfig(rate=0.001, burst=2)) as service:
            service.method.event.set()
            # One that goes on alone was let in before: it counts once.
            expected = {"a": "OK", "b": "OK", "c": "RESOURCE_EXHAUSTED"}
            assert await service.statuses(a=b"wait", b=b"b", c=b"c") == expected

    asyncio.run(main())


def test_a_cancelled_call_is_told_of_once_wherever_it_is() -> None:
    async def main() -> None:
        with Service() as service:
            gone, stays, waits = service.call(b"gone"), service.call(b"stays"), service.call(b"wait")
            await asyncio.sleep(0)
            gone.cancel()
            assert await stays == b"STAYS"
            while not service.method.alone:
                await asyncio.sleep(0)
            waits.cancel()
            for call in (gone, waits):
                with pytest.raises(asyncio.CancelledError):
                    await call
            assert service.method.batches == [[b"stays", b"wait"]]
            assert Counter(service.seen.ended) == {"CANCELLED": 2, "OK": 1}
            assert service.seen.in_flight == 0
            assert service.dispatcher.running.free_slots == 256

    asyncio.run(main())


def test_who_is_given_up_on_is_told_so() -> None:
    async def main() -> None:
        with Service() as service:
            context = Context()
            waits = service.call(b"wait", context)
            while not service.method.alone:
                await asyncio.sleep(0)
            service.dispatcher.running.give_up()
            with pytest.raises(grpc.aio.AbortError):
                await waits
            assert context.ended is not None
            assert context.ended[0] is grpc.StatusCode.UNAVAILABLE
            assert await service.statuses(a=b"late") == {"a": "UNAVAILABLE"}
            assert service.seen.ended == ["UNAVAILABLE", "UNAVAILABLE"]

    asyncio.run(main())
