"""What of a ledger may go because it is old, and dropping it while the ledger is written.

A row goes once its event is older than the cut, unless it is

    of a decision of review on which nobody has reported an outcome,
    of a decision with a report, or a report, that is not older than the cut, or
    a report on a decision that stays.

The cut is never later than what the longest window needs of the newest event, so that counters made again from what is left are
those that were: the window, one tile of it, and a day for events that come late.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from recocore.errors import InvalidArgumentError
from recocore.fraud.ledger.contents import is_report, read_kept
from recocore.state.segment import EVENT

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from recocore.fraud.decision import FraudModel
    from recocore.fraud.ledger.ledger import FraudLedger
    from recocore.state.segment import Row

# Events that come later than that may find windows emptier in counters that were made again.
_LATE = timedelta(days=1)


def windows_need(model: FraudModel) -> timedelta:
    """How far behind the newest event counters look: the longest window, one tile of it, and a day for late events."""
    longest = max((spec.window for spec in model.specs), default=timedelta(0))
    return longest + longest / int(model.velocity["tiles"]) + _LATE


def check_keep(model: FraudModel, keep: timedelta) -> None:
    """Refuse to keep less than the windows need.

    Raises:
        InvalidArgumentError: it is less.
    """
    least = windows_need(model)
    if keep < least:
        raise InvalidArgumentError(
            f"keep_days: expected at least {-(-least // timedelta(days=1))}, which the longest window of the model needs, "
            f"got {keep / timedelta(days=1):g}; keep more, or 0 to keep all",
            field="fraud.keep_days",
        )


class Retention:
    """Drops what is older than a cut, a segment at a time; killed in between, the next one goes on.

    Args:
        ledger: that is written meanwhile.
        cut: microseconds since 1970.
    """

    def __init__(self, ledger: FraudLedger, cut: int) -> None:
        self._ledger, self._cut = ledger, cut
        # By decision, the time of its latest report.
        self._latest: dict[bytes, int] = {}
        self._reported: set[bytes] = set()

    def reported(self, decision: bytes, time: int) -> None:
        """Take note of a report that is written while this runs; called with the lock held that `run` is given."""
        self._latest[decision] = max(time, self._latest.get(decision, time))
        self._reported.add(decision)

    def run(self, lock: AbstractContextManager[Any], rewriting: AbstractContextManager[Any]) -> int:
        """Do it: how many rows went. O(bytes of the log).

        Args:
            lock: under which rows are written; held while a segment takes the place of another.
            rewriting: under which segments are rewritten; held for a segment at a time, so that others have their turn.

        Raises:
            CorruptError: a file is damaged.
            StorageError: the disk refuses; call it again.
        """
        with rewriting, lock:
            numbers = [each.first for each in self._ledger.end_segment(self._cut)]
        if not numbers:
            return 0
        for frame in self._ledger.frames():
            row = frame.rows[0]
            if len(frame.rows) == 1 and row.kind == EVENT and is_report(self._ledger.open_row(row, frame.commit)):
                with lock:
                    self._latest[row.subject] = max(row.time, self._latest.get(row.subject, row.time))
        dropped = 0
        for number in numbers:
            with rewriting:
                dropped += self._rewrite(number, lock)
        return dropped

    def _rewrite(self, number: int, lock: AbstractContextManager[Any]) -> int:
        while True:
            going = self._going(number)
            rewritten = self._ledger.prepare(number, partial(_stays, going))
            if rewritten is None:
                return 0
            with lock:
                # Whoever reported on one of these meanwhile was told that it is there.
                if self._reported.isdisjoint(going):
                    self._ledger.put_in_place(*rewritten)
                    return rewritten[0].events - rewritten[1].events

    def _going(self, number: int) -> set[bytes]:
        """The ids of a segment's rows that go."""
        going: set[bytes] = set()
        for frame in self._ledger.frames(number):
            row, *more = frame.rows
            if row.kind != EVENT or row.time >= self._cut:
                continue
            if row.subject in self._latest:
                # A report, and what it is on came before: here, or in a segment that was dealt with.
                if row.subject in going or not self._ledger.knows(row.subject):
                    going.add(row.event)
            elif not (more and self._is_needed(more[0], frame.commit)):
                going.update(each.event for each in frame.rows)
        return going

    def _is_needed(self, decision: Row, commit: int) -> bool:
        latest = self._latest.get(decision.event)
        if latest is not None:
            return latest >= self._cut
        return bool(read_kept(self._ledger.open_row(decision, commit)).decision["decision"] == "review")


def _stays(going: set[bytes], row: Row) -> bool:
    return row.kind != EVENT or row.event not in going
