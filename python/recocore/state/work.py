"""Changes of the log on their way into the table: a user's record is written once, however many of them are about it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recocore._native import Aead, entry_sum, sealed_record
from recocore.state.record import told_to
from recocore.state.segment import CONSENT, CUTOFF, DECLARED, EVENT, FORGET, LINKED, NO_SLOT
from recocore.state.table import Progress, pack_slot, replaced_sum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from recocore.state.people import Change, People, User

_OF_USERS = (CONSENT, DECLARED, LINKED)


@dataclass(slots=True)
class _Changed:
    """What changes of a user.

    Attributes:
        user: who.
        commit: of the last change.
        told: events, as the log keeps them, and what is no event, in their order.
        others: whether anything of `told` is no event.
        packed: the record then.
        added: what its entry adds to the table's sum.
    """

    user: User
    commit: int = 0
    told: list[Any] = field(default_factory=list)
    others: bool = False
    packed: bytes = b""
    added: int = 0


class Work:
    """Takes changes, and makes of them what is to be written.

    Args:
        people: whom they are about.
        progress: of the table.

    Attributes:
        changed: by whom they are about; None for who is forgotten.
    """

    def __init__(self, people: People, progress: Progress) -> None:
        self.changed: dict[bytes, _Changed | None] = {}
        self._people = people
        self._values: dict[bytes, bytes] = {}
        self._commit, self._cutoff, self._first_free = progress.commit, progress.cutoff, progress.first_free
        self._users, self._forgotten, self._total = progress.users, progress.forgotten, progress.total
        self._offsets = progress.offsets

    def take(self, changes: Iterable[Change]) -> None:
        """Take in changes, in the order of the log."""
        by_subject = self.changed
        for change in changes:
            kind, commit, subject, slot, time, packed, *_ = change
            self._commit = commit
            if slot >= self._first_free and slot != NO_SLOT:
                self._first_free = slot + 1
            if kind == EVENT:
                changed = by_subject.get(subject) or self._begun(change)
                if changed is not None:
                    changed.commit = commit
                    if time >= self._cutoff:
                        changed.told.append(packed)
            elif kind in _OF_USERS:
                changed = by_subject.get(subject) or self._begun(change)
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

    def _begun(self, change: Change) -> _Changed | None:
        """Of a user of whom nothing was taken yet; None where nothing is to be kept."""
        user = None if change.subject in self.changed else self._people.known(change)
        if user is None:
            return None
        changed = self.changed[change.subject] = _Changed(user)
        return changed

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
        records, values = self._people.records, self._values
        nonces = os.urandom(12 * len(self.changed))
        for at, (subject, changed) in enumerate(self.changed.items()):
            if changed is None:
                continue
            user, nonce = changed.user, nonces[12 * at : 12 * at + 12]
            if isinstance(user.cipher, Aead) and not changed.others:
                packed, value, added = sealed_record(
                    records, user.cipher, user.packed, changed.commit, changed.told, subject, user.slot, nonce
                )
            else:
                packed = told_to(records, user.packed, changed.commit, changed.told)
                value = sealed_value(user, packed, subject, nonce)
                added = entry_sum(subject, value)
            changed.packed, values[subject], changed.added = packed, value, added
            self._total += added - user.added
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


def sealed_value(user: User, packed: bytes, subject: bytes, nonce: bytes) -> bytes:
    """The value of a user's entry with a record."""
    return pack_slot(user.slot, nonce, user.cipher.encrypt(nonce, packed, subject))
