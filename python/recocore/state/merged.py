"""Several ids that are one person: their records, found by the links between them, and joined into one."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from recocore.state.values import RecentEvent, UserRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    # What is known of an id, which is a visitor's where the second argument says so.
    Look = Callable[[str, bool], UserRecord | None]

# Merges are followed this far; a longer way would be a damaged record.
_FARTHEST = 1_000


class Merged(NamedTuple):
    """A person.

    Attributes:
        id: into which everybody else was merged.
        visitor: whether it is a visitor's.
        records: what is known under this id first, then under those that were merged into it; those of whom nothing is
            known are left out.
    """

    id: str
    visitor: bool
    records: tuple[UserRecord, ...]


def merged_records(look: Look, id_: str, visitor: bool, record: UserRecord) -> Merged:
    """The person behind an id; one look for each further id.

    Args:
        look: reads records.
        id_: any id of the person.
        visitor: whether it is a visitor's.
        record: what is known of it.

    Example:
        >>> from recocore.state.values import Link
        >>> known = {
        ...     "ann": UserRecord(3, ("tea",), links=(Link(3, False, True, "cookie", 0, None, "login"),)),
        ...     "cookie": UserRecord(3, ("mug",), links=(Link(3, True, False, "ann", 0, None, "login"),)),
        ... }
        >>> found = merged_records(lambda id_, visitor: known.get(id_), "cookie", True, known["cookie"])
        >>> found.id, [each.seen for each in found.records]
        ('ann', [('tea',), ('mug',)])
    """
    for _ in range(_FARTHEST):
        into = next((link for link in record.links if link.into and link.unmade is None), None)
        if into is None:
            break
        above = look(into.id, False)
        if above is None:
            break
        id_, visitor, record = into.id, False, above
    records = [record]
    met, waiting = {(id_, visitor)}, [record]
    while waiting:
        for link in waiting.pop().links:
            key = (link.id, link.visitor)
            if link.into or link.unmade is not None or key in met:
                continue
            met.add(key)
            other = look(*key)
            if other is not None:
                records.append(other)
                waiting.append(other)
    return Merged(id_, visitor, tuple(records))


def joined(records: Sequence[UserRecord]) -> UserRecord:
    """One record of a person's: what they bought and did under any id, and what none of their ids has withdrawn.

    Its version is that of the last change of any, those of forgotten ids included, so that it changes whenever the rest
    does. What a profile is made of is left out: that is of each record. O(events · log(events)).
    """
    there = [record for record in records if not record.forgotten]
    recent = sorted((event for record in there for event in record.recent), key=_time)
    # The person's own purchases count as the newest: no record says when.
    seen = dict.fromkeys(item for record in reversed(there) for item in record.seen)
    consent: dict[str, bool] = {}
    for record in there:
        for purpose, granted in record.consent.items():
            consent[purpose] = consent.get(purpose, True) and granted
    version = max(record.version for record in records)
    return UserRecord(version, tuple(seen), tuple(recent), MappingProxyType(consent), forgotten=not there)


def _time(event: RecentEvent) -> int:
    return event.time
