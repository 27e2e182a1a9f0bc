"""A user's record as bytes: columns, so that a reader decodes it in microseconds.

The bytes are a MessagePack array, see `_Columns`. Events are taken in natively, by `recocore._native.UserRecords`; what else
changes a record decodes it. A part that comes to a record goes to the end of the array: records that lack it, and those of a
later version that has more, are read all the same.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from recocore import _native
from recocore.errors import CorruptError
from recocore.state.recent import BETWEEN, RecentEvents, numbers
from recocore.state.rows import FACTS
from recocore.state.segment import CONSENT, DECLARED
from recocore.state.values import PROFILING, Declared, Link, UserRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from recocore.state.changes import Change
    from recocore.state.values import StateConfig

_ENCODE = msgspec.msgpack.Encoder().encode
# Where nothing is added, nothing has to make room: with a bound of what is there, what is left out would get room again, of
# what is kept.
_NO_LIMIT = 1 << 31


class _Columns(msgspec.Struct, array_like=True, frozen=True):
    """The array: texts are joined by NUL, times int64 and weights float64, little-endian."""

    version: int
    seen: str
    seen_times: bytes
    items: str
    types: str
    times: bytes
    weights: bytes
    consent: dict[str, bool]
    profile: bytes = b""
    declared: tuple[Declared, ...] = ()
    declared_version: int = 0
    links: tuple[Link, ...] = ()


_DECODE = msgspec.msgpack.Decoder(_Columns).decode


@dataclass(slots=True)
class Record:
    """What is known of a user, in columns in the order of time; what is equally old stands in the order of arrival.

    Both lists keep what is newest by event time, not by arrival: so a record is a function of the events that the log
    holds, and dropping old events from both leaves the two in agreement.
    """

    version: int = 0
    seen: list[str] = field(default_factory=list)
    seen_times: list[int] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    consent: dict[str, bool] = field(default_factory=dict)
    profile: bytes = b""
    declared: dict[str, Declared] = field(default_factory=dict)
    declared_version: int = 0
    links: list[Link] = field(default_factory=list)

    def take(self, change: Change) -> None:
        """Take in what is no event: an answer, what was declared, or a link."""
        if change.kind == CONSENT:
            self._answer(*change.facts)
        elif change.kind == DECLARED:
            self._declare(change.facts, change.commit)
        else:
            self._link(Link(*change.facts))

    def _answer(self, purpose: str, granted: bool) -> None:
        """Who wants no profile has none from then on."""
        self.consent[purpose] = granted
        if purpose == PROFILING and not granted:
            self.profile = b""
            self.declared.clear()

    def _declare(self, said: Iterable[Declared], version: int) -> None:
        """An empty value takes back what was said before."""
        for each in said:
            if each.value:
                self.declared[each.name] = each
            else:
                self.declared.pop(each.name, None)
        self.declared_version = version

    def _link(self, link: Link) -> None:
        """A link that is known was taken back."""
        places = [place for place, known in enumerate(self.links) if known.number == link.number]
        if places:
            self.links[places[0]] = link
        else:
            self.links.append(link)

    def drop_before(self, cutoff: int) -> bool:
        """Leave out what is older; whether there was any.

        Of purchases that `profile` left out for want of room it has the days alone, so it may then tell of fewer of them than
        what the log still holds would.
        """
        seen = sum(time >= cutoff for time in self.seen_times)
        recent = sum(time >= cutoff for time in self.times)
        profile = _native.kept_events_add(self.profile, [], _NO_LIMIT, cutoff)
        if (seen, recent, profile) == (len(self.seen), len(self.times), self.profile):
            return False
        self.profile = profile
        self._keep_seen(seen)
        self._keep_recent(recent)
        return True

    def _keep_seen(self, count: int) -> None:
        surplus = len(self.seen) - count
        del self.seen[:surplus], self.seen_times[:surplus]

    def _keep_recent(self, count: int) -> None:
        surplus = len(self.times) - count
        del self.items[:surplus], self.types[:surplus], self.times[:surplus], self.weights[:surplus]

    def pack(self) -> bytes:
        """The bytes that are kept, encrypted."""
        return _ENCODE(
            _Columns(
                self.version,
                BETWEEN.join(self.seen),
                struct.pack(f"<{len(self.seen_times)}q", *self.seen_times),
                BETWEEN.join(self.items),
                BETWEEN.join(self.types),
                struct.pack(f"<{len(self.times)}q", *self.times),
                struct.pack(f"<{len(self.weights)}d", *self.weights),
                self.consent,
                self.profile,
                tuple(self.declared.values()),
                self.declared_version,
                tuple(self.links),
            )
        )

    @classmethod
    def unpack(cls, data: bytes) -> Record:
        """From `pack`.

        Raises:
            CorruptError: these are not such bytes.
        """
        columns = _columns(data)
        return cls(
            columns.version,
            _split(columns.seen),
            list(numbers(columns.seen_times, "q")),
            _split(columns.items),
            _split(columns.types),
            list(numbers(columns.times, "q")),
            list(numbers(columns.weights, "d")),
            columns.consent,
            columns.profile,
            {each.name: each for each in columns.declared},
            columns.declared_version,
            list(columns.links),
        )

    def view(self) -> UserRecord:
        """What readers get."""
        return read_record(self.pack())


def read_record(data: bytes) -> UserRecord:
    """The record in the bytes of `Record.pack`.

    Raises:
        CorruptError: these are not such bytes.
    """
    columns = _columns(data)
    # Made when it is looked at, if it is at all.
    recent = RecentEvents(columns.items, columns.types, columns.times, columns.weights) if columns.times else ()
    seen = tuple(columns.seen.split(BETWEEN)) if columns.seen else ()
    return UserRecord(
        columns.version,
        seen,
        recent,
        MappingProxyType(columns.consent),
        profile=columns.profile,
        declared=columns.declared,
        declared_version=columns.declared_version,
        links=columns.links,
    )


def native_records(config: StateConfig) -> _native.UserRecords:
    """What takes events into records, as bytes. 3 us where the record is full (2 kB), less where it is not."""
    return _native.UserRecords(
        max_recent=config.max_recent,
        max_seen=config.max_seen,
        profile_bytes=config.max_profile_bytes,
        weights=dict(config.weights),
        seen_types=set(config.seen_types),
        places=list(FACTS),
        purpose=PROFILING,
    )


def told_to(records: _native.UserRecords, packed: bytes, version: int, told: Sequence[bytes | Change]) -> bytes:
    """A record that heard of events, as the log keeps them, and of what is no event, in their order.

    Args:
        records: takes events in.
        packed: the record, empty where there is none yet.
        version: it has then.
        told: what it hears of.
    """
    for events, change in _runs(told):
        packed = records.add(packed, version, events)
        if change is not None:
            record = Record.unpack(packed)
            record.take(change)
            packed = record.pack()
    return packed


def _runs(told: Sequence[bytes | Change]) -> Iterator[tuple[list[bytes], Change | None]]:
    """Events in a row, and what comes behind them; nothing does at the end."""
    events: list[bytes] = []
    for each in told:
        if isinstance(each, bytes):
            events.append(each)
        else:
            yield events, each
            events = []
    yield events, None


def _columns(data: bytes) -> _Columns:
    try:
        return _DECODE(data)
    except (msgspec.DecodeError, UnicodeError) as error:  # ValidationError is a DecodeError
        raise CorruptError(f"not a record: {error}") from None


def _split(text: str) -> list[str]:
    return text.split(BETWEEN) if text else []
