"""What is done to a whole state while it is served: dropping what is old, compaction, backup, new master keys, checks."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

from recocore.state.backup import back_up_folder
from recocore.state.commits import PIECE
from recocore.state.draft import Draft
from recocore.state.people import view_of
from recocore.state.segment import CUTOFF, EVENT, FORGET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recocore.state.commits import Commits
    from recocore.state.segment import Row


class Upkeep:
    """Looks after a state; one task at a time, and calls that write go on meanwhile.

    Args:
        commits: of the state.
    """

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._lock = threading.Lock()

    def retain(self, cutoff: int) -> int:
        """Drop events before `cutoff`, in microseconds, and take none so old from now on: how many were dropped."""
        commits = self._commits
        with self._lock:
            with commits.writing():
                draft = Draft(commits.log.last)
                draft.end_frame([commits.plain_row(CUTOFF, cutoff, b"", draft.commit + 1, draft)])
                commits.write(draft, durable=True)
                cutoff = commits.table.progress.cutoff
            commits.drop_old(cutoff)
            return self._rewrite(lambda row: row.kind != EVENT or row.time >= cutoff)

    def compact(self) -> int:
        """Write those segments anew that hold forgotten users' events: bytes freed."""
        log = self._commits.log
        with self._lock:
            before = log.total_bytes
            self._rewrite(lambda _: True)
            return max(0, before - log.total_bytes)

    def backup(self, dest: Path) -> dict[str, int]:
        """Copy the state. See `StateStore.backup`."""
        commits = self._commits
        with self._lock:
            with commits.writing():
                commits.log.flush()
                sealed, growing = tuple(commits.log.sealed), (commits.log.growing_path, commits.log.durable_bytes)
                user_keys, commit = commits.user_keys.content(), commits.log.last
            return back_up_folder(commits.folder.path, dest, sealed, growing, user_keys, commit)

    def rotate_master_key(self, *, drop_old: bool) -> int:
        """Wrap every user's key with a new master key: its number. See `StateStore.rotate_master_key`."""
        commits = self._commits
        with self._lock:
            number = commits.keys.add_key()
            first = 0
            while first < commits.user_keys.capacity:
                with commits.writing():
                    commits.user_keys.rewrap(first, first + PIECE)
                first += PIECE
            if drop_old:
                commits.keys.keep_only(number)
            return number

    def digest(self) -> str:
        """The SHA-256 of what is known of every user. See `StateStore.digest`."""
        commits, told = self._commits, hashlib.sha256()
        for subject in commits.subjects():
            with commits.reading():
                found = view_of(commits.people.find(subject))
            if found is not None:
                consent, declared = sorted(found.consent.items()), sorted(found.declared)
                known = (found.seen, found.recent, consent, found.forgotten, found.profile, declared, found.links)
                if any(known):
                    told.update(subject + repr(known).encode())
        with commits.reading():
            progress = commits.table.progress
        told.update(repr((progress.cutoff, sorted(progress.offsets.items()))).encode())
        return told.hexdigest()

    def verify(self) -> int:
        """Read every row of the log and every record: the number of events.

        Raises:
            CorruptError: something is damaged; the message names it.
        """
        commits = self._commits
        with commits.reading():
            until = commits.log.last
        events = sum(row.kind == EVENT for row, _, _ in commits.history.rows(until=until))
        for subject in commits.subjects():
            with commits.reading():
                view_of(commits.people.find(subject))
        return events

    def _rewrite(self, keep: Callable[[Row], bool]) -> int:
        """Write segments anew without rows that are not kept or whose key is destroyed: how many events they lost."""
        commits = self._commits
        with commits.writing():
            commits.log.seal()
            sealed, destroyed = tuple(commits.log.sealed), commits.user_keys.destroyed()

        def stays(row: Row) -> bool:
            return row.kind == FORGET or (row.slot not in destroyed and keep(row))

        dropped = 0
        for each in sealed:
            rewritten = commits.log.rewrite(each, stays)
            if rewritten is not None:
                new, lost = rewritten
                dropped += lost
                with commits.writing():
                    commits.log.put_in_place(each, new)
        return dropped
