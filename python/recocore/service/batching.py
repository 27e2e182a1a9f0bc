"""Calls that arrive while others are answered are answered together.

What several calls share (a look-up of ids, a scan of the catalogue, the way to a thread and back) is done once for all of
them. Nobody waits for company: a call that finds a free lane leaves at once, with whoever arrived in the same turn of the
event loop, and what comes while every lane is busy leaves together with the next free one. With `delay_seconds` a lane that is
not full waits for more, but never so long that the nearest deadline of its calls comes too close.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from recocore.service.call import Call

if TYPE_CHECKING:
    from concurrent.futures import Executor

_Q = TypeVar("_Q")
_A = TypeVar("_A")

# Gives an answer, or what went wrong, for each request. Runs on a thread.
AnswerAll: TypeAlias = Callable[[Sequence[_Q], Sequence[Call]], "Sequence[_A | Exception]"]

# With less time than this left, a call waits for no company: a ranking takes about a millisecond.
_NEAR_DEADLINE_SECONDS = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting(Generic[_Q, _A]):
    request: _Q
    call: Call
    answer: asyncio.Future[_A]


class Batcher(Generic[_Q, _A]):
    """Collects calls into batches; used on one event loop.

    Args:
        answer_all: answers a batch.
        threads: where it runs.
        lanes: batches under way at once.
        most: calls of a batch.
        delay_seconds: how long the first call of a batch may wait for others; 0 never makes anybody wait.
        observe: told the size of each batch.
    """

    def __init__(
        self,
        answer_all: AnswerAll[_Q, _A],
        threads: Executor,
        *,
        lanes: int,
        most: int,
        delay_seconds: float = 0.0,
        observe: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._answer_all = answer_all
        self._threads = threads
        self._free_lanes = lanes
        self._most = most
        self._delay = delay_seconds
        self._observe = observe
        self._waiting: deque[_Waiting[_Q, _A]] = deque()
        self._flush: asyncio.Handle | None = None

    def submit(self, request: _Q, call: Call) -> asyncio.Future[_A]:
        """The answer to come. Cancelling it takes a call that has not left out of its batch."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_A] = loop.create_future()
        self._waiting.append(_Waiting(request, call, answer))
        if self._free_lanes:
            self._plan(loop, call)
        return answer

    def _plan(self, loop: asyncio.AbstractEventLoop, call: Call) -> None:
        full = len(self._waiting) >= self._most
        wait = 0.0 if full else max(min(self._delay, call.seconds_left - _NEAR_DEADLINE_SECONDS), 0.0)
        if isinstance(self._flush, asyncio.TimerHandle) and loop.time() + wait < self._flush.when():
            self._flush.cancel()
            self._flush = None
        if self._flush is None:
            self._flush = loop.call_later(wait, self._leave) if wait else loop.call_soon(self._leave)

    def _leave(self) -> None:
        self._flush = None
        loop = asyncio.get_running_loop()
        while self._waiting and self._free_lanes:
            batch: list[_Waiting[_Q, _A]] = []
            while self._waiting and len(batch) < self._most:
                waiting = self._waiting.popleft()
                if not waiting.answer.done():
                    batch.append(waiting)
            if not batch:
                return
            self._free_lanes -= 1
            self._observe(len(batch))
            try:
                self._threads.submit(self._work, loop, batch)
            except RuntimeError as error:  # the threads have been let go
                self._arrive(batch, [error] * len(batch))

    def _work(self, loop: asyncio.AbstractEventLoop, batch: Sequence[_Waiting[_Q, _A]]) -> None:
        answers: Sequence[_A | Exception]
        try:
            answers = self._answer_all([each.request for each in batch], [each.call for each in batch])
        except Exception as error:
            answers = [error] * len(batch)
        loop.call_soon_threadsafe(self._arrive, batch, answers)

    def _arrive(self, batch: Sequence[_Waiting[_Q, _A]], answers: Sequence[_A | Exception]) -> None:
        self._free_lanes += 1
        # Before the answers: the next batch is on its way while this one is written.
        if self._waiting and self._flush is None:
            self._leave()
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(answer, Exception):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)
