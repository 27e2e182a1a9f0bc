"""Where a stopping server holds newcomers, so that no call falls between its last answer and its goodbye.

A call that reaches the transport after it has begun to stop is dropped by gRPC, and the caller is told CANCELLED. Callers
in a loop send the next call as soon as the last is answered: the way to a moment without calls is not to answer.
"""

from __future__ import annotations

import asyncio
import time

# No newcomer in so many looks, one after the other, means that everybody who calls in a loop is waiting at the gate. They take
# a tenth of a second, and longer where the machine is busy: then callers take longer to come, and the transport to tell of it.
_STILL_LOOKS, _LOOK_SECONDS = 10, 0.01
# Callers that do not wait for answers never fall quiet, and those who wait have deadlines.
_LONGEST_HOLD_SECONDS = 0.5


class Gate:
    """Lets calls through until it is held; used on one event loop."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._arrivals = 0

    def arrive(self) -> bool:
        """A newcomer: whether the gate is open; else wait for `opened`."""
        self._arrivals += 1
        return self._open.is_set()

    async def opened(self) -> None:
        """Return as soon as the gate is open."""
        await self._open.wait()

    async def hold(self, at_most: float) -> None:
        """Close the gate, and return when nobody has arrived for a while, or after `at_most` seconds."""
        self._open.clear()
        end = time.monotonic() + min(at_most, _LONGEST_HOLD_SECONDS)
        still = 0
        while still < _STILL_LOOKS and (left := end - time.monotonic()) > 0:
            before = self._arrivals
            await asyncio.sleep(min(_LOOK_SECONDS, left))
            still = still + 1 if self._arrivals == before else 0

    def release(self) -> None:
        """Open the gate for good."""
        self._open.set()
