"""Calls that bring events: checked, each event once, and written together."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from recocore.errors import CorruptError, StorageError
from recocore.state.changes import Events
from recocore.state.checking import RowChecker
from recocore.state.draft import Draft
from recocore.state.history import pack_offsets
from recocore.state.joining import Joiner
from recocore.state.people import User
from recocore.state.rows import iso, now_us
from recocore.state.segment import EVENT, NO_EVENT, OFFSETS, sealed_rows
from recocore.state.values import DUPLICATE, OK, Durability, Receipt, RowResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from recocore.errors import RecocoreError
    from recocore.state.checking import Checked
    from recocore.state.commits import Commits
    from recocore.state.draft import Call

    # An event and whose it is.
    _Kept: TypeAlias = tuple[User, Checked]


class Recorder:
    """Records events in a state.

    Args:
        commits: of the state.
    """

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._checker = RowChecker(commits.keys)
        self._joiner = Joiner(commits) if commits.config.join_visitors else None

    def record(self, calls: Sequence[Call]) -> list[Receipt | RecocoreError]:
        """Record several calls with one fsync: each one's receipt, or the error that it gets.

        Raises:
            StorageError: the disk refuses what an earlier call left to do.
        """
        now = now_us()
        checked = self._checker.check([row for call in calls for row in call.rows], now)
        with self._commits.writing():
            try:
                return self._record(calls, checked, now)
            except StorageError as error:
                return [error] * len(calls)
            except CorruptError as error:
                if len(calls) == 1:
                    return [error]
        # A damaged record is the trouble of those who meet it.
        return [outcome for call in calls for outcome in self.record([call])]

    def _record(
        self, calls: Sequence[Call], checked: Sequence[Checked | RowResult], now: int
    ) -> list[Receipt | RecocoreError]:
        commits = self._commits
        sound = [each for each in checked if not isinstance(each, RowResult)]
        known = commits.log.ids.known([each[1] for each in sound])
        commits.people.load(each[0] for each in sound if each[1] not in known)
        draft = Draft(commits.log.last)
        receipts: list[Receipt | RecocoreError] = []
        waiting = iter(checked)
        met: set[bytes] = set()
        for call in calls:
            results, kept = self._kept(islice(waiting, len(call.rows)), known)
            rows = _rows(kept, draft) if kept else []
            if self._joiner is not None:
                rows += self._joiner.rows([packed for _, (_, _, _, packed, _) in kept], draft, met)
            if call.offsets:
                offsets = dict(call.offsets)
                plain, commit = pack_offsets(offsets), draft.commit + 1
                rows.append(commits.plain_row(OFFSETS, now, plain, commit, draft, offsets=offsets))
            draft.end_frame(rows)
            receipts.append(Receipt(draft.commit, tuple(results)))
        durable = any(call.durability is Durability.FSYNC for call in calls)
        commits.write(draft, durable=durable, ahead=True)
        return receipts

    def _kept(self, checked: Iterator[Checked | RowResult], known: set[bytes]) -> tuple[list[RowResult], list[_Kept]]:
        """A call's results, and its events that are recorded; `known` are those that are there, its own ones at the end."""
        cutoff, meet, cached = self._commits.table.progress.cutoff, self._commits.meet, self._commits.people.cached
        results: list[RowResult] = []
        kept: list[_Kept] = []
        for each in checked:
            if isinstance(each, RowResult):
                results.append(each)
                continue
            subject, event_id, time, _, visitor = each
            if event_id in known:
                results.append(DUPLICATE)
                continue
            if time < cutoff:
                results.append(_too_old(time, cutoff))
                continue
            user = cached.get(subject) or meet(subject)
            if not isinstance(user, User):
                results.append(_forgotten(visitor))
                continue
            kept.append((user, each))
            if event_id != NO_EVENT:
                known.add(event_id)
            results.append(OK)
        return results, kept


def _rows(kept: list[_Kept], draft: Draft) -> list[bytes]:
    """The rows of a call's events; what they change is noted in the draft."""
    commit, slots = draft.commit + 1, [user.slot for user, _ in kept]
    ciphers = [user.cipher for user, _ in kept]
    subjects, events, times, packed, _ = map(list, zip(*[checked for _, checked in kept], strict=True))
    draft.tally.see_all(times, events)
    draft.changes.append(Events(commit, subjects, slots, packed))
    nonces = os.urandom(12 * len(kept))
    return sealed_rows(EVENT, commit, ciphers, slots, times, subjects, events, packed, nonces)


def _too_old(time: int, cutoff: int) -> RowResult:
    message = f"event_time: expected {iso(cutoff)} or later, since older events are not kept, got {iso(time)}"
    return RowResult("invalid", "event_time", message)


def _forgotten(visitor: bool) -> RowResult:
    field = "visitor_id" if visitor else "user_id"
    return RowResult(
        "invalid", field, f"{field}: expected a user of whom events may be kept, got one who was forgotten"
    )
