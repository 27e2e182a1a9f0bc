"""Gathers, on an event loop, what arrives until nobody else comes, so that it is dealt with together.

What comes from many callers comes one by one, a few turns of the loop apart, and what is done with it often costs less for many
at once: code stays in the processor's caches, and one message, one commit or one ranking does for all.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_W = TypeVar("_W")

# Nobody came for so many turns of the loop: one call takes a few turns from its arrival to here. Of 64 callers, ALS over 30,000
# items, a call took 990 us of processor time with 2 turns, 690 with 4, 320 with 10, 400 with 20; 530 on threads.
_STILL_TURNS = 10


class Gathering(Generic[_W]):
    """Hands on together, on the event loop, what arrives together.

    Args:
        hand_on: deals with a batch, and gives back what it had no time for: that comes first in the next one. It should not
            raise: those of the batch would wait for ever.
        most: how many a batch has.
    """

    def __init__(self, hand_on: Callable[[Sequence[_W]], Sequence[_W]], *, most: int) -> None:
        self._hand_on = hand_on
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
        self._seen = self._still = 0
        late: Sequence[_W] = ()
        try:
            late = self._hand_on([waiting.popleft() for _ in range(min(count, self._most))])
        finally:
            # Whatever became of this batch, there is a next one.
            waiting.extendleft(reversed(late))
            self._is_planned = bool(waiting)
            if self._is_planned:
                loop.call_soon(self._look, loop)
