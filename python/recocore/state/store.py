"""The store: the one writer of a state, as callers see it.

`commits` holds the log and the table of records, `recording` takes events, `rights` does what people may ask for, `upkeep`
looks after the whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from recocore.data import EventBatch
from recocore.errors import RecocoreError
from recocore.state import rights, statements
from recocore.state.commits import Commits
from recocore.state.disk import Disk
from recocore.state.draft import Call
from recocore.state.folder import owned
from recocore.state.people import view_of
from recocore.state.recording import Recorder
from recocore.state.replaying import replay
from recocore.state.rows import microseconds, now_us, rows_of
from recocore.state.upkeep import Upkeep
from recocore.state.values import MAX_ROWS, Durability, ForgetReceipt, Receipt, StateConfig, StateStats, UserRecord

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta
    from types import TracebackType

    from recocore.state.keys import KeyFile


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

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._recorder, self._upkeep = Recorder(commits), Upkeep(commits)

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
        return owned(
            Path(path),
            keys,
            lambda folder, lock: cls(Commits(folder, lock, config or StateConfig(), disk or Disk())),
        )

    @property
    def path(self) -> Path:
        """The folder."""
        return self._commits.folder.path

    @property
    def keys(self) -> KeyFile:
        """The master keys."""
        return self._commits.keys

    @property
    def commit(self) -> int:
        """The last commit."""
        return self._commits.log.last

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
        return self._recorder.record(calls)

    def offsets(self) -> dict[str, int]:
        """Source → position, as the last calls of `record` that named the source said."""
        with self._commits.reading():
            return dict(self._commits.table.progress.offsets)

    def user(self, user_id: str | int, *, visitor: bool = False) -> UserRecord | None:
        """What is known of a user, as `StateReader.user`."""
        with self._commits.reading():
            return view_of(self._commits.people.find(self._subject(user_id, visitor)))

    def set_consent(self, user_id: str | int, purpose: str, granted: bool, *, visitor: bool = False) -> int:
        """Keep a user's answer for a purpose (up to 64 of a-z, 0-9, _ and -), durably: the commit.

        Raises:
            InvalidArgumentError: the purpose is no such name, or the user was forgotten.
        """
        return rights.set_consent(self._commits, self._subject(user_id, visitor), purpose, granted)

    def consents(self, user_id: str | int, *, visitor: bool = False) -> dict[str, bool]:
        """A user's answers: purpose → granted."""
        return rights.consents(self._commits, self._subject(user_id, visitor))

    def declare(
        self, user_id: str | int, attributes: Mapping[str, str | None], source: str, *, version: int | None = None
    ) -> int:
        """Keep what a user said of themselves, durably: the commit, which is the version of all that was said.

        Args:
            user_id: whose.
            attributes: name → value; None takes back what was said before.
            source: who says that they said so.
            version: `UserRecord.declared_version` that the caller has seen; None for any.

        Raises:
            ConflictError: another version holds.
            NoConsentError: the user wants no profile.
            InvalidArgumentError: a name or value that cannot be kept, or the user was forgotten.
        """
        return statements.declare(self._commits, user_id, attributes, source, version)

    def link(self, source_id: str | int, target_id: str | int, *, visitor: bool = False, why: str = "") -> int:
        """State that an id is the same person as a user, durably: the commit, which is the link's number.

        Both records stay as they are: each names the other one. Forgetting the target forgets the source.

        Args:
            source_id: a user_id, or a visitor_id.
            target_id: the user.
            visitor: the source is a visitor_id.
            why: what told so.

        Raises:
            AlreadyExistsError: the source is linked to a user already.
            NoConsentError: one of them wants no profile.
            InvalidArgumentError: both are one person already, or one was forgotten.
        """
        return statements.link(self._commits, source_id, target_id, visitor=visitor, why=why)

    def unlink(self, target_id: str | int, number: int) -> int:
        """Take a link back, durably: the commit. It stays in the history.

        Raises:
            NotFoundError: there is no such link into the target that holds.
        """
        return statements.unlink(self._commits, target_id, number)

    def forget(self, user_id: str | int, *, visitor: bool = False) -> ForgetReceipt:
        """Destroy the user's key and record, durably, and take no event of the user from now on.

        From the return on nobody can read what log and backups of this state hold of the user; `compact` takes it away. A
        second call gives the first one's commit and time. The events of a visitor before the login are the visitor's:
        forget the visitor_id as well.

        Args:
            user_id: whom.
            visitor: the id is a visitor_id.
        """
        return rights.forget(self._commits, self._subject(user_id, visitor))

    def export_user(self, user_id: str | int, *, visitor: bool = False) -> dict[str, Any]:
        """Everything held of a user, as JSON holds it: id, pseudonym, record, answers with their history, events."""
        return rights.export(self._commits, str(user_id), visitor=visitor)

    def events(self, start: datetime | None = None, end: datetime | None = None) -> Iterator[EventBatch]:
        """The log in the order of its commits, events of `start <= event_time < end`; forgotten users' are left out.

        Batches of 65,536 rows. The store may be written meanwhile: what comes after the call began is not read.
        """
        commits = self._commits
        with commits.reading():
            until, cutoff = commits.log.last, commits.table.progress.cutoff
        return commits.history.events(until, cutoff, start, end)

    def export_parquet(
        self, dest: str | os.PathLike[str], start: datetime | None = None, end: datetime | None = None
    ) -> int:
        """Write `events` as a Parquet file that appears whole or not at all: the number of rows. It is not encrypted."""
        return self._commits.history.export_parquet(dest, lambda: self.events(start, end))

    def retain(self, max_age: timedelta, *, now: datetime | None = None) -> int:
        """Drop events older than `max_age` from log and records, and take none so old from now on: how many were dropped.

        The store may be written meanwhile.

        Args:
            max_age: by event_time.
            now: by default the clock's.
        """
        moment = now_us() if now is None else microseconds(now, "now")
        return self._upkeep.retain(max(0, moment - round(max_age.total_seconds() * 1_000_000)))

    def compact(self) -> int:
        """Write those segments anew that hold forgotten users' events: bytes freed. The store may be written meanwhile."""
        return self._upkeep.compact()

    def replay(self, source: StateStore | Iterable[EventBatch]) -> int:
        """Record a log again: the number of events that were new.

        Args:
            source: batches; or another store, whose events, answers and tombstones come with their commits, so that this
                store, which must be empty and of the same pseudonym key, has the same `digest` in the end.

        Raises:
            InvalidArgumentError: this store is not empty, or the other one has another pseudonym key.
        """
        if isinstance(source, StateStore):
            return replay(source._commits, self._commits)
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
        return self._upkeep.backup(Path(dest))

    def rotate_master_key(self, *, drop_old: bool = False) -> int:
        """Make a new master key and wrap every user's key with it, while the store is written: the new key's number.

        Args:
            drop_old: delete older keys from the key file: then backups made before can be read by nobody.
        """
        return self._upkeep.rotate_master_key(drop_old=drop_old)

    def stats(self) -> StateStats:
        """Sizes."""
        commits = self._commits
        with commits.reading():
            progress = commits.table.progress
            return StateStats(
                commit=commits.log.last,
                users=progress.users,
                forgotten=progress.forgotten,
                events=commits.log.events,
                segments=len(commits.log.sealed) + 1,
                log_bytes=commits.log.total_bytes,
                record_bytes=commits.table.file_bytes(),
                key_bytes=commits.user_keys.content_bytes(),
                master_key=commits.keys.active,
            )

    def digest(self) -> str:
        """The SHA-256 of what is known of every user, hexadecimal: equal for two stores that know the same. O(users).

        Users of whom nothing is known any longer, and the commits that brought what is known, are not part of it.
        """
        return self._upkeep.digest()

    def rebuild(self) -> None:
        """Make the table of records again from the log. O(events)."""
        self._commits.rebuild()

    def verify(self) -> int:
        """Read everything: every row of the log and every record: the number of events. O(bytes).

        Raises:
            CorruptError: something is damaged; the message names it.
        """
        return self._upkeep.verify()

    def flush(self) -> None:
        """Wait until the device holds every acknowledged event."""
        with self._commits.writing():
            self._commits.log.flush()

    def close(self) -> None:
        """Write what is buffered and give up the lock. The store is closed even where this raises."""
        self._commits.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _subject(self, identifier: str | int, visitor: bool) -> bytes:
        return self.keys.subject(identifier, visitor=visitor)
