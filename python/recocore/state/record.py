"""A user's record as the owner changes it and as bytes: columns, so that a reader decodes it in microseconds."""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from recocore.errors import CorruptError
from recocore.state.values import RecentEvent, UserRecord

if TYPE_CHECKING:
    from recocore.state.values import StateConfig

_ENCODE = msgspec.msgpack.Encoder().encode
# version; items bought and when; recent items, types, times and weights; answers by purpose
_Columns = tuple[int, str, bytes, str, str, bytes, bytes, dict[str, bool]]
_DECODE = msgspec.msgpack.Decoder(_Columns).decode
_BETWEEN = "\0"
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

    def add(self, item: str, kind: str, time: int, config: StateConfig) -> None:
        """Take in an event with an item."""
        times = self.times
        at = len(times) if not times or time >= times[-1] else bisect_right(times, time)
        self.items.insert(at, item)
        self.types.insert(at, kind)
        times.insert(at, time)
        self.weights.insert(at, config.weights.get(kind, 0.0))
        if len(times) > config.max_recent:
            self._keep_recent(config.max_recent)
        if kind in config.seen_types:
            self._see(item, time, config.max_seen)

    def drop_before(self, cutoff: int) -> bool:
        """Leave out what is older; whether there was any."""
        seen = sum(time >= cutoff for time in self.seen_times)
        recent = sum(time >= cutoff for time in self.times)
        if (seen, recent) == (len(self.seen), len(self.times)):
            return False
        self._keep_seen(seen)
        self._keep_recent(recent)
        return True

    def _see(self, item: str, time: int, most: int) -> None:
        if item in self.seen:
            at = self.seen.index(item)
            if self.seen_times[at] > time:
                return
            del self.seen[at], self.seen_times[at]
        at = bisect_right(self.seen_times, time)
        self.seen.insert(at, item)
        self.seen_times.insert(at, time)
        if len(self.seen) > most:
            self._keep_seen(most)

    def _keep_seen(self, count: int) -> None:
        surplus = len(self.seen) - count
        del self.seen[:surplus], self.seen_times[:surplus]

    def _keep_recent(self, count: int) -> None:
        surplus = len(self.times) - count
        del self.items[:surplus], self.types[:surplus], self.times[:surplus], self.weights[:surplus]

    def pack(self) -> bytes:
        """The bytes that are kept, encrypted."""
        return _ENCODE(
            (
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
        version, seen, seen_times, items, types, times, weights, consent = _columns(data)
        return cls(
            version,
            _split(seen),
            list(_numbers(seen_times, "q")),
            _split(items),
            _split(types),
            list(_numbers(times, "q")),
            list(_numbers(weights, "d")),
            consent,
        )

    def view(self) -> UserRecord:
        """What readers get."""
        return read_record(self.pack())


def read_record(data: bytes) -> UserRecord:
    """The record in the bytes of `Record.pack`.

    Raises:
        CorruptError: these are not such bytes.
    """
    version, seen, _, items, types, times, weights, consent = _columns(data)
    recent: tuple[RecentEvent, ...] = ()
    if items:
        columns = (items.split(_BETWEEN), types.split(_BETWEEN), _numbers(times, "q"), _numbers(weights, "d"))
        recent = tuple(map(_RECENT, zip(*columns, strict=True)))
    return UserRecord(version, tuple(seen.split(_BETWEEN)) if seen else (), recent, MappingProxyType(consent))


def _columns(data: bytes) -> _Columns:
    try:
        return _DECODE(data)
    except (msgspec.DecodeError, UnicodeError) as error:  # ValidationError is a DecodeError
        raise CorruptError(f"not a record: {error}") from None


def _split(text: str) -> list[str]:
    return text.split(_BETWEEN) if text else []


def _numbers(data: bytes, kind: str) -> tuple[Any, ...]:
    return struct.unpack(f"<{len(data) // 8}{kind}", data)
