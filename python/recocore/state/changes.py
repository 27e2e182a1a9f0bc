"""What rows of the log change."""

from __future__ import annotations

from typing import Any, NamedTuple


class Change(NamedTuple):
    """What a row of the log changes.

    Attributes:
        kind: EVENT, CONSENT, FORGET, OFFSETS, CUTOFF, DECLARED or LINKED.
        commit: of the row.
        subject: whom it is about.
        slot: of that user's key.
        time: microseconds since 1970.
        packed: of an event, what the log keeps.
        facts: of a row CONSENT purpose and answer, of a row DECLARED what was said, of a row LINKED the link.
        offsets: source → position.
    """

    kind: int
    commit: int
    subject: bytes
    slot: int
    time: int
    packed: bytes = b""
    facts: tuple[Any, ...] = ()
    offsets: dict[str, int] | None = None


class Events(NamedTuple):
    """What events change that were just recorded, at least one: as `Change` of each, in columns.

    Attributes:
        commit: of the rows.
        subjects: whom they are about.
        slots: of those users' keys.
        packed: what the log keeps.
    """

    commit: int
    subjects: list[bytes]
    slots: list[int]
    packed: list[bytes]
