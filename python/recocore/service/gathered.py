"""Calls of one method that are answered with others that arrive meanwhile: how they come in, and how they end.

The coroutine of a call does next to nothing: it waits for what the batch gives it. What a batch does is for those that build on
this to say (`together`, `at_once`).
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from recocore.errors import RecocoreError
from recocore.gathering import Gathering
from recocore.service.arrival import Arrival, Ended
from recocore.service.endings import Farewell, farewell
from recocore.service.problems import StoppingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from recocore.service.contexts import Context, Contexts
    from recocore.service.endings import Endings
    from recocore.service.observe.observer import CallObserver
    from recocore.service.running import Running


class Gathered(ABC):
    """Answers the calls of one method; used on one event loop.

    Args:
        name: of the method.
        most: how many make a batch.
        running: who is let in.
        contexts: makes calls.
        endings: tells of them.
        observer: is told of calls.
    """

    def __init__(
        self, name: str, most: int, running: Running, contexts: Contexts, endings: Endings, observer: CallObserver
    ) -> None:
        self._name = name
        self._running = running
        self._contexts = contexts
        self._endings = endings
        self._observer = observer
        self._arrivals = Gathering(self._answer_all, most=most)

    async def behave(self, request: bytes, context: Context) -> bytes:
        """Answer one call: what gRPC calls."""
        self._observer.started()
        arrival = Arrival(request, context, asyncio.get_running_loop().create_future())
        try:
            if not self._running.arrive():
                await self._running.opened()
            self._arrivals.submit(arrival)
            ended = await arrival.ended
            if ended is None:
                ended = await self._later(arrival)
        except asyncio.CancelledError as cancelled:
            if arrival.is_told:
                raise
            return await self._alone(arrival, cancelled)
        if isinstance(ended, bytes):
            return ended
        if ended is None:
            return await self._alone(arrival)
        await context.abort(*ended)
        raise AssertionError("a call that was aborted goes on")

    async def _later(self, arrival: Arrival) -> Ended:
        """What becomes of a call, which its batch left alone, in another batch; None where it goes on alone."""
        return None

    async def _again(self, arrival: Arrival) -> Ended:
        """What becomes of a call in the next batch."""
        arrival.ended = asyncio.get_running_loop().create_future()
        self._arrivals.submit(arrival)
        return await arrival.ended

    async def _alone(self, arrival: Arrival, cancelled: asyncio.CancelledError | None = None) -> bytes:
        """End a call that its batch did not."""
        if not arrival.is_let_in:
            arrival.call = self._contexts.call(arrival.context, arrival.admitted)
        with self._endings.of(self._name, arrival.call, arrival.started) as ending:
            if cancelled is not None:
                raise cancelled
            return await self._answer_alone(arrival)
        await ending.abort(arrival.context)

    @abstractmethod
    async def _answer_alone(self, arrival: Arrival) -> bytes:
        """Answer a call that is let in and whose batch left it alone."""

    @abstractmethod
    def _answer_batch(self, arrivals: list[Arrival]) -> Sequence[Arrival]:
        """Take the steps of a batch, and give back those that would take it too long; what it raises ends them all."""

    def _answer_all(self, arrivals: Sequence[Arrival]) -> Sequence[Arrival]:
        arrivals = open_ones(arrivals)
        try:
            return self._answer_batch(arrivals)
        except Exception as error:
            for arrival in open_ones(arrivals):
                self._fail(arrival, error)
            return ()

    def _let_in(self, arrivals: Sequence[Arrival]) -> None:
        calls = self._contexts.calls([(arrival.context, arrival.admitted) for arrival in arrivals])
        limiter, is_given_up = self._running.limiter, self._running.is_given_up
        for arrival, call in zip(arrivals, calls, strict=True):
            arrival.call = call
            try:
                limiter.admit(call.caller)
            except RecocoreError as error:
                self._fail(arrival, error)
            else:
                if is_given_up:
                    self._fail(arrival, StoppingError())

    def _answered(self, arrivals: Sequence[Arrival], responses: Sequence[bytes]) -> None:
        """Tell of calls that have their responses now."""
        if not arrivals:
            return
        self._endings.answered(
            self._name, [arrival.call for arrival in arrivals], [arrival.started for arrival in arrivals]
        )
        for arrival, response in zip(arrivals, responses, strict=True):
            arrival.ended.set_result(response)

    def _fail(self, arrival: Arrival, error: Exception) -> None:
        arrival.ended.set_result(self._failed(arrival, error))

    def _failed(self, arrival: Arrival, error: Exception) -> Farewell:
        """Tell of a call that fails. What its caller is told is written here, while the code for that is at hand."""
        call = arrival.call
        return farewell(self._endings.failed(self._name, call, arrival.started, error), call.request_id)


def open_ones(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """Those of which nothing has become so far."""
    return [arrival for arrival in arrivals if not arrival.ended.done()]
