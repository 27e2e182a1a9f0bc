"""What workers read: records, by a look into the table, a key and one decryption; no lock is taken and nobody is asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

import lmdb

from recocore.errors import CorruptError, NotFoundError
from recocore.state.environments import SharedEnvironment, acquire, identity, release
from recocore.state.folder import LOG, USER_KEYS, StateFolder, is_owned
from recocore.state.history import History
from recocore.state.people import open_value
from recocore.state.record import read_record
from recocore.state.segment import EVENT
from recocore.state.table import FOLDER, check_file, is_trusted, read_progress, slot_of, unpack_tombstone
from recocore.state.tail import LogTail
from recocore.state.user_keys import UserKeys
from recocore.state.values import UserRecord

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from datetime import datetime
    from types import TracebackType

    from recocore.data import EventBatch
    from recocore.state.keys import KeyFile
    from recocore.state.segment import Frame, Row
    from recocore.state.table import Progress

# An owner that makes the table again puts another file in its place: looked for this often, in seconds.
_LOOK = 1.0
# Records that are kept as they were read, for as long as the table has the same bytes: some 5 KB each, 10 MB in all.
_KEPT = 2_048


class StateReader:
    """Reads users' records while the owner writes; for one process, and not across a fork. Threads may share it.

    A look-up sees the owner's last commit. Without a living owner the table is walked through first, so that a
    damaged file is refused and not crashed on.

    Example:
        >>> import tempfile, pathlib
        >>> from recocore.state import StateStore
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "state"
        >>> with StateStore.open(path) as store, StateReader.open(path) as reader:
        ...     receipt = store.record([{"user_id": "ann", "item_id": "tea", "type": "buy"}])
        ...     reader.commit >= receipt.commit, reader.user("ann").seen, reader.user("bob")
        (True, ('tea',), None)
    """

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._keys = folder.keys
        self._user_keys = UserKeys(folder.path / USER_KEYS, folder.state_id, folder.keys)
        self._history = History(folder.path / LOG, folder.state_id, self._user_keys, folder.keys)
        self._shared: SharedEnvironment | None = None
        self._next_look = 0.0
        self._kept: dict[bytes, tuple[bytes, UserRecord]] = {}
        try:
            self._open()
        except BaseException:
            self._user_keys.close()
            raise

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, keys: KeyFile | None = None) -> Self:
        """Open a store for reading; the owner must have made it.

        Args:
            path: the folder.
            keys: the master keys; by default those in PATH.key.

        Raises:
            NotFoundError: there is none, or no key file.
            InvalidArgumentError: the keys are of another state.
            CorruptError: it is damaged.
        """
        return cls(StateFolder.open(path, keys))

    @property
    def commit(self) -> int:
        """The last commit that is seen."""
        return self._progress().commit

    def user(self, user_id: str | int, *, visitor: bool = False) -> UserRecord | None:
        """What is known of a user, None where nothing is.

        Args:
            user_id: whom.
            visitor: the id is a visitor_id.

        Raises:
            CorruptError: the record is damaged; those of others are read on.
        """
        subject = self._keys.subject(user_id, visitor=visitor)
        value = self._get(subject)
        if value is None:
            return None
        stone = unpack_tombstone(self._keys, subject, value)
        if stone is not None:
            return UserRecord(stone[0], forgotten=True)
        cipher = self._user_keys.cipher(slot_of(value))
        if cipher is None:  # between the end of the key and the tombstone
            return UserRecord(self.commit, forgotten=True)
        kept = self._kept.get(subject)
        if kept is not None and kept[0] == value:
            return kept[1]
        record = read_record(open_value(cipher, subject, value))
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[subject] = (value, record)
        return record

    def pseudonym(self, user_id: str | int, *, visitor: bool = False) -> str:
        """The keyed hash of an id, 32 hexadecimal digits: what logs and metrics may name."""
        return self._keys.pseudonym(user_id, visitor=visitor)

    def offsets(self) -> dict[str, int]:
        """Source → position, as the last calls of `record` that named the source said."""
        return dict(self._progress().offsets)

    def events(self, start: datetime | None = None, end: datetime | None = None) -> Iterator[EventBatch]:
        """The log in the order of its commits, events of `start <= event_time < end`; forgotten users' are left out.

        Batches of 65,536 rows.

        Raises:
            CorruptError: a file of the log is damaged; the message names it.
        """
        progress = self._progress()
        return self._history.events(progress.commit, progress.cutoff, start, end)

    def tail(self, after: int) -> LogTail:
        """The log's frames after a commit, to be looked at again and again; see `opened`."""
        return LogTail(self._folder.path / LOG, self._folder.state_id, after)

    def opened(self, frame: Frame) -> Iterator[tuple[Row, bytes]]:
        """The events of a frame, each with its payload; forgotten users' and those that are no longer kept are left out.

        Raises:
            CorruptError: a row or a key is damaged.
        """
        cutoff = self._progress().cutoff
        for row in frame.rows:
            if row.kind == EVENT and row.time >= cutoff:
                cipher = self._user_keys.cipher(row.slot)
                if cipher is not None:
                    yield row, row.open(frame.commit, cipher)

    def export_parquet(
        self, dest: str | os.PathLike[str], start: datetime | None = None, end: datetime | None = None
    ) -> int:
        """Write `events` as a Parquet file that appears whole or not at all: the number of rows. It is not encrypted."""
        return self._history.export_parquet(dest, lambda: self.events(start, end))

    def close(self) -> None:
        """Let go of the files."""
        self._shut()
        self._user_keys.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _progress(self) -> Progress:
        return read_progress(self._keys, self._get(b"meta"))

    def _get(self, key: bytes) -> bytes | None:
        try:
            with self._opened().begin() as transaction:
                value: bytes | None = transaction.get(key)
                return value
        except lmdb.Error as error:
            return self._get_again(key, error)

    def _get_again(self, key: bytes, reason: lmdb.Error) -> bytes | None:
        """Look again: another thread has opened the table of a new owner, or the table has outgrown what is mapped of it."""
        try:
            if isinstance(reason, lmdb.MapResizedError):
                assert self._shared is not None, "the reader is closed"
                self._shared.look()
            with self._opened().begin() as transaction:
                value: bytes | None = transaction.get(key)
                return value
        except lmdb.Error:
            raise CorruptError(f"{self._folder.path / FOLDER}: {reason}; have the owner make it again") from reason

    def _opened(self) -> Any:
        assert self._shared is not None, "the reader is closed"
        now = time.monotonic()
        if now > self._next_look:
            self._next_look = now + _LOOK
            if self._shared.is_replaced() and is_trusted(self._folder.path):  # not while the new one is being made
                self._shared.look()
        return self._shared.get()

    def _open(self) -> None:
        path = self._folder.path
        if identity(path / FOLDER) is None:
            raise NotFoundError(f"{path}: there are no records yet; start the owner, which makes them")
        if not is_trusted(path):
            raise NotFoundError(
                f"{path}: the records have to be made from the log first; start the owner, which makes them"
            )
        if not is_owned(path):
            try:
                check_file(path, self._keys)
            except CorruptError:
                if not is_owned(path):  # else an owner has begun to write under the check
                    raise
        self._shared = acquire(path / FOLDER)
        try:
            self._opened()
        except lmdb.Error as error:
            raise CorruptError(f"{path / FOLDER}: {error}; have the owner make it again") from error

    def _shut(self) -> None:
        if self._shared is not None:
            release(self._shared)
            self._shared = None
