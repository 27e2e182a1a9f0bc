"""Calls whose answer takes no longer than the way to a thread and back are answered on the event loop, many at once.

A thread that ranks takes the interpreter from the loop several times a batch. Where a ranking takes tens of microseconds that
costs more than the ranking, so the loop ranks itself, for all that arrived until it has nothing else to do.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from recocore.service.call import Call

_Q = TypeVar("_Q")
_A = TypeVar("_A")

AnswerAsked: TypeAlias = Callable[[Sequence[_Q], "Sequence[Call]"], "Sequence[_A | Exception]"]

# The most that a batch takes: everything else on the loop waits meanwhile.
_BATCH_SECONDS = 0.002
# What takes longer, one of several, belongs on a thread.
MOST_SECONDS = _BATCH_SECONDS / 16
# Nobody came for so many turns of the loop: one call takes a few turns from its arrival to here. Of 64 callers, ALS over 30,000
# items, a call took 990 us of processor time with 2 turns, 690 with 4, 320 with 10, 400 with 20; 530 on threads.
_STILL_TURNS = 10


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting(Generic[_Q, _A]):
    asked: _Q
    call: Call
    seconds: float
    answer: asyncio.Future[_A]


class QuickLane(Generic[_Q, _A]):
    """Answers calls together on the event loop, for at most two milliseconds at a time.

    Args:
        answer_all: answers a batch.
        most: calls of a batch.
        observe: told the size of each batch.
    """

    def __init__(
        self, answer_all: AnswerAsked[_Q, _A], *, most: int, observe: Callable[[int], None] = lambda size: None
    ) -> None:
        self._answer_all = answer_all
        self._most = most
        self._observe = observe
        self._waiting: deque[_Waiting[_Q, _A]] = deque()
        self._is_planned = False
        self._seen = self._still = 0

    def submit(self, asked: _Q, call: Call, seconds: float) -> asyncio.Future[_A]:
        """The answer to come, which takes about `seconds` as one of several. Cancelling it takes the call out of its batch."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_A] = loop.create_future()
        self._waiting.append(_Waiting(asked, call, seconds, answer))
        if not self._is_planned:
            self._is_planned = True
            loop.call_soon(self._look, loop)
        return answer

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave once nobody comes any more."""
        count = len(self._waiting)
        self._still = self._still + 1 if count == self._seen else 0
        self._seen = count
        if count < self._most and self._still < _STILL_TURNS:
            loop.call_soon(self._look, loop)
            return
        self._leave()
        self._seen = self._still = 0
        self._is_planned = bool(self._waiting)
        if self._is_planned:
            loop.call_soon(self._look, loop)

    def _leave(self) -> None:
        batch: list[_Waiting[_Q, _A]] = []
        seconds = 0.0
        while self._waiting and len(batch) < self._most and (not batch or seconds < _BATCH_SECONDS):
            waiting = self._waiting.popleft()
            if not waiting.answer.done():
                batch.append(waiting)
                seconds += waiting.seconds
        if not batch:
            return
        self._observe(len(batch))
        answers: Sequence[_A | Exception]
        try:
            answers = self._answer_all([each.asked for each in batch], [each.call for each in batch])
        except Exception as error:
            answers = [error] * len(batch)
        for waiting, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Exception):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)
