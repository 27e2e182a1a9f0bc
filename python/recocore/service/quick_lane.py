"""Gathers who arrives until nobody else comes, so that what takes microseconds is done on the event loop for many at once.

A thread that ranks takes the interpreter from the loop several times a batch. Where a ranking takes tens of microseconds that
costs more than the ranking, so the loop ranks itself, for all that arrived until it has nothing else to do.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_W = TypeVar("_W")

# The most that a batch should take: everything else on the loop waits meanwhile.
BATCH_SECONDS = 0.002
# What takes longer, one of several, belongs on a thread.
MOST_SECONDS = BATCH_SECONDS / 16
# Nobody came for so many turns of the loop: one call takes a few turns from its arrival to here. Of 64 callers, ALS over 30,000
# items, a call took 990 us of processor time with 2 turns, 690 with 4, 320 with 10, 400 with 20; 530 on threads.
_STILL_TURNS = 10


class QuickLane(Generic[_W]):
    """Hands on together, on the event loop, what arrives together.

    Args:
        answer_all: deals with a batch, and gives back what it had no time for: that comes first in the next one. It never
            raises.
        most: how many a batch has.
    """

    def __init__(self, answer_all: Callable[[Sequence[_W]], Sequence[_W]], *, most: int) -> None:
        self._answer_all = answer_all
        self._most = most
        self._waiting: deque[_W] = deque()
        self._is_planned = False
        self._seen = self._still = 0

    def submit(self, waiting: _W) -> None:
        """Let one wait for the next batch."""
        self._waiting.append(waiting)
        if not self._is_planned:
            self._is_planned = True
            loop = asyncio.get_running_loop()
            loop.call_soon(self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave once nobody comes any more."""
        count = len(self._waiting)
        self._still = self._still + 1 if count == self._seen else 0
        self._seen = count
        if count < self._most and self._still < _STILL_TURNS:
            loop.call_soon(self._look, loop)
            return
        waiting = self._waiting
        waiting.extendleft(reversed(self._answer_all([waiting.popleft() for _ in range(min(count, self._most))])))
        self._seen = self._still = 0
        self._is_planned = bool(waiting)
        if self._is_planned:
            loop.call_soon(self._look, loop)
