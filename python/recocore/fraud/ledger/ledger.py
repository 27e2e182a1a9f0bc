"""FraudLedger: the log of what was scored, decided and reported; encrypted, with ids that are pseudonyms.

It is the log of `recocore.state`: frames with checksums, synced and sealed, opened again after any kill. A frame is one event:

    EVENT row     subject: the user's pseudonym; event: that of the event_id; the event
    EVENT row     subject: the user's pseudonym; event: the decision's id; counters and decision
    EVENT row     subject: the decision's id; event: a hash of the report; a report of its outcome
    RULES row     which rule set decides from here on

Payloads are under a key of their segment, which the master keys wrap. To forget a user, segments are written anew without the
user's rows and the reports on them.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from recocore.state.backup import back_up_folder
from recocore.state.disk import Disk
from recocore.state.folder import LOG, USER_KEYS, StateFolder, owned
from recocore.state.log import Log, Tally
from recocore.state.log_files import read_frames
from recocore.state.segment import EVENT, NO_EVENT, NO_SUBJECT, frame, plain_row, sealed_row
from recocore.state.user_keys import UserKeyWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from recocore.state.keys import KeyFile
    from recocore.state.log_files import Sealed
    from recocore.state.segment import Frame, Row

RULES: Final = 16


class Entry(NamedTuple):
    """A row to be written.

    Attributes:
        kind: EVENT or RULES.
        time: microseconds since 1970.
        subject: 16 bytes.
        id: 16 bytes by which it is found.
        plain: its content.
    """

    kind: int
    time: int
    subject: bytes
    id: bytes
    plain: bytes


class FraudLedger:
    """The one writer of a ledger's folder; methods may be called from any thread, and take turns.

    Args:
        folder: open.
        lock_descriptor: that holds the folder's lock.
        disk: the calls that write.
        segment_rows: a segment is sealed once it has so many.
    """

    def __init__(self, folder: StateFolder, lock_descriptor: int, disk: Disk, segment_rows: int) -> None:
        self._folder, self._lock_descriptor, self._segment_rows = folder, lock_descriptor, segment_rows
        self.keys = folder.keys
        self._lock = threading.RLock()
        self._log = Log(folder.path / LOG, folder.state_id, disk, 0)
        self._keys = UserKeyWriter(folder.path / USER_KEYS, folder.state_id, folder.keys, disk)
        self._take_key()
        self._closed = False

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        keys: KeyFile | None = None,
        *,
        disk: Disk | None = None,
        segment_rows: int = 250_000,
    ) -> Self:
        """Open a ledger, or make one where there is none.

        Args:
            path: the folder; its parent must be there.
            keys: the master keys; by default those in PATH.key, made with the ledger.
            disk: the calls that write.
            segment_rows: a segment is sealed once it has so many.

        Raises:
            InUseError: another process owns it.
            NotFoundError: the key file is missing.
            InvalidArgumentError: the keys are of another ledger, or the folder holds something else.
            CorruptError: it is damaged; the message names the file.
            StorageError: the disk refuses.
        """
        return owned(Path(path), keys, lambda folder, lock: cls(folder, lock, disk or Disk(), segment_rows))

    @property
    def path(self) -> Path:
        """The folder."""
        return self._folder.path

    @property
    def last(self) -> int:
        """The last commit."""
        return self._log.last

    @property
    def waits_for_sync(self) -> bool:
        """Whether something was written that the device may not hold yet."""
        return self._log.waits_for_sync

    def knows(self, one: bytes) -> bool:
        """Whether a row has an id. A look-up in a set, and in the sorted ids of each sealed segment."""
        with self._lock:
            return bool(self._log.ids.known((one,)))

    def write(self, groups: Iterable[Sequence[Entry]], *, durable: bool) -> int:
        """Add groups of rows, each whole or not at all: the last commit.

        Args:
            groups: a commit each.
            durable: wait for the device; else `flush` does, soon, and what is written survives the process alone.

        Raises:
            StorageError: the disk refuses; nothing of the call is in the log.
        """
        with self._lock:
            tally, data = Tally(last=self._log.last), []
            for group in groups:
                tally.last += 1
                data.append(frame(tally.last, [self._row(entry, tally.last) for entry in group]))
                for entry in group:
                    if entry.kind == EVENT:
                        tally.see(entry.time, entry.id)
            if data:
                self._log.write(b"".join(data), tally, durable=durable)
                if self._log.growing_events >= self._segment_rows:
                    self._log.seal()
                    self._take_key()
            return self._log.last

    def _row(self, entry: Entry, commit: int) -> bytes:
        if entry.kind == RULES:
            return plain_row(self.keys, RULES, self._slot, entry.time, entry.subject, entry.plain, commit)
        return sealed_row(
            EVENT, self._slot, entry.time, entry.subject, entry.id, entry.plain, commit, self._cipher, os.urandom(12)
        )

    def flush(self) -> None:
        """Wait until the device holds everything that was written before; writing goes on meanwhile.

        Raises:
            StorageError: the disk refuses.
        """
        self._log.flush_beside(self._lock)

    def commits(self, *, after: int = 0, naming: bytes = b"") -> Iterator[tuple[int, list[tuple[Row, bytes]]]]:
        """Commits after one, first to last: each with its rows and their contents. O(bytes of the log behind it).

        Args:
            after: the commit before the first.
            naming: only those in which these 16 bytes stand, as subject or as id; the others cost 0.3 us each.

        Raises:
            CorruptError: a file is damaged; the message names it.
        """
        with self._lock:
            until = self._log.last
        for each in read_frames(
            self._folder.path / LOG, self._folder.state_id, after=after, until=until, naming=naming
        ):
            if not naming or any(naming in (row.subject, row.event) for row in each.rows):
                yield each.commit, [(row, self.open_row(row, each.commit)) for row in each.rows]

    def open_row(self, row: Row, commit: int) -> bytes:
        """The content of a row.

        Raises:
            CorruptError: it is not what was written.
        """
        if row.kind == RULES:
            return row.open_plain(commit, self.keys)
        cipher = self._keys.cipher(row.slot)
        assert cipher is not None, "the key of a segment is never destroyed"
        return row.open(commit, cipher)

    def forget(self, subject: bytes) -> int:
        """Have no row of a user, and no report on one: how many rows went. O(bytes of the log); writing goes on meanwhile.

        Raises:
            StorageError: the disk refuses; call it again.
        """
        gone = {row.event for _, rows in self.commits(naming=subject) for row, _ in rows if row.subject == subject}
        gone -= {NO_EVENT}
        if not gone:
            return 0

        def stays(row: Row) -> bool:
            return row.subject != subject and row.subject not in gone

        dropped = 0
        for each in self.end_segment():
            rewritten = self.prepare(each.first, stays)
            if rewritten is not None:
                self.put_in_place(*rewritten)
                dropped += rewritten[0].events - rewritten[1].events
        return dropped

    def end_segment(self, before: int = 2**62) -> list[Sealed]:
        """Seal the segment that grows, where it has an event before a time: the sealed ones that have one.

        Raises:
            StorageError: the disk refuses.
        """
        with self._lock:
            if self._log.growing_oldest < before:
                self._log.seal()
                self._take_key()
            return [each for each in self._log.sealed if each.events and each.oldest < before]

    def prepare(self, first: int, stays: Callable[[Row], bool]) -> tuple[Sealed, Sealed] | None:
        """Write a sealed segment anew without some of its rows: the old one and the new one, None where all rows stay.

        Nothing changes until `put_in_place`; writing goes on meanwhile.

        Args:
            first: the segment's first commit.
            stays: says of a row whether it does.

        Raises:
            CorruptError: the segment is damaged.
            StorageError: the disk refuses.
        """
        sealed = self._sealed(first)
        rewritten = self._log.rewrite(sealed, stays)
        return None if rewritten is None else (sealed, rewritten[0])

    def put_in_place(self, old: Sealed, new: Sealed) -> None:
        """Have what `prepare` wrote in place of the old segment.

        Raises:
            StorageError: the disk refuses; the old one stays.
        """
        with self._lock:
            self._log.put_in_place(old, new)

    def frames(self, first: int | None = None) -> Iterator[Frame]:
        """Frames as they are kept, first to last: of a sealed segment, by its first commit, or of the whole log.

        Raises:
            CorruptError: a file is damaged; the message names it.
        """
        with self._lock:
            after, until = 0, self._log.last
        if first is not None:
            after, until = first - 1, self._sealed(first).last
        return read_frames(self._folder.path / LOG, self._folder.state_id, after=after, until=until)

    def _sealed(self, first: int) -> Sealed:
        with self._lock:
            return next(each for each in self._log.sealed if each.first == first)

    def backup(self, dest: Path, more: Callable[[], Iterable[str]]) -> dict[str, int]:
        """Copy the ledger while it is written; no segment may be rewritten meanwhile. See `back_up_folder`.

        Args:
            dest: of the backup.
            more: names further files of the folder, and is called once the log's end is known.
        """
        with self._lock:
            self._log.flush()
            sealed, growing = tuple(self._log.sealed), (self._log.growing_path, self._log.durable_bytes)
            user_keys, commit = self._keys.content(), self._log.last
        return back_up_folder(self.path, dest, sealed, growing, user_keys, commit, kind="fraud", more=more())

    def _take_key(self) -> None:
        """The growing segment's key: that in the slot of its number."""
        self._keys.first_free = len(self._log.sealed)
        self._slot, self._cipher = self._keys.take()

    def close(self) -> None:
        """Write what waits and give up the lock."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self._log.flush()
            finally:
                self._log.close()
                self._keys.close()
                os.close(self._lock_descriptor)


def rules_entry(plain: bytes, time: int) -> Entry:
    """The row that says which rules decide from here on."""
    return Entry(RULES, time, NO_SUBJECT, NO_EVENT, plain)
