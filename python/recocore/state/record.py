"""A user's record as bytes: columns, so that a reader decodes it in microseconds.

The bytes are a MessagePack array, see `_Columns`. Events are taken in natively, by `recocore._native.UserRecords`; what else
changes a record decodes it. A part that comes to a record goes to the end of the array: records that lack it, and those of a
later version that has more, are read all the same.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from recocore.errors import CorruptError
from recocore.state.values import RecentEvent, UserRecord

if TYPE_CHECKING:
    from recocore.state.people import Change

_ENCODE = msgspec.msgpack.Encoder().encode
_BETWEEN = "\0"


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


_DECODE = msgspec.msgpack.Decoder(_Columns).decode
# What RecentEvent._make calls, without a step in Python for each event: 9.6 us a record of 20 events, not 11.
_RECENT = partial(tuple.__new__, RecentEvent)


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

    def take(self, change: Change) -> None:
        """Take in what is no event: an answer."""
        assert change.text is not None
        self.consent[change.text] = change.granted

    def drop_before(self, cutoff: int) -> bool:
        """Leave out what is older; whether there was any."""
        seen = sum(time >= cutoff for time in self.seen_times)
        recent = sum(time >= cutoff for time in self.times)
        if (seen, recent) == (len(self.seen), len(self.times)):
            return False
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
                _BETWEEN.join(self.seen),
                struct.pack(f"<{len(self.seen_times)}q", *self.seen_times),
                _BETWEEN.join(self.items),
                _BETWEEN.join(self.types),
                struct.pack(f"<{len(self.times)}q", *self.times),
                struct.pack(f"<{len(self.weights)}d", *self.weights),
                self.consent,
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
            list(_numbers(columns.seen_times, "q")),
            _split(columns.items),
            _split(columns.types),
            list(_numbers(columns.times, "q")),
            list(_numbers(columns.weights, "d")),
            columns.consent,
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
    recent: tuple[RecentEvent, ...] = ()
    if columns.items:
        items, types = columns.items.split(_BETWEEN), columns.types.split(_BETWEEN)
        times, weights = _numbers(columns.times, "q"), _numbers(columns.weights, "d")
        recent = tuple(map(_RECENT, zip(items, types, times, weights, strict=True)))
    seen = tuple(columns.seen.split(_BETWEEN)) if columns.seen else ()
    return UserRecord(columns.version, seen, recent, MappingProxyType(columns.consent))


def _columns(data: bytes) -> _Columns:
    try:
        return _DECODE(data)
    except (msgspec.DecodeError, UnicodeError) as error:  # ValidationError is a DecodeError
        raise CorruptError(f"not a record: {error}") from None


def _split(text: str) -> list[str]:
    return text.split(_BETWEEN) if text else []


def _numbers(data: bytes, kind: str) -> tuple[Any, ...]:
    return struct.unpack(f"<{len(data) // 8}{kind}", data)
