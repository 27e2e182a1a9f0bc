"""Time zones as tables of offsets, so that the native pass knows daylight saving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from recocore.types import Int32Array

Zone: TypeAlias = tuple[list[int], list[int]]

_BEGINNING = -(2**63)
_US = timedelta(microseconds=1)
# Outside of these years the offset at their ends holds: zone rules are made for years to come, not for centuries.
_FIRST = datetime(1900, 1, 1, tzinfo=UTC)
_LAST = datetime(2100, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Two changes of a zone within so few days are not told apart; Morocco's Ramadan pauses last four weeks.
_STEP = timedelta(days=7)
_KEPT_ZONES = 128


def zone(name: str) -> Zone:
    """(starts, offsets): from starts[i] on, local time is UTC + offsets[i], both in microseconds.

    Raises:
        InvalidArgumentError: no such zone in the IANA database.

    Example:
        >>> starts, offsets = zone("Asia/Shanghai")
        >>> offsets[-1] // 3_600_000_000
        8
    """
    starts, offsets = _zone(name)
    return list(starts), list(offsets)


@lru_cache(maxsize=_KEPT_ZONES)
def _zone(name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if name == "UTC":
        return (_BEGINNING,), (0,)
    try:
        info = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise InvalidArgumentError(
            f"timezone: expected an IANA name such as 'Asia/Shanghai', got {name!r}", field="timezone"
        ) from None

    def offset(at: datetime) -> int:
        shift = at.astimezone(info).utcoffset()
        assert shift is not None
        return shift // _US

    starts, offsets = [_BEGINNING], [offset(_FIRST)]
    low = _FIRST
    while low < _LAST:
        high = low + _STEP
        if offset(high) != offsets[-1]:
            start = _change(offset, low, high)
            starts.append((start - _EPOCH) // _US)
            offsets.append(offset(high))
        low = high
    return tuple(starts), tuple(offsets)


def _change(offset: Any, low: datetime, high: datetime) -> datetime:
    """The first second of the new offset, between two times that differ in it."""
    before = offset(low)
    seconds_low, seconds_high = 0, (high - low) // timedelta(seconds=1)
    while seconds_high - seconds_low > 1:
        middle = (seconds_low + seconds_high) // 2
        if offset(low + timedelta(seconds=middle)) == before:
            seconds_low = middle
        else:
            seconds_high = middle
    return low + timedelta(seconds=seconds_high)


def user_zones(
    user_ids: pa.Array, default: str, timezones: Mapping[Any, str] | None
) -> tuple[list[Zone], Int32Array | None]:
    """The zones in use, the default first, and each user's place among them; None where all have the default."""
    if not timezones:
        return [zone(default)], None
    places = {default: 0}
    for name in sorted(set(timezones.values())):
        places.setdefault(name, len(places))
    of_user = [places[timezones.get(user, default)] for user in user_ids.to_pylist()]
    return [zone(name) for name in places], np.array(of_user, np.int32)
