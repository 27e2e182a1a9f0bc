"""The observer that logs slow calls, a few a second: enough to see why, too few to drown a log or a disk."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from recocore.service.logs import log
from recocore.service.observe.observer import CallObserver

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.service.call import Call
    from recocore.service.observe.config import LogsConfig
    from recocore.service.observe.observer import ServedBy


class SlowCalls(CallObserver):
    """Logs calls that take longer than `slow_milliseconds`, at most `slow_per_second`."""

    def __init__(self, config: LogsConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = config.slow_milliseconds / 1e3
        self._rate = config.slow_per_second
        self._most = max(1.0, self._rate)
        self._clock = clock
        self._lock = threading.Lock()
        self._left = self._most
        self._filled = clock()
        self._unlogged = 0

    def finished(self, method: str, status: str, seconds: float, hosted: ServedBy | None, call: Call) -> None:
        """See CallObserver."""
        if seconds <= self._seconds:
            return
        with self._lock:
            now = self._clock()
            self._left = min(self._most, self._left + (now - self._filled) * self._rate)
            self._filled = now
            if self._left < 1:
                self._unlogged += 1
                return
            self._left -= 1
            unlogged, self._unlogged = self._unlogged, 0
        log(
            logging.INFO,
            "slow call",
            method=method,
            status=status,
            request_id=call.request_id,
            milliseconds=round(seconds * 1e3, 3),
            model=None if hosted is None else hosted.version,
            unlogged=unlogged,
        )
