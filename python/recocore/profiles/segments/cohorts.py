"""Cohort retention: of those who came in a period, how many are active in each period after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore.data.events import EventBatch, as_events
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.types import Float64Array, Int64Array

Period = Literal["day", "week", "month"]

_PERIODS: tuple[Period, ...] = ("day", "week", "month")
# A matrix of more cohorts than this is no picture any more; a longer period is.
_MOST = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Retention:
    """A matrix of cohorts by periods since the first.

    Attributes:
        cohorts: the first local day of each cohort's period, ISO, `[c]`; periods without newcomers are left out.
        sizes: users whose first event is in it, int64 `[c]`.
        active: users with an event in the period so many after, int64 `[c, p]`; -1 where that is still to come.
        period: day, week (from Monday) or month.
        complete: whether the last period had ended at `as_of`; the last entry of each row is of that period.
    """

    cohorts: tuple[str, ...]
    sizes: Int64Array
    active: Int64Array
    period: Period
    complete: bool

    @property
    def rates(self) -> Float64Array:
        """Active users over the cohort's size, `[c, p]`; NaN where that is still to come."""
        return np.where(self.active >= 0, self.active / np.maximum(self.sizes, 1)[:, None], np.nan)

    def to_table(self) -> pa.Table:
        """One row a cohort and period: `cohort`, `size`, `after`, `active`, `rate`."""
        rows, after = np.nonzero(self.active >= 0)
        return pa.table(
            {
                "cohort": pa.array(self.cohorts, pa.string()).take(pa.array(rows)),
                "size": self.sizes[rows],
                "after": after,
                "active": self.active[rows, after],
                "rate": self.rates[rows, after],
            }
        )


def retention(
    events: EventBatch | Any,
    as_of: datetime | None = None,
    period: Period = "month",
    timezone: str = "UTC",
    types: Sequence[str] | None = None,
) -> Retention:
    """How cohorts stay: a user belongs to the period of the first event, and is active in each period with one.

    O(events log events). Events without a user or a time, and those at or after `as_of` or not yet known then, are left out,
    as in `build`.

    Args:
        events: a log, with `identities.apply` before where visitors log in.
        as_of: only what happened and was known before; None is everything.
        period: day, week (from Monday) or month of the local calendar.
        timezone: IANA name of that calendar.
        types: event types that count; None is all.

    Raises:
        InvalidArgumentError: an unknown period or zone, no event left, or more than 1,000 cohorts.

    Example:
        >>> table = pa.table({"user_id": ["ann", "ann", "bob", "eve"], "item_id": ["a"] * 4,
        ...                   "event_time": ["2026-01-05", "2026-02-10", "2026-01-20", "2026-02-02"]})
        >>> kept = retention(EventBatch.from_arrow(table, timezone="UTC"))
        >>> kept.cohorts, kept.sizes.tolist(), kept.active.tolist()
        (('2026-01-01', '2026-02-01'), [2, 1], [[2, 1], [1, -1]])
    """
    batch = as_events(events)
    if period not in _PERIODS:
        raise InvalidArgumentError(f"period: expected one of {', '.join(_PERIODS)}, got {period!r}", field="period")
    if as_of is not None and as_of.tzinfo is None:
        raise InvalidArgumentError(f"as_of: expected a datetime with a zone, got {as_of!r}", field="as_of")
    table = _counted(batch, as_of, types)
    if not table.num_rows:
        raise InvalidArgumentError("events: expected at least one with a user and a time before as_of, got none")
    times = table.column("event_time")
    try:
        local = pc.local_timestamp(times.cast(pa.timestamp("us", timezone)))
    except (pa.ArrowInvalid, ValueError):
        raise InvalidArgumentError(
            f"timezone: expected an IANA name such as Asia/Taipei, got {timezone!r}", field="timezone"
        ) from None
    when = _index(local, period)
    users = np.asarray(table.column("user_id").combine_chunks().dictionary_encode().indices, np.int64)
    first = np.full(int(users.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, users, when)
    last = int(when.max())
    origin = int(first.min())
    width = last - origin + 1
    if width > _MOST:
        raise InvalidArgumentError(
            f"period: expected at most {_MOST} periods, got {width:,} of a {period}; take a longer one", field="period"
        )
    pairs = np.unique(users * width + (when - origin))
    who, at = pairs // width, pairs % width
    began = first[who] - origin
    active = np.zeros((width, width), np.int64)
    np.add.at(active, (began, at - began), 1)
    sizes = np.bincount(first - origin, minlength=width)
    ahead = np.arange(width)[:, None] + np.arange(width) > last - origin
    active[ahead] = -1
    kept = np.flatnonzero(sizes)
    end = datetime.fromisoformat(_name(last + 1, period))
    now = as_of if as_of is not None else pc.max(times).as_py()
    complete = pc.local_timestamp(pa.scalar(now.astimezone(UTC), pa.timestamp("us", timezone))).as_py() >= end
    names = tuple(_name(int(place) + origin, period) for place in kept)
    return Retention(names, sizes[kept], active[kept], period, bool(complete))


def _counted(batch: EventBatch, as_of: datetime | None, types: Sequence[str] | None) -> pa.Table:
    names = ["user_id", "event_time", "type", *(["known_time"] if batch.has("known_time") else [])]
    batch.column("event_time")
    table = batch.table.select(names)
    keep = pc.and_(pc.is_valid(table.column("user_id")), pc.is_valid(table.column("event_time")))
    if as_of is not None:
        until = pa.scalar(as_of, pa.timestamp("us", "UTC"))
        keep = pc.and_(keep, pc.less(table.column("event_time"), until))
        if "known_time" in names:
            keep = pc.and_(keep, pc.fill_null(pc.less_equal(table.column("known_time"), until), True))
    if types is not None:
        keep = pc.and_(keep, pc.is_in(table.column("type"), value_set=pa.array(types, pa.string())))
    return table.filter(keep)


def _index(local: pa.ChunkedArray, period: Period) -> Int64Array:
    """Periods since 1970; weeks since Monday, 29 December 1969."""
    if period == "month":
        years, months = (pc.cast(part(local), pa.int64()).to_numpy() for part in (pc.year, pc.month))
        return np.asarray((years - 1970) * 12 + months - 1, np.int64)
    days = local.cast(pa.int64()).to_numpy() // 86_400_000_000
    return np.asarray(days if period == "day" else (days + 3) // 7, np.int64)


def _name(index: int, period: Period) -> str:
    if period == "month":
        return f"{1970 + index // 12:04d}-{index % 12 + 1:02d}-01"
    days = index if period == "day" else index * 7 - 3
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days)).strftime("%Y-%m-%d")
