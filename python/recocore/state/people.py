"""Users as the owner holds them: keys and records, decoded for those who were last heard of, and changed as the log says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag

from recocore.errors import CorruptError
from recocore.state.record import Record
from recocore.state.segment import CONSENT, CUTOFF, FORGET, NO_SLOT, OFFSETS
from recocore.state.table import pack_slot, pack_tombstone, replaced_sum, slot_of, unpack_tombstone
from recocore.state.table_check import entry_sum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from recocore.state.keys import KeyFile
    from recocore.state.table import Table
    from recocore.state.user_keys import UserKeyWriter
    from recocore.state.values import StateConfig


class Change(NamedTuple):
    """What a row of the log changes.

    Attributes:
        kind: EVENT, CONSENT, FORGET, OFFSETS or CUTOFF.
        commit: of the row.
        subject: whom it is about.
        slot: of that user's key.
        time: microseconds since 1970.
        text: the item of an event, None without one; the purpose of an answer.
        word: the type of an event.
        granted: the answer.
        offsets: source → position.
    """

    kind: int
    commit: int
    subject: bytes
    slot: int
    time: int
    text: str | None = None
    word: str = ""
    granted: bool = False
    offsets: dict[str, int] | None = None


@dataclass(slots=True)
class User:
    """A user.

    Attributes:
        slot: of the key.
        cipher: of the key.
        record: decoded.
        added: what the user's entry adds to the table's sum; 0 without an entry.
        entered: whether there is an entry.
    """

    slot: int
    cipher: AESGCM
    record: Record
    added: int = 0
    entered: bool = False


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
    """

    def __init__(self, table: Table, user_keys: UserKeyWriter, keys: KeyFile, config: StateConfig) -> None:
        self._table, self._user_keys, self._keys, self._config = table, user_keys, keys, config
        self._cache: dict[bytes, User] = {}

    def find(self, subject: bytes) -> User | Forgotten | None:
        """A user, None where nothing is known.

        Raises:
            CorruptError: the record or its key is damaged.
        """
        user = self._cache.get(subject)
        if user is not None:
            return user
        value = self._table.get(subject)
        if value is None:
            return None
        stone = unpack_tombstone(self._keys, subject, value)
        if stone is not None:
            return Forgotten(*stone, entry_sum(subject, value))
        slot = slot_of(value)
        cipher = self._user_keys.cipher(slot)
        if cipher is None:
            # Killed between the end of the key and the tombstone: the log has the rest.
            return None
        record = Record.unpack(open_value(cipher, subject, value))
        return self._keep(subject, User(slot, cipher, record, entry_sum(subject, value), entered=True))

    def meet(self, subject: bytes) -> User | Forgotten:
        """A user, with a new key where nothing is known.

        Raises:
            OSError: a key was needed, and the disk refuses it.
        """
        found = self.find(subject)
        if found is None:
            slot, cipher = self._user_keys.take()
            found = self._keep(subject, User(slot, cipher, Record()))
        return found

    def apply(self, changes: Iterable[Change]) -> None:
        """Bring the table as far as the changes, which may be repeated after a failure.

        Raises:
            StorageError: the disk refuses; the table is as it was.
            OSError: the disk refuses to destroy a key; the table is as it was.
        """
        touched: dict[bytes, User | None] = {}
        values: dict[bytes, bytes | None] = {}
        progress = self._table.progress
        total, users, forgotten = progress.total, progress.users, progress.forgotten
        cutoff, commit, first_free = progress.cutoff, progress.commit, progress.first_free
        offsets = progress.offsets
        try:
            for change in changes:
                commit = change.commit
                if change.slot != NO_SLOT:
                    first_free = max(first_free, change.slot + 1)
                if change.kind == OFFSETS:
                    offsets = offsets | (change.offsets or {})
                elif change.kind == CUTOFF:
                    cutoff = max(cutoff, change.time)
                elif change.kind == FORGET:
                    before = touched.get(change.subject) or self.find(change.subject)
                    if change.slot != NO_SLOT:
                        self._user_keys.destroy(change.slot)
                    if isinstance(before, Forgotten):
                        continue
                    stone = pack_tombstone(self._keys, change.subject, change.commit, change.time)
                    old = self._entry(change.subject)
                    total = replaced_sum(
                        total, change.subject, 0 if old is None else entry_sum(change.subject, old), stone
                    )
                    users, forgotten = users - (old is not None), forgotten + 1
                    values[change.subject] = stone
                    touched[change.subject] = None
                    self._cache.pop(change.subject, None)
                elif change.subject not in touched or touched[change.subject] is not None:
                    user = touched.get(change.subject) or self._known(change)
                    if user is None:
                        continue
                    touched[change.subject] = user
                    record = user.record
                    record.version = change.commit
                    if change.kind == CONSENT and change.text is not None:
                        record.consent[change.text] = change.granted
                    elif change.text is not None and change.time >= cutoff:
                        record.add(change.text, change.word, change.time, self._config)
            sums = {}
            nonces = os.urandom(12 * len(touched))
            for at, (subject, user) in enumerate(touched.items()):
                if user is None:
                    continue
                value = seal_value(user, subject, nonces[12 * at : 12 * at + 12])
                sums[subject] = entry_sum(subject, value)
                total = (total - user.added + sums[subject]) % 2**64
                users += not user.entered
                values[subject] = value
            self._table.write(
                values,
                msgspec.structs.replace(
                    progress,
                    commit=commit,
                    first_free=max(first_free, self._user_keys.first_free),
                    users=users,
                    forgotten=forgotten,
                    cutoff=cutoff,
                    total=total,
                    offsets=offsets,
                ),
            )
        except BaseException:
            for subject in touched:
                self._cache.pop(subject, None)
            self._table.reopen()
            raise
        for subject, added in sums.items():
            touched_user = touched[subject]
            assert touched_user is not None
            touched_user.added, touched_user.entered = added, True
        if len(self._cache) > self._config.cached_users:
            self._thin_out()

    def drop_old(self, after: bytes | None, count: int, cutoff: int) -> bytes | None:
        """Leave events older than `cutoff` out of the next `count` records: the last subject, None at the end.

        Raises:
            StorageError: the disk refuses; these records are as they were.
        """
        entries = self._table.after(after, count)
        values: dict[bytes, bytes | None] = {}
        total = self._table.progress.total
        for subject, value in entries:
            if slot_of(value) == NO_SLOT:
                continue
            self._cache.pop(subject, None)
            user = self.find(subject)
            if isinstance(user, User) and user.record.drop_before(cutoff):
                new = seal_value(user, subject, os.urandom(12))
                total = replaced_sum(total, subject, user.added, new)
                user.added = entry_sum(subject, new)
                values[subject] = new
                self._cache.pop(subject, None)
        if values:
            self._table.write(values, msgspec.structs.replace(self._table.progress, total=total))
        return entries[-1][0] if len(entries) == count else None

    def _known(self, change: Change) -> User | None:
        """The user of a change; None for one whose key is destroyed, or who was forgotten before."""
        found = self.find(change.subject)
        if found is None:
            cipher = self._user_keys.cipher(change.slot)
            return None if cipher is None else self._keep(change.subject, User(change.slot, cipher, Record()))
        return found if isinstance(found, User) else None

    def _entry(self, subject: bytes) -> bytes | None:
        return self._table.get(subject)

    def _keep(self, subject: bytes, user: User) -> User:
        self._cache[subject] = user
        return user

    def _thin_out(self) -> None:
        """Forget the half of the cache that came first."""
        for subject in list(self._cache)[: len(self._cache) // 2]:
            del self._cache[subject]


def seal_value(user: User, subject: bytes, nonce: bytes) -> bytes:
    """The value of a user's entry."""
    return pack_slot(user.slot, nonce, user.cipher.encrypt(nonce, user.record.pack(), subject))


def open_value(cipher: AESGCM, subject: bytes, value: bytes) -> bytes:
    """The record in a value, as bytes.

    Raises:
        CorruptError: it is not what was written.
    """
    try:
        return cipher.decrypt(value[4:16], value[16:], subject)
    except InvalidTag:
        raise CorruptError("a record is damaged; rebuild the records with `recocore state verify --rebuild`") from None
