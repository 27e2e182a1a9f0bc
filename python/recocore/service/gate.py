"""Where a stopping server holds newcomers, so that no call falls between its last answer and its goodbye.

A call that reaches the transport after it has begun to stop is dropped by gRPC, and the caller is told CANCELLED. Callers
in a loop send the next call as soon as the last is answered: the way to a moment without calls is not to answer.
"""

from __future__ import annotations

import asyncio
import time

# No newcomer for this long means that everybody who calls in a loop is waiting at the gate.
_QUIET_SECONDS = 0.1
# Callers that do not wait for answers never fall quiet, and those who wait have deadlines.
_LONGEST_HOLD_SECONDS = 0.5


class Gate:
    """Lets calls through until it is held; used on one event loop."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._last_arrival = 0.0

    def arrive(self) -> bool:
        """A newcomer: whether the gate is open; else wait for `opened`."""
        self._last_arrival = time.monotonic()
        return self._open.is_set()

    async def opened(self) -> None:
        """Return as soon as the gate is open."""
        await self._open.wait()

    async def hold(self, at_most: float) -> None:
        """Close the gate, and return when nobody has arrived for a while, or after `at_most` seconds."""
        self._open.clear()
        self._last_arrival = time.monotonic()
        end = self._last_arrival + min(at_most, _LONGEST_HOLD_SECONDS)
        while (left := min(self._last_arrival + _QUIET_SECONDS, end) - time.monotonic()) > 0:
            await asyncio.sleep(left)

    def release(self) -> None:
        """Open the gate for good."""
        self._open.set()
