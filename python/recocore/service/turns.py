"""How long the event loop and the threads beside it may keep the interpreter from each other."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# With Python's 5 ms the loop stands still behind a ranking's Python: 1,698 Recommend calls a second from threads against 2,104
# with 1 ms and 3,168 with 0.2 ms, on two cores shared with other work; 0.05 ms is no better.
_SHARED_SECONDS = 0.000_2
# While the loop works alone, whoever else wants the interpreter is gRPC's thread that tells of new calls, which the loop hears
# of when it has nothing to do. Calls that arrive together are answered together: lists ranked on the loop come to 0.80 of what
# a handler that does nothing gives with 1 ms (99th percentile 1.2 times its), and to 0.78 with Python's own 5 ms (1.5 times);
# of three times that, 0.76, 0.80 and 0.82 of the peak are still answered with 1 ms, and 0.63 to 0.80 in five runs with 5 ms.
_ALONE_SECONDS = 0.001


class Turns:
    """Shortens the turns at the interpreter while threads work beside the event loop; safe from any thread.

    The interpreter has one such setting, so a process has one of these.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._working = 0
        sys.setswitchinterval(_ALONE_SECONDS)

    def begin(self) -> None:
        """A thread has work."""
        with self._lock:
            self._working += 1
            if self._working == 1:
                sys.setswitchinterval(_SHARED_SECONDS)

    def end(self) -> None:
        """It is done."""
        with self._lock:
            self._working -= 1
            if self._working == 0:
                sys.setswitchinterval(_ALONE_SECONDS)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work on a thread within."""
        self.begin()
        try:
            yield
        finally:
            self.end()


class TurnTakers(ThreadPoolExecutor):
    """Threads that work beside the event loop: turns are short from when one of them has work until it is done.

    Args:
        turns: of this process.
        threads: at most; None for Python's own choice.
        name: of the threads.
    """

    def __init__(self, turns: Turns, threads: int | None, name: str) -> None:
        super().__init__(threads, thread_name_prefix=name)
        self._turns = turns

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See ThreadPoolExecutor."""
        self._turns.begin()
        try:
            future = super().submit(fn, *args, **kwargs)
        except BaseException:
            self._turns.end()
            raise
        future.add_done_callback(self._done)
        return future

    def _done(self, _: Future[Any]) -> None:
        self._turns.end()
