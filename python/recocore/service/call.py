"""One call on its way through the server: its id, its deadline, and whether the caller still waits."""

from __future__ import annotations

import math
import os
import re
import time
from typing import TYPE_CHECKING

from recocore.errors import CancelledError
from recocore.service.limits import MAX_REQUEST_ID_CHARS
from recocore.service.problems import DeadlineError

if TYPE_CHECKING:
    from recocore.service.observe.observer import ServedBy
    from recocore.state import UserRecord

_NEW_BYTES = 8
_REQUEST_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_REQUEST_ID_CHARS}}}")


class Call:
    """What the code that works on a call may know about it.

    Attributes:
        request_id: names the call in logs, errors and attribution tokens.
        user_id: whom the call is about, once that is decoded; for the log, which turns it into a pseudonym.
        placement: where the items will be shown, once that is decoded; may be empty.
        traceparent: the caller's span as W3C Trace Context writes it, unchecked; None where there is none.
        caller: whose calls it counts among, where these are limited.
        who: the pseudonym of a caller whose credentials were verified; empty for others.
        hosted: what answers, once that is known.
        record: what is known of the user that the call is about, where that was read; None where nothing is known.
    """

    __slots__ = (
        *("_cancelled", "_deadline"),
        *("caller", "hosted", "placement", "record", "request_id", "traceparent", "user_id", "who"),
    )

    def __init__(
        self,
        request_id: str,
        seconds_left: float | None = None,
        traceparent: str | None = None,
        caller: str = "",
        who: str = "",
    ) -> None:
        self.request_id = request_id
        self.user_id: str | None = None
        self.placement = ""
        self.traceparent = traceparent
        self.caller = caller
        self.who = who
        self.hosted: ServedBy | None = None
        self.record: UserRecord | None = None
        self._deadline = None if seconds_left is None else time.monotonic() + seconds_left
        self._cancelled = False

    def cancel(self) -> None:
        """Say that nobody waits any more. Safe from any thread."""
        self._cancelled = True

    def give_up(self) -> str:
        """Cancel what the caller no longer waits for: the gRPC status that the caller sees."""
        self.cancel()
        return "DEADLINE_EXCEEDED" if self.expired else "CANCELLED"

    @property
    def seconds_left(self) -> float:
        """Until the deadline; infinite without one."""
        return math.inf if self._deadline is None else self._deadline - time.monotonic()

    @property
    def expired(self) -> bool:
        """Whether the deadline has passed."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def checkpoint(self) -> None:
        """Go on only where the answer can still be of use: before work, and between its parts.

        Raises:
            CancelledError: the caller cancelled.
            DeadlineError: the deadline has passed.
        """
        if self._cancelled:
            raise CancelledError("the caller cancelled")
        if self.expired:
            raise DeadlineError("the deadline passed before the answer was ready; allow more time")


def request_id(given: str | None = None) -> str:
    """The caller's request id where it has the right shape, else a new one of 16 characters."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return os.urandom(_NEW_BYTES).hex()


def request_ids(count: int) -> list[str]:
    """New request ids, drawn at once."""
    drawn = os.urandom(_NEW_BYTES * count).hex()
    return [drawn[start : start + 2 * _NEW_BYTES] for start in range(0, len(drawn), 2 * _NEW_BYTES)]
