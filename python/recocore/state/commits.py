"""The log with the table of records behind it, under one lock.

A commit goes first to the log, then to the table of records that readers see, then it is acknowledged. The log with the users'
keys is the truth; the table follows from it, and an owner that opens the state brings it as far as the log, or makes it again.
Where a process is killed between the two, or the disk refuses the second, the rest is done before the next commit.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from recocore.errors import CorruptError, InvalidArgumentError, StorageError
from recocore.state.changes import Change
from recocore.state.disk import refused
from recocore.state.flushing import Flusher
from recocore.state.folder import LOG, USER_KEYS
from recocore.state.history import History
from recocore.state.log import Log
from recocore.state.people import Forgotten, People, User
from recocore.state.segment import EVENT, NO_SLOT, NO_SUBJECT, plain_row
from recocore.state.table import Table
from recocore.state.user_keys import UserKeyWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from recocore.state.changes import Events
    from recocore.state.disk import Disk
    from recocore.state.draft import Draft
    from recocore.state.folder import StateFolder
    from recocore.state.keys import KeyFile
    from recocore.state.values import StateConfig
    from recocore.state.work import Work

_LOGGER = logging.getLogger("recocore.state")
# Records that are gone through while nobody else may write: others wait some milliseconds.
PIECE = 1_000
# Changes that are applied in one transaction while the table follows the log.
_FOLLOWED = 20_000
# From so many events on records are made while the device is waited for: handing the wait to another thread takes 0.02 ms
# where nobody else computes, and as many records 0.1 to 0.2.
_AHEAD = 32


class Commits:
    """What a store has open, and how it is changed. Threads take turns: see `writing` and `reading`.

    Args:
        folder: of the state.
        lock_descriptor: of the folder's lock, which `close` gives up.
        config: bounds.
        disk: the calls that write the log and the users' keys.

    Attributes:
        keys: the master keys.
        user_keys: of users.
        log, table, people: to be changed while `writing`.
        history: reads the log.

    Raises:
        As `StateStore.open`.
    """

    def __init__(self, folder: StateFolder, lock_descriptor: int, config: StateConfig, disk: Disk) -> None:
        self.folder, self.config, self._lock_descriptor = folder, config, lock_descriptor
        self.keys: KeyFile = folder.keys
        self._lock = threading.RLock()
        self._closed = False
        self._unapplied: Sequence[Change | Events] = []
        self.user_keys = UserKeyWriter(folder.path / USER_KEYS, folder.state_id, self.keys, disk)
        self.table = Table(folder.path, self.keys, config.map_bytes)
        self.history = History(folder.path / LOG, folder.state_id, self.user_keys, self.keys)
        self.people = People(self.table, self.user_keys, self.keys, config)
        self._flusher = Flusher(self._flush_late, config.buffered_ms / 1_000)
        try:
            self._begin(disk)
        except BaseException:
            self._let_go()
            raise

    def _begin(self, disk: Disk) -> None:
        folder = self.folder
        trusted = self.table.open_checked()
        known = self.table.progress.commit if trusted else 0
        self.log = Log(folder.path / LOG, folder.state_id, disk, known)
        if trusted:
            self._follow()
            self.user_keys.first_free = self.table.progress.first_free
        else:
            self.rebuild()
        if self.user_keys.capacity < self.user_keys.first_free:
            raise CorruptError(
                f"{folder.path / USER_KEYS}: expected {self.user_keys.first_free} keys or more, got "
                f"{self.user_keys.capacity}; restore it from a backup"
            )

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold the store alone."""
        with self._lock:
            if self._closed:
                raise InvalidArgumentError("store: expected an open one, got one that was closed")
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the store alone, the table as far as the log.

        Raises:
            StorageError: the disk refuses what an earlier call left to do.
        """
        with self.reading():
            self._finish()
            yield

    def write(self, draft: Draft, *, durable: bool, ahead: bool = False) -> None:
        """Make a draft part of the log and of the table, while `writing`.

        Args:
            draft: what is to be written.
            durable: wait for the device.
            ahead: records are made while the device is waited for; not for what destroys a key.

        Raises:
            StorageError: the disk refuses; where it refuses the log, nothing has changed.
        """
        if not draft.frames:
            if durable:
                self.log.flush()
            return
        draft.tally.last = draft.commit
        prepared: Work | None = None

        def prepare() -> None:
            nonlocal prepared
            prepared = self.people.prepared(draft.changes)

        meanwhile = prepare if ahead and draft.tally.events >= _AHEAD else None
        self.log.write(b"".join(draft.frames), draft.tally, durable=durable, meanwhile=meanwhile)
        self._unapplied = draft.changes
        self._finish(prepared)
        if self.log.waits_for_sync:
            self._flusher.wake()
        if self.log.growing_events >= self.config.segment_events:
            try:
                self.log.seal()
                self.table.forget_dead_readers()
            except StorageError as error:
                _LOGGER.warning("the segment grows on: %s", error)

    def meet(self, subject: bytes) -> User | Forgotten:
        """A user, with a new key where nothing is known, while `writing`.

        Raises:
            StorageError: a key was needed, and the disk refuses it.
        """
        try:
            return self.people.meet(subject)
        except OSError as error:
            raise refused(self.folder.path / USER_KEYS, error) from error

    def plain_row(
        self,
        kind: int,
        moment: int,
        plain: bytes,
        commit: int,
        draft: Draft,
        *,
        subject: bytes = NO_SUBJECT,
        slot: int = NO_SLOT,
        offsets: dict[str, int] | None = None,
    ) -> bytes:
        """The bytes of a row that is encrypted for nobody; what it changes is noted in the draft."""
        draft.changes.append(Change(kind, commit, subject, slot, moment, offsets=offsets))
        return plain_row(self.keys, kind, slot, moment, subject, plain, commit)

    def subjects(self) -> Iterator[bytes]:
        """Everybody of whom there is an entry. The store may be written meanwhile."""
        after: bytes | None = None
        while True:
            with self.reading():
                entries = self.table.after(after, PIECE)
            yield from (subject for subject, _ in entries)
            if len(entries) < PIECE:
                return
            after = entries[-1][0]

    def drop_old(self, cutoff: int) -> None:
        """Leave older events out of every record. The store may be written meanwhile."""
        after: bytes | None = None
        while cutoff:
            with self.writing():
                after = self.people.drop_old(after, PIECE, cutoff)
            if after is None:
                return

    def rebuild(self) -> None:
        """Make the table of records again from the log. O(events)."""
        with self.reading():
            if self.log.last:
                _LOGGER.warning(
                    "%s: makes the records again from the log of %d events", self.folder.path, self.log.events
                )
            self._unapplied = []
            self.people = People(self.table, self.user_keys, self.keys, self.config)
            self.table.open_empty()
            self._follow()
            self.drop_old(self.table.progress.cutoff)
            self.user_keys.first_free = self.table.progress.first_free
            self.table.is_built()

    def close(self) -> None:
        """Write what is buffered and give up the lock. All is closed even where this raises."""
        self._flusher.stop()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self._finish()
                self.log.flush()
                self.table.close()
            finally:
                self._let_go()
                os.close(self._lock_descriptor)

    def _let_go(self) -> None:
        """Close every file, whatever was written."""
        self.table.close(synced=False)
        if hasattr(self, "log"):
            self.log.close()
        self.user_keys.close()

    def _finish(self, prepared: Work | None = None) -> None:
        """Bring the table as far as the log."""
        if self._unapplied:
            try:
                self.people.apply(self._unapplied, prepared)
            except OSError as error:
                raise refused(self.folder.path / USER_KEYS, error) from error
            self._unapplied = []

    def _follow(self) -> None:
        """Bring the table as far as the log that is on disk."""
        after, until = self.table.progress.commit, self.log.last
        for piece in _pieces(change for _, change, _ in self.history.rows(after=after, until=until)):
            self.people.load(change.subject for change in piece if change.kind == EVENT)
            self._unapplied = piece
            self._finish()
        if self.table.progress.commit < until:  # the last rows are of keys that are destroyed
            self.table.skip_to(until)

    def _flush_late(self) -> bool:
        """Sync what was acknowledged before, while others write; whether that is done."""
        with self._lock:
            if self._closed:
                return True
        try:
            self.log.flush_beside(self._lock)
        except StorageError as error:
            _LOGGER.warning("acknowledged events wait in memory: %s", error)
            return False
        return True


def _pieces(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Changes in pieces of some size that end where a commit does: a piece is applied as one, a commit never in two."""
    piece: list[Change] = []
    for change in changes:
        if len(piece) >= _FOLLOWED and piece[-1].commit != change.commit:
            yield piece
            piece = []
        piece.append(change)
    if piece:
        yield piece
