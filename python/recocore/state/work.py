"""Changes of the log on their way into the table: a user's record is written once, however many of them are about it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recocore._native import Aead, entry_sum, sealed_records
from recocore.state.changes import Events
from recocore.state.record import told_to
from recocore.state.segment import CONSENT, CUTOFF, DECLARED, EVENT, FORGET, LINKED, NO_SLOT
from recocore.state.table import Progress, pack_slot, replaced_sum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from recocore.state.changes import Change
    from recocore.state.people import People, User

_OF_USERS = (CONSENT, DECLARED, LINKED)


@dataclass(slots=True)
class _Changed:
    """What changes of a user.

    Attributes:
        user: who.
        commit: of the last change.
        told: events, as the log keeps them, and what is no event, in their order.
        others: whether anything of `told` is no event.
    """

    user: User
    commit: int
    told: list[Any]
    others: bool = False


class Work:
    """Takes changes, and makes of them what is to be written.

    Args:
        people: whom they are about.
        progress: of the table.

    Attributes:
        changed: by whom they are about; None for who is forgotten.
        values: to be written, once `make` is done.
        progress: of the table then.
    """

    def __init__(self, people: People, progress: Progress) -> None:
        self.changed: dict[bytes, _Changed | None] = {}
        self.values: dict[bytes, bytes] = {}
        self.progress = progress
        self._people = people
        self._made: list[tuple[User, bytes, int]] = []
        self._commit, self._cutoff, self._first_free = progress.commit, progress.cutoff, progress.first_free
        self._users, self._forgotten, self._total = progress.users, progress.forgotten, progress.total
        self._offsets = progress.offsets

    def take(self, changes: Iterable[Change | Events]) -> None:
        """Take in changes, in the order of the log."""
        for change in changes:
            self._commit = change.commit
            if isinstance(change, Events):
                self._hear(change)
                continue
            kind, commit, subject, slot, time, packed, *_ = change
            if slot >= self._first_free and slot != NO_SLOT:
                self._first_free = slot + 1
            if kind == EVENT:
                changed = self.changed.get(subject) or self._begun(subject, slot)
                if changed is not None:
                    changed.commit = commit
                    if time >= self._cutoff:
                        changed.told.append(packed)
            elif kind in _OF_USERS:
                changed = self.changed.get(subject) or self._begun(subject, slot)
                if changed is not None:
                    changed.commit = commit
                    changed.told.append(change)
                    changed.others = True
            elif kind == FORGET:
                self._bury(change)
            elif kind == CUTOFF:
                self._cutoff = max(self._cutoff, time)
            else:
                self._offsets = self._offsets | (change.offsets or {})

    def _hear(self, events: Events) -> None:
        commit, subjects, slots, packed = events
        self._first_free = max(self._first_free, max(slots) + 1)
        by_subject = self.changed
        for subject, slot, event in zip(subjects, slots, packed, strict=True):
            changed = by_subject.get(subject) or self._begun(subject, slot)
            if changed is not None:
                changed.commit = commit
                changed.told.append(event)

    def _begun(self, subject: bytes, slot: int) -> _Changed | None:
        """Of a user of whom nothing was taken yet; None where nothing is to be kept."""
        if subject in self.changed:
            return None
        user = self._people.cached.get(subject) or self._people.known(subject, slot)
        if user is None:
            return None
        changed = self.changed[subject] = _Changed(user, self._commit, [])
        return changed

    def _bury(self, change: Change) -> None:
        buried = self._people.bury(change)
        self.changed[change.subject] = None
        if buried is not None and change.subject not in self.values:
            stone, added, entered = buried
            self.values[change.subject] = stone
            self._total = replaced_sum(self._total, change.subject, added, stone)
            self._users -= entered
            self._forgotten += 1

    def make(self, first_free: int) -> None:
        """Make what is to be written of what was taken."""
        heard: list[tuple[bytes, _Changed]] = []
        ciphers: list[Aead] = []
        for subject, changed in self.changed.items():
            if changed is None:
                continue
            user, cipher = changed.user, changed.user.cipher
            if isinstance(cipher, Aead) and not changed.others:
                heard.append((subject, changed))
                ciphers.append(cipher)
                continue
            packed = told_to(self._people.records, user.packed, changed.commit, changed.told)
            value = sealed_value(user, packed, subject, os.urandom(12))
            self._is_made(subject, user, packed, value, entry_sum(subject, value))
        made = sealed_records(
            self._people.records,
            ciphers,
            [changed.user.slot for _, changed in heard],
            [subject for subject, _ in heard],
            [changed.user.packed for _, changed in heard],
            [changed.commit for _, changed in heard],
            [changed.told for _, changed in heard],
            os.urandom(12 * len(heard)),
        )
        for (subject, changed), (packed, value, added) in zip(heard, made, strict=True):
            self._is_made(subject, changed.user, packed, value, added)
        self.progress = Progress(
            commit=self._commit,
            first_free=max(self._first_free, first_free),
            users=self._users,
            forgotten=self._forgotten,
            cutoff=self._cutoff,
            total=self._total % 2**64,
            offsets=self._offsets,
        )

    def _is_made(self, subject: bytes, user: User, packed: bytes, value: bytes, added: int) -> None:
        self.values[subject] = value
        self._made.append((user, packed, added))
        self._total += added - user.added
        self._users += not user.entered

    def is_done(self) -> None:
        """It is written."""
        for user, packed, added in self._made:
            user.packed, user.added, user.entered = packed, added, True


def sealed_value(user: User, packed: bytes, subject: bytes, nonce: bytes) -> bytes:
    """The value of a user's entry with a record."""
    return pack_slot(user.slot, nonce, user.cipher.encrypt(nonce, packed, subject))
