"""Users as the owner holds them: keys and records, decoded for those who were last heard of, and changed as the log says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from recocore._native import entry_sum
from recocore.errors import CorruptError
from recocore.state.record import Record, native_records
from recocore.state.segment import NO_SLOT
from recocore.state.table import pack_tombstone, replaced_sum, slot_of, unpack_tombstone
from recocore.state.values import UserRecord
from recocore.state.work import Work, sealed_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from recocore.state.changes import Change, Events
    from recocore.state.ciphers import Cipher
    from recocore.state.keys import KeyFile
    from recocore.state.table import Table
    from recocore.state.user_keys import UserKeyWriter
    from recocore.state.values import StateConfig


@dataclass(slots=True)
class User:
    """A user.

    Attributes:
        slot: of the key.
        cipher: of the key.
        packed: the record, empty where nothing is known yet.
        added: what the user's entry adds to the table's sum; 0 without an entry.
        entered: whether there is an entry.
    """

    slot: int
    cipher: Cipher
    packed: bytes = b""
    added: int = 0
    entered: bool = False

    @property
    def record(self) -> Record:
        """The record, decoded anew: what is changed in it is not kept."""
        return Record.unpack(self.packed) if self.packed else Record()


class Forgotten(NamedTuple):
    """A user who was forgotten.

    Attributes:
        commit: from which on nothing is known.
        time: microseconds since 1970.
        added: what the tombstone adds to the table's sum.
    """

    commit: int
    time: int
    added: int


class People:
    """Users by their pseudonyms.

    Args:
        table: of records.
        user_keys: of users.
        keys: the master keys.
        config: bounds of records and of the cache.

    Attributes:
        cached: users that were last heard of.
        records: takes events into their records.
    """

    def __init__(self, table: Table, user_keys: UserKeyWriter, keys: KeyFile, config: StateConfig) -> None:
        self._table, self._user_keys, self._keys, self._config = table, user_keys, keys, config
        self.cached: dict[bytes, User] = {}
        # Looked for by `load`, and not there; until the table changes.
        self._absent: set[bytes] = set()
        self.records = native_records(config)

    def find(self, subject: bytes) -> User | Forgotten | None:
        """A user, None where nothing is known.

        Raises:
            CorruptError: the record or its key is damaged.
        """
        user = self.cached.get(subject)
        if user is not None:
            return user
        value = None if subject in self._absent else self._table.get(subject)
        return None if value is None else self._decoded(subject, value)

    def load(self, subjects: Iterable[bytes]) -> None:
        """Have those in the cache of whom there are records, with one look into the table for all; no write comes between."""
        missing = {subject for subject in subjects if subject not in self.cached}
        found = self._table.get_many(missing)
        for (subject, value), opened in zip(found, self._user_keys.opened(found), strict=True):
            if opened is None:
                self._decoded(subject, value)
            else:
                self.cached[subject] = User(*opened, entered=True)
        self._absent = missing.difference(subject for subject, _ in found) if len(found) < len(missing) else set()

    def _decoded(self, subject: bytes, value: bytes) -> User | Forgotten | None:
        stone = unpack_tombstone(self._keys, subject, value)
        if stone is not None:
            return Forgotten(*stone, entry_sum(subject, value))
        slot = slot_of(value)
        cipher = self._user_keys.cipher(slot)
        if cipher is None:
            # Killed between the end of the key and the tombstone: the log has the rest.
            return None
        packed = open_value(cipher, subject, value)
        return self._keep(subject, User(slot, cipher, packed, entry_sum(subject, value), entered=True))

    def meet(self, subject: bytes) -> User | Forgotten:
        """A user, with a new key where nothing is known.

        Raises:
            OSError: a key was needed, and the disk refuses it.
        """
        found = self.find(subject)
        if found is None:
            slot, cipher = self._user_keys.take()
            found = self._keep(subject, User(slot, cipher))
        return found

    def prepared(self, changes: Sequence[Change | Events]) -> Work | None:
        """What `apply` would make of changes none of which destroys a key; None where it would fail. Nothing changes yet."""
        work = Work(self, self._table.progress)
        try:
            self._make(work, changes)
        except Exception:
            return None
        return work

    def apply(self, changes: Sequence[Change | Events], prepared: Work | None = None) -> None:
        """Bring the table as far as the changes, which may be repeated after a failure.

        Args:
            changes: of the log.
            prepared: what was made of them, where that is done.

        Raises:
            StorageError: the disk refuses; the table is as it was.
            OSError: the disk refuses to destroy a key; the table is as it was.
        """
        work = prepared or Work(self, self._table.progress)
        try:
            if prepared is None:
                self._make(work, changes)
            self._absent = set()
            self._table.write(work.values, work.progress)
        except BaseException:
            for subject in work.changed:
                self.cached.pop(subject, None)
            self._table.reopen()
            raise
        work.is_done()
        if len(self.cached) > self._config.cached_users:
            self._thin_out()

    def _make(self, work: Work, changes: Sequence[Change | Events]) -> None:
        work.take(changes)
        work.make(self._user_keys.first_free)

    def drop_old(self, after: bytes | None, count: int, cutoff: int) -> bytes | None:
        """Leave events older than `cutoff` out of the next `count` records: the last subject, None at the end.

        Raises:
            StorageError: the disk refuses; these records are as they were.
        """
        entries = self._table.after(after, count)
        values: dict[bytes, bytes] = {}
        total = self._table.progress.total
        for subject, value in entries:
            if slot_of(value) == NO_SLOT:
                continue
            self.cached.pop(subject, None)
            user = self.find(subject)
            if isinstance(user, User) and (record := user.record).drop_before(cutoff):
                new = sealed_value(user, record.pack(), subject, os.urandom(12))
                total = replaced_sum(total, subject, user.added, new)
                values[subject] = new
                self.cached.pop(subject, None)
        if values:
            self._table.write(values, msgspec.structs.replace(self._table.progress, total=total))
        return entries[-1][0] if len(entries) == count else None

    def known(self, subject: bytes, slot: int) -> User | None:
        """The user whose key is in a slot; None for one whose key is destroyed, or who was forgotten before."""
        found = self.find(subject)
        if found is None:
            cipher = self._user_keys.cipher(slot)
            return None if cipher is None else self._keep(subject, User(slot, cipher))
        return found if isinstance(found, User) else None

    def bury(self, change: Change) -> tuple[bytes, int, bool] | None:
        """Destroy a user's key: the tombstone, what the entry before it added to the sum, and whether there was one.

        None where there is a tombstone already.
        """
        if change.slot != NO_SLOT:
            self._user_keys.destroy(change.slot)
        self.cached.pop(change.subject, None)
        old = self._table.get(change.subject)
        if old is not None and slot_of(old) == NO_SLOT:
            return None
        stone = pack_tombstone(self._keys, change.subject, change.commit, change.time)
        return stone, 0 if old is None else entry_sum(change.subject, old), old is not None

    def _keep(self, subject: bytes, user: User) -> User:
        self.cached[subject] = user
        return user

    def _thin_out(self) -> None:
        """Forget the half of the cache that came first."""
        for subject in list(self.cached)[: len(self.cached) // 2]:
            del self.cached[subject]


def view_of(found: User | Forgotten | None) -> UserRecord | None:
    """What callers get of a user."""
    if isinstance(found, Forgotten):
        return UserRecord(found.commit, forgotten=True)
    return None if found is None else found.record.view()


def open_value(cipher: Cipher, subject: bytes, value: bytes) -> bytes:
    """The record in a value, as bytes.

    Raises:
        CorruptError: it is not what was written.
    """
    packed = cipher.decrypt(value[4:16], value[16:], subject)
    if packed is None:
        raise CorruptError("a record is damaged; rebuild the records with `recocore state verify --rebuild`")
    return packed
