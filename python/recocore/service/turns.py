"""How long the event loop and the threads that rank may keep the interpreter from each other."""

from __future__ import annotations

import sys

# With Python's 5 ms the loop stands still behind a ranking's Python: 1,698 Recommend calls a second from threads against 2,104
# with 1 ms and 3,168 with 0.2 ms, on two cores shared with other work; 0.05 ms is no better.
_SHARED_SECONDS = 0.000_2
# While the loop works alone, whoever else wants the interpreter is gRPC's thread that tells of new calls, which the loop
# hears of when it has nothing to do: of 6,056 calls a second of a handler that does nothing, lists ranked on the loop reach
# 3,847 with 0.2 ms, 4,348 with 1 ms and 4,946 with 5 ms. Threads that load a model or encode a large answer are not counted
# here, and would hold up the loop for 5 ms each time.
_ALONE_SECONDS = 0.001


class Turns:
    """Shortens the turns at the interpreter while threads work for the event loop; used on that loop.

    The interpreter has one such setting, so a process has one server.
    """

    def __init__(self) -> None:
        self._threads = 0
        sys.setswitchinterval(_ALONE_SECONDS)

    def begin(self) -> None:
        """A thread begins to work."""
        self._threads += 1
        if self._threads == 1:
            sys.setswitchinterval(_SHARED_SECONDS)

    def end(self) -> None:
        """It is done, or nobody waits for it."""
        self._threads -= 1
        if self._threads == 0:
            sys.setswitchinterval(_ALONE_SECONDS)
