"""The store: the one writer of a state.

A commit goes first to the log, then to the table of records that readers see, then it is acknowledged. The log with the users'
keys is the truth; the table follows from it, and an owner that opens the state brings it as far as the log, or makes it again.
Where a process is killed between the two, or the disk refuses the second, the rest is done before the next commit.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from recocore.data import EventBatch
from recocore.errors import CorruptError, InvalidArgumentError, RecocoreError, StorageError
from recocore.state.backup import back_up_state
from recocore.state.disk import Disk, refused
from recocore.state.draft import Call, Draft, Names
from recocore.state.exporting import exported
from recocore.state.flushing import Flusher
from recocore.state.folder import LOG, USER_KEYS, StateFolder, lock, make_folder
from recocore.state.history import History, pack_consent, pack_offsets
from recocore.state.log import Log
from recocore.state.people import Change, Forgotten, People, User
from recocore.state.rows import Event, check_event, iso, microseconds, pack, rows_of
from recocore.state.segment import (
    CONSENT,
    CUTOFF,
    EVENT,
    FORGET,
    NO_EVENT,
    NO_SLOT,
    NO_SUBJECT,
    OFFSETS,
    plain_row,
    sealed_row,
)
from recocore.state.table import Table
from recocore.state.user_keys import UserKeyWriter
from recocore.state.values import (
    DUPLICATE,
    MAX_ROWS,
    OK,
    Durability,
    ForgetReceipt,
    Receipt,
    RowResult,
    StateConfig,
    StateStats,
    UserRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta
    from types import TracebackType

    from recocore.state.keys import KeyFile
    from recocore.state.segment import Row

_LOGGER = logging.getLogger("recocore.state")
_PURPOSE = re.compile(r"[a-z0-9_-]{1,64}")
# Records and slots that are gone through while nobody else may write: others wait some milliseconds.
_PIECE = 1_000
# Changes that are applied in one transaction while the table follows the log.
_FOLLOWED = 20_000


class StateStore:
    """The one writer of a state folder; methods may be called from any thread, and take turns.

    Every method raises StorageError where the disk refuses: nothing of the call is acknowledged then, reads go on, and the next
    call tries again. CorruptError names the damaged file.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "state"
        >>> with StateStore.open(path) as store:
        ...     bought = {"event_id": "e1", "user_id": "ann", "item_id": "tea", "type": "buy"}
        ...     print(store.record([bought, bought]).results)
        ...     print(store.user("ann").seen, len(list(store.events())))
        ...     print(store.forget("ann").key_destroyed, store.user("ann").forgotten, len(list(store.events())))
        (RowResult(code='ok', field='', message=''), RowResult(code='duplicate', field='', message=''))
        ('tea',) 1
        True True 0
    """

    def __init__(self, folder: StateFolder, lock_descriptor: int, config: StateConfig, disk: Disk) -> None:
        self._folder, self._config, self._lock_descriptor = folder, config, lock_descriptor
        self._keys = folder.keys
        self._lock = threading.RLock()
        self._upkeep = threading.Lock()
        self._closed = False
        self._unapplied: list[Change] = []
        self._user_keys = UserKeyWriter(folder.path / USER_KEYS, folder.state_id, self._keys, disk)
        self._table = Table(folder.path, self._keys, config.map_bytes)
        self._history = History(folder.path / LOG, folder.state_id, self._user_keys, self._keys)
        self._people = People(self._table, self._user_keys, self._keys, config)
        self._flusher = Flusher(self._flush_late, config.buffered_ms / 1_000)
        try:
            self._begin(disk)
        except BaseException:
            self._let_go()
            raise

    def _begin(self, disk: Disk) -> None:
        folder = self._folder
        trusted = self._table.open_checked()
        known = self._table.progress.commit if trusted else 0
        self._log = Log(folder.path / LOG, folder.state_id, disk, known)
        if trusted:
            self._follow()
            self._user_keys.first_free = self._table.progress.first_free
        else:
            self.rebuild()
        if self._user_keys.capacity < self._user_keys.first_free:
            raise CorruptError(
                f"{folder.path / USER_KEYS}: expected {self._user_keys.first_free} keys or more, got "
                f"{self._user_keys.capacity}; restore it from a backup"
            )

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        config: StateConfig | None = None,
        *,
        keys: KeyFile | None = None,
        disk: Disk | None = None,
    ) -> Self:
        """Open a store, or make one where there is none.

        Args:
            path: the folder; its parent must be there.
            config: bounds.
            keys: the master keys; by default those in PATH.key, made with the store.
            disk: the calls that write the log and the users' keys.

        Raises:
            InUseError: another process owns it.
            NotFoundError: the key file is missing.
            InvalidArgumentError: the keys are of another state, or the folder holds something else.
            CorruptError: it is damaged; the message names the file.
            StorageError: the disk refuses.
        """
        path = Path(path)
        try:
            make_folder(path)
            descriptor = lock(path)
            try:
                folder = StateFolder.open_or_make(path, keys)
                return cls(folder, descriptor, config or StateConfig(), disk or Disk())
            except BaseException:
                os.close(descriptor)
                raise
        except OSError as error:
            raise refused(path, error) from error

    @property
    def path(self) -> Path:
        """The folder."""
        return self._folder.path

    @property
    def keys(self) -> KeyFile:
        """The master keys."""
        return self._keys

    @property
    def commit(self) -> int:
        """The last commit."""
        return self._log.last

    def record(
        self,
        events: EventBatch | Sequence[Mapping[str, Any] | bytes],
        *,
        durability: Durability = Durability.FSYNC,
        offsets: Mapping[str, int] | None = None,
    ) -> Receipt:
        """Record up to 1,000 events, each once for its event_id.

        Args:
            events: rows of `recocore.data.schema.EVENT_SCHEMA`; times as datetime or microseconds since 1970, and by default
                now. A row may be the MessagePack bytes of its map. An event without an event_id is not known again.
            durability: when the call returns.
            offsets: source → position, kept in the same commit: `offsets()` gives them back, so a consumer that begins there
                hears of every event once.

        Raises:
            InvalidArgumentError: too many events, or not events.
            StorageError: the disk refuses; nothing of the call is acknowledged, and it may be sent again.
        """
        [outcome] = self.record_many([Call(rows_of(events), durability, offsets)])
        if isinstance(outcome, RecocoreError):
            raise outcome
        return outcome

    def record_many(self, calls: Sequence[Call]) -> list[Receipt | RecocoreError]:
        """Record several calls with one fsync: each one's receipt, or the error that it gets.

        Raises:
            StorageError: the disk refuses what an earlier call left to do.
        """
        now = _now()
        checked = [[check_event(row, now) for row in call.rows] for call in calls]
        with self._writing():
            try:
                return self._record(calls, checked, now)
            except StorageError as error:
                return [error] * len(calls)
            except CorruptError as error:
                if len(calls) == 1:
                    return [error]
        # A damaged record is the trouble of those who meet it.
        return [outcome for call in calls for outcome in self.record_many([call])]

    def _record(
        self, calls: Sequence[Call], checked: Sequence[Sequence[Event | RowResult]], now: int
    ) -> list[Receipt | RecocoreError]:
        named = [[self._named(event) for event in events] for events in checked]
        known = self._log.ids.known(
            [each.event_id for events in named for each in events if each and each.event_id != NO_EVENT]
        )
        self._people.load(each.subject for events in named for each in events if each and each.event_id not in known)
        draft = Draft(self._log.last)
        receipts: list[Receipt | RecocoreError] = []
        for call, events, names in zip(calls, checked, named, strict=True):
            results, rows = [], []
            commit = draft.commit + 1
            nonces = os.urandom(12 * len(events))
            for at, (event, name) in enumerate(zip(events, names, strict=True)):
                if isinstance(event, RowResult):
                    results.append(event)
                    continue
                assert name is not None
                if name.event_id in known:
                    results.append(DUPLICATE)
                    continue
                row = self._row(event, name, commit, nonces[12 * at : 12 * at + 12], draft)
                if isinstance(row, bytes):
                    rows.append(row)
                    if name.event_id != NO_EVENT:
                        known.add(name.event_id)
                    results.append(OK)
                else:
                    results.append(row)
            if call.offsets:
                offsets = dict(call.offsets)
                rows.append(self._plain_row(OFFSETS, now, pack_offsets(offsets), commit, draft, offsets=offsets))
            draft.end_frame(rows)
            receipts.append(Receipt(draft.commit, tuple(results)))
        durable = any(call.durability is Durability.FSYNC for call in calls)
        self._write(draft, durable=durable)
        return receipts

    def _named(self, event: Event | RowResult) -> Names | None:
        if isinstance(event, RowResult):
            return None
        event_id = NO_EVENT if event.event_id is None else self._keys.event(event.event_id)
        if event.user_id is not None:
            return Names(self._keys.subject(event.user_id), event_id)
        assert event.visitor_id is not None
        return Names(self._keys.subject(event.visitor_id, visitor=True), event_id)

    def _row(self, event: Event, name: Names, commit: int, nonce: bytes, draft: Draft) -> bytes | RowResult:
        time = event.event_time
        assert isinstance(time, int)
        if time < self._table.progress.cutoff:
            cutoff = iso(self._table.progress.cutoff)
            message = f"event_time: expected {cutoff} or later, since older events are not kept, got {iso(time)}"
            return RowResult("invalid", "event_time", message)
        user = self._meet(name.subject)
        if isinstance(user, Forgotten):
            field = "visitor_id" if event.user_id is None else "user_id"
            return RowResult(
                "invalid", field, f"{field}: expected a user of whom events may be kept, got one who was forgotten"
            )
        assert event.item_id is None or isinstance(event.item_id, str)
        draft.tally.see(time, name.event_id)
        draft.changes.append(Change(EVENT, commit, name.subject, user.slot, time, event.item_id, event.type))
        return sealed_row(EVENT, user.slot, time, name.subject, name.event_id, pack(event), commit, user.cipher, nonce)

    def offsets(self) -> dict[str, int]:
        """Source → position, as the last calls of `record` that named the source said."""
        with self._reading():
            return dict(self._table.progress.offsets)

    def user(self, user_id: str | int, *, visitor: bool = False) -> UserRecord | None:
        """What is known of a user, as `StateReader.user`."""
        with self._reading():
            return _view(self._people.find(self._keys.subject(user_id, visitor=visitor)))

    def set_consent(self, user_id: str | int, purpose: str, granted: bool, *, visitor: bool = False) -> int:
        """Keep a user's answer for a purpose (up to 64 of a-z, 0-9, _ and -), durably: the commit.

        Raises:
            InvalidArgumentError: the purpose is no such name, or the user was forgotten.
        """
        given: Any = (purpose, granted)
        if not isinstance(given[0], str) or not _PURPOSE.fullmatch(purpose):
            raise InvalidArgumentError(
                f"purpose: expected up to 64 characters of a-z, 0-9, _ and -, got {purpose!r:.80}", field="purpose"
            )
        if not isinstance(given[1], bool):
            raise InvalidArgumentError(f"granted: expected True or False, got {granted!r:.40}", field="granted")
        with self._writing():
            subject, now, draft = self._keys.subject(user_id, visitor=visitor), _now(), Draft(self._log.last)
            user = self._meet(subject)
            if isinstance(user, Forgotten):
                raise InvalidArgumentError(
                    "user_id: expected a user of whom answers may be kept, got one who was forgotten", field="user_id"
                )
            commit = draft.commit + 1
            plain, nonce = pack_consent(purpose, granted), os.urandom(12)
            draft.changes.append(Change(CONSENT, commit, subject, user.slot, now, purpose, granted=granted))
            draft.end_frame([sealed_row(CONSENT, user.slot, now, subject, NO_EVENT, plain, commit, user.cipher, nonce)])
            self._write(draft, durable=True)
            return commit

    def consents(self, user_id: str | int, *, visitor: bool = False) -> dict[str, bool]:
        """A user's answers: purpose → granted."""
        with self._reading():
            user = self._people.find(self._keys.subject(user_id, visitor=visitor))
            return dict(user.record.consent) if isinstance(user, User) else {}

    def forget(self, user_id: str | int, *, visitor: bool = False) -> ForgetReceipt:
        """Destroy the user's key and record, durably, and take no event of the user from now on.

        From the return on nobody can read what log and backups of this state hold of the user; `compact` takes it away. A
        second call gives the first one's commit and time. The events of a visitor before the login are the visitor's:
        forget the visitor_id as well.

        Args:
            user_id: whom.
            visitor: the id is a visitor_id.
        """
        with self._writing():
            subject, now, draft = self._keys.subject(user_id, visitor=visitor), _now(), Draft(self._log.last)
            user = self._people.find(subject)
            if isinstance(user, Forgotten):
                return ForgetReceipt(user.commit, subject.hex(), iso(user.time), key_destroyed=False, events=0)
            slot = NO_SLOT if user is None else user.slot
            held = 0 if user is None else len(user.record.times)
            row = self._plain_row(FORGET, now, b"", draft.commit + 1, draft, subject=subject, slot=slot)
            draft.end_frame([row])
            self._write(draft, durable=True)
            return ForgetReceipt(draft.commit, subject.hex(), iso(now), key_destroyed=user is not None, events=held)

    def export_user(self, user_id: str | int, *, visitor: bool = False) -> dict[str, Any]:
        """Everything held of a user, as JSON holds it: id, pseudonym, record, answers with their history, events."""
        with self._reading():
            subject = self._keys.subject(user_id, visitor=visitor)
            found, until, cutoff = self._people.find(subject), self._log.last, self._table.progress.cutoff
        rows = self._history.of(subject, until, cutoff) if isinstance(found, User) else ()
        return exported(str(user_id), subject, _view(found), rows, visitor=visitor)

    def events(self, start: datetime | None = None, end: datetime | None = None) -> Iterator[EventBatch]:
        """The log in the order of its commits, events of `start <= event_time < end`; forgotten users' are left out.

        Batches of 65,536 rows. The store may be written meanwhile: what comes after the call began is not read.
        """
        with self._reading():
            until, cutoff = self._log.last, self._table.progress.cutoff
        return self._history.events(until, cutoff, start, end)

    def export_parquet(
        self, dest: str | os.PathLike[str], start: datetime | None = None, end: datetime | None = None
    ) -> int:
        """Write `events` as a Parquet file that appears whole or not at all: the number of rows. It is not encrypted."""
        return self._history.export_parquet(dest, lambda: self.events(start, end))

    def retain(self, max_age: timedelta, *, now: datetime | None = None) -> int:
        """Drop events older than `max_age` from log and records, and take none so old from now on: how many were dropped.

        The store may be written meanwhile.

        Args:
            max_age: by event_time.
            now: by default the clock's.
        """
        moment = _now() if now is None else microseconds(now, "now")
        cutoff = max(0, moment - round(max_age.total_seconds() * 1_000_000))
        with self._upkeep:
            with self._writing():
                draft = Draft(self._log.last)
                draft.end_frame([self._plain_row(CUTOFF, cutoff, b"", draft.commit + 1, draft)])
                self._write(draft, durable=True)
                cutoff = self._table.progress.cutoff
            self._drop_old(cutoff)
            return self._rewrite(lambda row: row.kind != EVENT or row.time >= cutoff)

    def compact(self) -> int:
        """Write those segments anew that hold forgotten users' events: bytes freed. The store may be written meanwhile."""
        with self._upkeep:
            before = self._log.total_bytes
            self._rewrite(lambda _: True)
            return max(0, before - self._log.total_bytes)

    def replay(self, source: StateStore | Iterable[EventBatch]) -> int:
        """Record a log again: the number of events that were new.

        Args:
            source: batches; or another store, whose events, answers and tombstones come with their commits, so that this
                store, which must be empty and of the same pseudonym key, has the same `digest` in the end.

        Raises:
            InvalidArgumentError: this store is not empty, or the other one has another pseudonym key.
        """
        if isinstance(source, StateStore):
            return self._replay_store(source)
        new = 0
        for batch in source:
            for start in range(0, len(batch), MAX_ROWS):
                piece = EventBatch(batch.table.slice(start, MAX_ROWS))
                new += sum(result.code == "ok" for result in self.record(piece).results)
        return new

    def backup(self, dest: str | os.PathLike[str]) -> dict[str, int]:
        """Copy the store to a folder while it is open; files that an earlier backup has are not copied again.

        Every file in `dest` is read back and its SHA-256 compared. The users' keys in it are replaced: who was forgotten since
        is forgotten in the backup. The master keys are not in it. See `restore`.

        Returns:
            files, copied and bytes: of the backup, of which copied now, and their size.
        """
        with self._upkeep:
            with self._writing():
                self._log.flush()
                sealed, growing = tuple(self._log.sealed), (self._log.growing_path, self._log.durable_bytes)
                user_keys, commit = self._user_keys.content(), self._log.last
            return back_up_state(self.path, Path(dest), sealed, growing, user_keys, commit)

    def rotate_master_key(self, *, drop_old: bool = False) -> int:
        """Make a new master key and wrap every user's key with it, while the store is written: the new key's number.

        Args:
            drop_old: delete older keys from the key file: then backups made before can be read by nobody.
        """
        with self._upkeep:
            number = self._keys.add_key()
            first = 0
            while first < self._user_keys.capacity:
                with self._writing():
                    self._user_keys.rewrap(first, first + _PIECE)
                first += _PIECE
            if drop_old:
                self._keys.keep_only(number)
            return number

    def stats(self) -> StateStats:
        """Sizes."""
        with self._reading():
            progress = self._table.progress
            return StateStats(
                commit=self._log.last,
                users=progress.users,
                forgotten=progress.forgotten,
                events=self._log.events,
                segments=len(self._log.sealed) + 1,
                log_bytes=self._log.total_bytes,
                record_bytes=self._table.file_bytes(),
                key_bytes=self._user_keys.content_bytes(),
                master_key=self._keys.active,
            )

    def digest(self) -> str:
        """The SHA-256 of what is known of every user, hexadecimal: equal for two stores that know the same. O(users).

        Users of whom nothing is known any longer, and the commits that brought what is known, are not part of it.
        """
        told = hashlib.sha256()
        for subject in self._subjects():
            with self._reading():
                found = _view(self._people.find(subject))
            if found is not None and (found.seen or found.recent or found.consent or found.forgotten):
                known = (found.seen, found.recent, sorted(found.consent.items()), found.forgotten)
                told.update(subject + repr(known).encode())
        with self._reading():
            progress = self._table.progress
        told.update(repr((progress.cutoff, sorted(progress.offsets.items()))).encode())
        return told.hexdigest()

    def rebuild(self) -> None:
        """Make the table of records again from the log. O(events)."""
        with self._writing_lock():
            if self._log.last:
                _LOGGER.warning("%s: makes the records again from the log of %d events", self.path, self._log.events)
            self._unapplied = []
            self._people = People(self._table, self._user_keys, self._keys, self._config)
            self._table.open_empty()
            self._follow()
            self._drop_old(self._table.progress.cutoff)
            self._user_keys.first_free = self._table.progress.first_free
            self._table.is_built()

    def verify(self) -> int:
        """Read everything: every row of the log and every record: the number of events. O(bytes).

        Raises:
            CorruptError: something is damaged; the message names it.
        """
        with self._reading():
            until = self._log.last
        events = sum(row.kind == EVENT for row, _, _ in self._history.rows(until=until))
        for subject in self._subjects():
            with self._reading():
                self._people.find(subject)
        return events

    def flush(self) -> None:
        """Wait until the device holds every acknowledged event."""
        with self._writing():
            self._log.flush()

    def close(self) -> None:
        """Write what is buffered and give up the lock. The store is closed even where this raises."""
        self._flusher.stop()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self._finish()
                self._log.flush()
                self._table.close()
            finally:
                self._let_go()
                os.close(self._lock_descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # What follows is called with the lock held.

    def _let_go(self) -> None:
        """Close every file, whatever was written."""
        self._table.close(synced=False)
        if hasattr(self, "_log"):
            self._log.close()
        self._user_keys.close()

    def _meet(self, subject: bytes) -> User | Forgotten:
        try:
            return self._people.meet(subject)
        except OSError as error:
            raise refused(self.path / USER_KEYS, error) from error

    def _plain_row(
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
        draft.changes.append(Change(kind, commit, subject, slot, moment, offsets=offsets))
        return plain_row(self._keys, kind, slot, moment, subject, plain, commit)

    def _write(self, draft: Draft, *, durable: bool) -> None:
        """Make a draft part of the log and of the table."""
        if not draft.frames:
            if durable:
                self._log.flush()
            return
        draft.tally.last = draft.commit
        self._log.write(b"".join(draft.frames), draft.tally, durable=durable)
        self._unapplied = draft.changes
        self._finish()
        if self._log.waits_for_sync:
            self._flusher.wake()
        if self._log.growing_events >= self._config.segment_events:
            try:
                self._log.seal()
                self._table.forget_dead_readers()
            except StorageError as error:
                _LOGGER.warning("the segment grows on: %s", error)

    def _subjects(self) -> Iterator[bytes]:
        """Everybody of whom there is an entry."""
        after: bytes | None = None
        while True:
            with self._reading():
                entries = self._table.after(after, _PIECE)
            yield from (subject for subject, _ in entries)
            if len(entries) < _PIECE:
                return
            after = entries[-1][0]

    def _finish(self) -> None:
        """Bring the table as far as the log."""
        if self._unapplied:
            try:
                self._people.apply(self._unapplied)
            except OSError as error:
                raise refused(self.path / USER_KEYS, error) from error
            self._unapplied = []

    def _follow(self) -> None:
        """Bring the table as far as the log that is on disk."""
        after, until = self._table.progress.commit, self._log.last
        for piece in _pieces(change for _, change, _ in self._history.rows(after=after, until=until)):
            self._unapplied = piece
            self._finish()
        if self._table.progress.commit < until:  # the last rows are of keys that are destroyed
            self._table.skip_to(until)

    def _drop_old(self, cutoff: int) -> None:
        after: bytes | None = None
        while cutoff:
            with self._writing():
                after = self._people.drop_old(after, _PIECE, cutoff)
            if after is None:
                return

    def _rewrite(self, keep: Any) -> int:
        """Write segments anew without rows that are not kept or whose key is destroyed: how many events they lost."""
        with self._writing():
            self._log.seal()
            sealed, destroyed = tuple(self._log.sealed), self._user_keys.destroyed()

        def stays(row: Row) -> bool:
            return row.kind == FORGET or (row.slot not in destroyed and keep(row))

        dropped = 0
        for each in sealed:
            rewritten = self._log.rewrite(each, stays)
            if rewritten is not None:
                new, lost = rewritten
                dropped += lost
                with self._writing():
                    self._log.put_in_place(each, new)
        return dropped

    def _replay_store(self, source: StateStore) -> int:
        if self._log.last or source.keys.fingerprint != self._keys.fingerprint:
            raise InvalidArgumentError(
                "source: expected a store of the same pseudonym key, for an empty store to replay it", field="source"
            )
        new = 0
        draft, rows, last = Draft(0), list[bytes](), 0
        with self._writing():
            for row, change, plain in source._history.rows(until=source.commit):
                if change.commit != last and rows:
                    draft.end_frame(rows, last)
                    rows = []
                    if len(draft.changes) >= 10 * MAX_ROWS:
                        self._write(draft, durable=False)
                        draft = Draft(last)
                last = change.commit
                new += row.kind == EVENT
                rows.append(self._again(row, change, plain, draft))
            if rows:
                draft.end_frame(rows, last)
            self._write(draft, durable=True)
        return new

    def _again(self, row: Row, change: Change, plain: bytes, draft: Draft) -> bytes:
        """A row of another store, under this one's keys."""
        if row.kind in (FORGET, OFFSETS, CUTOFF):
            found = self._people.find(row.subject) if row.kind == FORGET else None
            slot = found.slot if isinstance(found, User) else NO_SLOT
            return self._plain_row(
                row.kind, row.time, plain, change.commit, draft, subject=row.subject, slot=slot, offsets=change.offsets
            )
        user = self._meet(row.subject)
        assert isinstance(user, User), "a row behind the tombstone of its user"
        draft.changes.append(change._replace(slot=user.slot))
        if row.kind == EVENT:
            draft.tally.see(row.time, row.event)
        return sealed_row(
            row.kind, user.slot, row.time, row.subject, row.event, plain, change.commit, user.cipher, os.urandom(12)
        )

    def _flush_late(self) -> bool:
        """Sync what was acknowledged before; whether that is done."""
        with self._lock:
            if self._closed:
                return True
            try:
                self._log.flush()
            except StorageError as error:
                _LOGGER.warning("acknowledged events wait in memory: %s", error)
                return False
            return True

    @contextmanager
    def _writing_lock(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise InvalidArgumentError("store: expected an open one, got one that was closed")
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the store alone, the table as far as the log."""
        with self._writing_lock():
            self._finish()
            yield

    _reading = _writing_lock


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


def _view(found: User | Forgotten | None) -> UserRecord | None:
    if isinstance(found, Forgotten):
        return UserRecord(found.commit, forgotten=True)
    return None if found is None else found.record.view()


def _now() -> int:
    return round(datetime.now(UTC).timestamp() * 1_000_000)
