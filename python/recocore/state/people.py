"""Users as the owner holds them: keys and records, decoded for those who were last heard of, and changed as the log says."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag

from recocore._native import UserRecords
from recocore.errors import CorruptError
from recocore.state.record import Record, told_to
from recocore.state.segment import CONSENT, CUTOFF, DECLARED, EVENT, FORGET, LINKED, NO_SLOT
from recocore.state.table import Progress, pack_slot, pack_tombstone, replaced_sum, slot_of, unpack_tombstone
from recocore.state.table_check import entry_sum
from recocore.state.values import UserRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from recocore.state.keys import KeyFile
    from recocore.state.table import Table
    from recocore.state.user_keys import UserKeyWriter
    from recocore.state.values import StateConfig


class Change(NamedTuple):
    """What a row of the log changes.

    Attributes:
        kind: EVENT, CONSENT, FORGET, OFFSETS, CUTOFF, DECLARED or LINKED.
        commit: of the row.
        subject: whom it is about.
        slot: of that user's key.
        time: microseconds since 1970.
        text: the item of an event, None without one; the purpose of an answer.
        word: the type of an event.
        granted: the answer.
        offsets: source → position.
        packed: of an event, what the log keeps.
        facts: of a row DECLARED what was said, of a row LINKED the link.
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
    packed: bytes = b""
    facts: tuple[Any, ...] = ()


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
    cipher: AESGCM
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
    """

    def __init__(self, table: Table, user_keys: UserKeyWriter, keys: KeyFile, config: StateConfig) -> None:
        self._table, self._user_keys, self._keys, self._config = table, user_keys, keys, config
        self._cache: dict[bytes, User] = {}
        # Looked for by `load`, and not there; until the table changes.
        self._absent: set[bytes] = set()
        self.profile_bytes = config.max_profile_bytes
        self.records = UserRecords(config.max_recent, config.max_seen, dict(config.weights), set(config.seen_types))

    def find(self, subject: bytes) -> User | Forgotten | None:
        """A user, None where nothing is known.

        Raises:
            CorruptError: the record or its key is damaged.
        """
        user = self._cache.get(subject)
        if user is not None:
            return user
        value = None if subject in self._absent else self._table.get(subject)
        return None if value is None else self._decoded(subject, value)

    def load(self, subjects: Iterable[bytes]) -> None:
        """Have those in the cache of whom there are records, with one look into the table for all; no write comes between."""
        missing = {subject for subject in subjects if subject not in self._cache}
        found = self._table.get_many(missing)
        for subject, value in found:
            self._decoded(subject, value)
        self._absent = missing.difference(subject for subject, _ in found)

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

    def apply(self, changes: Sequence[Change]) -> None:
        """Bring the table as far as the changes, which may be repeated after a failure.

        Raises:
            StorageError: the disk refuses; the table is as it was.
            OSError: the disk refuses to destroy a key; the table is as it was.
        """
        self.load(change.subject for change in changes if change.kind == EVENT)
        work = _Work(self, self._table.progress)
        try:
            for change in changes:
                work.take(change)
            self._absent = set()
            self._table.write(*work.outcome(self._user_keys.first_free))
        except BaseException:
            for subject in work.changed:
                self._cache.pop(subject, None)
            self._table.reopen()
            raise
        work.is_done()
        if len(self._cache) > self._config.cached_users:
            self._thin_out()

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
            self._cache.pop(subject, None)
            user = self.find(subject)
            if isinstance(user, User) and (record := user.record).drop_before(cutoff):
                new = seal_value(user, record.pack(), subject, os.urandom(12))
                total = replaced_sum(total, subject, user.added, new)
                values[subject] = new
                self._cache.pop(subject, None)
        if values:
            self._table.write(values, msgspec.structs.replace(self._table.progress, total=total))
        return entries[-1][0] if len(entries) == count else None

    def known(self, change: Change) -> User | None:
        """The user of a change; None for one whose key is destroyed, or who was forgotten before."""
        found = self.find(change.subject)
        if found is None:
            cipher = self._user_keys.cipher(change.slot)
            return None if cipher is None else self._keep(change.subject, User(change.slot, cipher))
        return found if isinstance(found, User) else None

    def bury(self, change: Change) -> tuple[bytes, int, bool] | None:
        """Destroy a user's key: the tombstone, what the entry before it added to the sum, and whether there was one.

        None where there is a tombstone already.
        """
        if change.slot != NO_SLOT:
            self._user_keys.destroy(change.slot)
        self._cache.pop(change.subject, None)
        old = self._table.get(change.subject)
        if old is not None and slot_of(old) == NO_SLOT:
            return None
        stone = pack_tombstone(self._keys, change.subject, change.commit, change.time)
        return stone, 0 if old is None else entry_sum(change.subject, old), old is not None

    def _keep(self, subject: bytes, user: User) -> User:
        self._cache[subject] = user
        return user

    def _thin_out(self) -> None:
        """Forget the half of the cache that came first."""
        for subject in list(self._cache)[: len(self._cache) // 2]:
            del self._cache[subject]


@dataclass(slots=True)
class _Changed:
    """What changes of a user: events as `UserRecords.add` takes them, and the log's rows where their order counts.

    Attributes:
        told: events, as the log keeps them, for profiles, and what is no event.
        others: whether anything of `told` is no event: then the record is decoded.
    """

    user: User
    commit: int = 0
    events: list[tuple[str, str, int]] = field(default_factory=list)
    told: list[bytes | Change] = field(default_factory=list)
    others: bool = False
    packed: bytes = b""
    added: int = 0


class _Work:
    """Changes on their way into the table: a user's record is written once, whatever many of them are about the user.

    Attributes:
        changed: by whom they are about; None for who is forgotten.
    """

    def __init__(self, people: People, progress: Progress) -> None:
        self.changed: dict[bytes, _Changed | None] = {}
        self._people, self._progress = people, progress
        self._values: dict[bytes, bytes] = {}
        self._commit, self._cutoff, self._first_free = progress.commit, progress.cutoff, progress.first_free
        self._users, self._forgotten, self._total = progress.users, progress.forgotten, progress.total
        self._offsets = progress.offsets

    def take(self, change: Change) -> None:
        """Take in a change."""
        self._commit = change.commit
        if change.slot != NO_SLOT and change.slot >= self._first_free:
            self._first_free = change.slot + 1
        if change.kind in (EVENT, CONSENT, DECLARED, LINKED):
            self._touch(change)
        elif change.kind == FORGET:
            self._bury(change)
        elif change.kind == CUTOFF:
            self._cutoff = max(self._cutoff, change.time)
        else:
            self._offsets = self._offsets | (change.offsets or {})

    def _touch(self, change: Change) -> None:
        subject = change.subject
        changed = self.changed.get(subject)
        if changed is None:
            user = None if subject in self.changed else self._people.known(change)
            if user is None:
                return
            changed = self.changed[subject] = _Changed(user)
        changed.commit = change.commit
        if change.kind != EVENT:
            changed.told.append(change)
            changed.others = True
        elif change.time >= self._cutoff:
            if change.text is not None:
                changed.events.append((change.text, change.word, change.time))
            if self._people.profile_bytes:
                changed.told.append(change.packed)

    def _bury(self, change: Change) -> None:
        buried = self._people.bury(change)
        self.changed[change.subject] = None
        if buried is not None and change.subject not in self._values:
            stone, added, entered = buried
            self._values[change.subject] = stone
            self._total = replaced_sum(self._total, change.subject, added, stone)
            self._users -= entered
            self._forgotten += 1

    def outcome(self, first_free: int) -> tuple[dict[bytes, bytes], Progress]:
        """What to write."""
        add, values = self._people.records.add, self._values
        nonces = os.urandom(12 * len(self.changed))
        for at, (subject, changed) in enumerate(self.changed.items()):
            if changed is None:
                continue
            user = changed.user
            packed = add(user.packed, changed.commit, changed.events)
            if changed.told:
                packed = told_to(packed, changed.told, self._people.profile_bytes, decoded=changed.others)
            changed.packed = packed
            value = values[subject] = seal_value(user, packed, subject, nonces[12 * at : 12 * at + 12])
            changed.added = entry_sum(subject, value)
            self._total += changed.added - user.added
            self._users += not user.entered
        return values, Progress(
            commit=self._commit,
            first_free=max(self._first_free, first_free),
            users=self._users,
            forgotten=self._forgotten,
            cutoff=self._cutoff,
            total=self._total % 2**64,
            offsets=self._offsets,
        )

    def is_done(self) -> None:
        """It is written."""
        for changed in self.changed.values():
            if changed is not None:
                user = changed.user
                user.packed, user.added, user.entered = changed.packed, changed.added, True


def view_of(found: User | Forgotten | None) -> UserRecord | None:
    """What callers get of a user."""
    if isinstance(found, Forgotten):
        return UserRecord(found.commit, forgotten=True)
    return None if found is None else found.record.view()


def seal_value(user: User, packed: bytes, subject: bytes, nonce: bytes) -> bytes:
    """The value of a user's entry with a record."""
    return pack_slot(user.slot, nonce, user.cipher.encrypt(nonce, packed, subject))


def open_value(cipher: AESGCM, subject: bytes, value: bytes) -> bytes:
    """The record in a value, as bytes.

    Raises:
        CorruptError: it is not what was written.
    """
    try:
        return cipher.decrypt(value[4:16], value[16:], subject)
    except InvalidTag:
        raise CorruptError("a record is damaged; rebuild the records with `recocore state verify --rebuild`") from None
