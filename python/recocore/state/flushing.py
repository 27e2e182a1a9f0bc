"""A thread that syncs what was acknowledged before its fsync, within a bound of time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Flusher:
    """Calls `flush` within `seconds` of a `wake`, and again until it says that it is done. The thread begins with the first.

    Args:
        flush: does the work; whether nothing is left.
        seconds: between a wake and its flush.
    """

    def __init__(self, flush: Callable[[], bool], seconds: float) -> None:
        self._flush, self._seconds = flush, seconds
        self._stop, self._work = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """There is something to flush."""
        self._work.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="recocore-state-flush", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; what is left is the caller's to flush."""
        self._stop.set()
        self._work.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._work.wait()
            if self._stop.wait(self._seconds):
                return
            self._work.clear()
            # What was cleared may be the wake of `stop`.
            if self._stop.is_set():
                return
            if not self._flush():
                self._work.set()
