"""What is written into the audit log: every denial, and before and after every call that changes or reveals much."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from recocore.service.security.audit_log import AuditLog


class Auditing:
    """What one worker writes down. Safe from one event loop; nothing here waits for the disk.

    A flood of denials must not fill the disk: beyond so many a second they share a line, by method and reason.

    Args:
        log: the worker's chain; None to write nothing.
        denials_per_second: that have lines of their own.
        clock: seconds that only grow.
    """

    def __init__(
        self, log: AuditLog | None, denials_per_second: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._most = denials_per_second
        self._clock = clock
        self._second = clock()
        self._written = 0
        self._more: Counter[tuple[str, str]] = Counter()

    def denied(self, method: str, reason: str, **about: Any) -> None:
        """A call was denied; `about` says who called, from where, with which request id."""
        if self._log is None:
            return
        self.look()
        if self._written < self._most:
            self._written += 1
            self._log.write({"event": "denied", "method": method, "reason": reason, **about})
        else:
            self._more[method, reason] += 1

    def look(self) -> None:
        """Write the lines of a second that is over; called now and then, so that the last flood has its line too."""
        if self._log is None or self._clock() - self._second < 1.0:
            return
        for (method, reason), count in self._more.items():
            self._log.write({"event": "more denied", "method": method, "reason": reason, "count": count})
        self._more.clear()
        self._second, self._written = self._clock(), 0

    def begins(self, **about: Any) -> Future[None] | None:
        """A call is about to be carried out; what is returned is done when that is on the disk."""
        return None if self._log is None else self._log.keep({"event": "begins", **about})

    def ended(self, **about: Any) -> None:
        """A call was carried out, or was not."""
        if self._log is not None:
            self._log.write({"event": "ended", **about})

    def close(self) -> None:
        """Write what is left."""
        if self._log is not None:
            self._second = float("-inf")
            self.look()
            self._log.close()
