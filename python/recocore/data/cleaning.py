"""Cleaning: each event either passes or goes to quarantine with one reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore.data.events import as_events
from recocore.data.id_column import missing_ids
from recocore.data.schema import EVENT_SCHEMA, ITEMLESS_TYPES
from recocore.data.times import times_to_us, to_us
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recocore.data.events import EventBatch
    from recocore.data.times import Instant
    from recocore.types import BoolArray, Float64Array


class Reason(StrEnum):
    """Why an event was set aside. A row with several reasons has the first in this order.

    A repeat is judged after the faults of single rows, so that a sound event is not lost to a faulty copy of it that
    came first; outliers last, so that faulty rows do not move the bounds.
    """

    MISSING_USER_ID = "missing_user_id"
    MISSING_ITEM_ID = "missing_item_id"
    MISSING_TIME = "missing_time"
    FUTURE_TIME = "future_time"
    BEFORE_BOUND = "before_bound"
    NON_FINITE_VALUE = "non_finite_value"
    NEGATIVE_VALUE = "negative_value"
    NON_POSITIVE_QUANTITY = "non_positive_quantity"
    DUPLICATE_EVENT_ID = "duplicate_event_id"
    OUTLIER_MAD = "outlier_mad"
    OUTLIER_IQR = "outlier_iqr"


@dataclass(frozen=True, slots=True)
class OutlierRule:
    """A bound on one numeric column, computed from the batch's sound rows.

    mad: |x - median| > threshold * 1.4826 * MAD, where 1.4826 makes the median absolute deviation a standard deviation
    under a normal distribution (Iglewicz and Hoaglin 1993, whose customary threshold is 3.5). iqr: x outside of
    [Q1 - threshold * IQR, Q3 + threshold * IQR] (Tukey 1977, 1.5). A spread of 0 bounds nothing, as more than half of
    the values being equal says nothing about the rest.
    """

    column: str
    method: Literal["mad", "iqr"] = "mad"
    threshold: float = 3.5

    def __post_init__(self) -> None:
        _check_numeric(self.column, "column")
        if self.method not in {"mad", "iqr"}:
            raise InvalidArgumentError(f"method: expected mad or iqr, got {self.method!r}", field="method")
        if not (self.threshold > 0 and np.isfinite(self.threshold)):
            raise InvalidArgumentError(f"threshold: expected a number above 0, got {self.threshold}", field="threshold")

    @property
    def reason(self) -> Reason:
        """What an event beyond the bound is set aside for."""
        return Reason.OUTLIER_MAD if self.method == "mad" else Reason.OUTLIER_IQR

    def beyond(self, values: Float64Array) -> BoolArray:
        """Where `values`, float64 `[n]` with NaN for none, are outside of the bounds."""
        known = values[~np.isnan(values)]
        if len(known) == 0:
            return np.zeros(len(values), np.bool_)
        # Bounds beyond float64 become infinite and then bound nothing, as they should.
        with np.errstate(over="ignore"):
            low, high = self._bounds(known)
        return np.asarray((low < high) & ((values < low) | (values > high)))

    def _bounds(self, known: Float64Array) -> tuple[float, float]:
        if self.method == "mad":
            centre = np.median(known)
            reach = self.threshold * 1.4826 * np.median(np.abs(known - centre))
            return centre - reach, centre + reach
        first, third = np.quantile(known, [0.25, 0.75])
        reach = self.threshold * (third - first)
        return first - reach, third + reach


@dataclass(frozen=True, slots=True)
class CleaningRules:
    """What makes an event unsound. A rule about a column that a batch lacks finds nothing.

    Attributes:
        deduplicate: set aside events whose event_id an earlier row has; events without an event_id are all kept.
        require_user: set aside events without a user.
        require_item: set aside events without an item, save for `itemless_types`.
        require_time: set aside events without a time.
        now: set aside events after this instant; None for no bound.
        not_before: set aside events before this instant; None for no bound.
        finite: columns of which NaN and infinities are set aside.
        non_negative: columns of which values below 0 are set aside, save for `signed_types`.
        positive_quantity: set aside quantities of 0 and less, save for `signed_types`.
        itemless_types: types that need no item.
        signed_types: types whose money and quantity may be negative.
        outliers: bounds computed from the sound rows of the batch; none by default.
    """

    deduplicate: bool = True
    require_user: bool = True
    require_item: bool = True
    require_time: bool = True
    now: Instant | None = None
    not_before: Instant | None = None
    finite: tuple[str, ...] = ("value", "price", "rating")
    non_negative: tuple[str, ...] = ("value", "price", "dwell_ms", "position")
    positive_quantity: bool = True
    itemless_types: frozenset[str] = ITEMLESS_TYPES
    signed_types: frozenset[str] = frozenset({"refund"})
    outliers: tuple[OutlierRule, ...] = ()

    def __post_init__(self) -> None:
        for argument in ("finite", "non_negative"):
            for name in getattr(self, argument):
                _check_numeric(name, argument)


@dataclass(frozen=True, slots=True)
class CleaningReport:
    """How many rows came, how many passed, and how many were set aside for each reason (0 included)."""

    rows_in: int
    rows_clean: int
    counts: dict[Reason, int]

    @property
    def rows_quarantined(self) -> int:
        """The rows set aside."""
        return self.rows_in - self.rows_clean

    def __str__(self) -> str:
        found = ", ".join(f"{reason} {count}" for reason, count in self.counts.items() if count)
        return f"{self.rows_clean} of {self.rows_in} events are sound{f'; set aside: {found}' if found else ''}"


@dataclass(frozen=True, slots=True, eq=False)
class Cleaned:
    """The sound events in their order, the others with a `reason` column beside their own, and the counts."""

    events: EventBatch
    quarantine: pa.Table
    report: CleaningReport


def clean(events: Any, rules: CleaningRules | None = None) -> Cleaned:
    """Part events into sound ones and a quarantine; every row that comes in is in exactly one of them, unchanged.

    Args:
        events: the log: a batch, or what `EventBatch.from_arrow` takes.
        rules: what is unsound; without them the default rules, with nothing later than the present moment.

    Example:
        >>> from recocore.data import EventBatch
        >>> events = EventBatch.from_arrow({"user_id": ["a", None, "b"], "item_id": [1, 2, 3], "quantity": [1, 1, -2]})
        >>> cleaned = clean(events)
        >>> print(cleaned.report)
        1 of 3 events are sound; set aside: missing_user_id 1, non_positive_quantity 1
        >>> cleaned.quarantine.column("reason").to_pylist()
        ['missing_user_id', 'non_positive_quantity']
    """
    events = as_events(events)
    rules = CleaningRules(now=datetime.now(UTC)) if rules is None else rules
    order = list(Reason)
    code = np.full(len(events), len(order), np.int8)  # the reason's place in the order; beyond it: sound
    for reason, found in _row_faults(events, rules):
        _mark(code, found, order.index(reason))
    if rules.deduplicate and events.has("event_id"):
        _mark(code, _repeats(events, code == len(order)), order.index(Reason.DUPLICATE_EVENT_ID))
    sound = code == len(order)
    for rule in sorted(rules.outliers, key=lambda rule: order.index(rule.reason)):
        if events.has(rule.column):
            values = np.where(sound, _numbers(events, rule.column), np.nan)
            _mark(code, rule.beyond(values), order.index(rule.reason))
    counts = np.bincount(code, minlength=len(order) + 1)
    passed = code == len(order)
    reasons = pa.array([*map(str, order)]).take(pa.array(code[~passed]))
    quarantine = events.table.filter(pa.array(~passed)).append_column("reason", reasons)
    report = CleaningReport(len(events), int(counts[-1]), {reason: int(counts[i]) for i, reason in enumerate(order)})
    return Cleaned(events.filter(passed), quarantine, report)


def _check_numeric(column: str, argument: str) -> None:
    numeric = [field.name for field in EVENT_SCHEMA if field.type in {pa.float64(), pa.int64()}]
    if column not in numeric:
        raise InvalidArgumentError(
            f"{argument}: expected a numeric column of the event schema ({', '.join(numeric)}), got {column!r}",
            field=argument,
        )


def _mark(code: np.ndarray[tuple[int], np.dtype[np.int8]], found: BoolArray, reason: int) -> None:
    code[found & (code > reason)] = reason


def _row_faults(events: EventBatch, rules: CleaningRules) -> Iterator[tuple[Reason, BoolArray]]:
    """Where each reason holds that needs no other row."""
    signed = _among(events, rules.signed_types)
    if rules.require_user:
        yield Reason.MISSING_USER_ID, missing_ids(events.column("user_id"))
    if rules.require_item:
        yield Reason.MISSING_ITEM_ID, missing_ids(events.column("item_id")) & ~_among(events, rules.itemless_types)
    if events.has("event_time"):
        times = events.column("event_time")
        known = _bools(pc.is_valid(times))
        if rules.require_time:
            yield Reason.MISSING_TIME, ~known
        us = times_to_us(times.cast(pa.int64()).fill_null(0), "event_time")
        if rules.now is not None:
            yield Reason.FUTURE_TIME, known & (us > to_us(rules.now, "now"))
        if rules.not_before is not None:
            yield Reason.BEFORE_BOUND, known & (us < to_us(rules.not_before, "not_before"))
    for name in filter(events.has, rules.finite):
        column = events.column(name)
        yield Reason.NON_FINITE_VALUE, _bools(pc.invert(pc.is_finite(column)))
    for name in filter(events.has, rules.non_negative):
        yield Reason.NEGATIVE_VALUE, _bools(pc.less(events.column(name), 0)) & ~signed
    if rules.positive_quantity and events.has("quantity"):
        yield Reason.NON_POSITIVE_QUANTITY, _bools(pc.less_equal(events.column("quantity"), 0)) & ~signed


def _repeats(events: EventBatch, sound: BoolArray) -> BoolArray:
    """Where a sound row's event_id is that of an earlier sound row."""
    ids = events.column("event_id")
    named = np.flatnonzero(sound & ~missing_ids(ids))
    codes = ids.take(pa.array(named)).combine_chunks().dictionary_encode().indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    repeated = np.zeros(len(sound), np.bool_)
    repeated[named] = True
    repeated[named[first]] = False
    return repeated


def _among(events: EventBatch, types: frozenset[str]) -> BoolArray:
    return _bools(pc.is_in(events.column("type"), value_set=pa.array(sorted(types), pa.string())))


def _bools(column: pa.ChunkedArray) -> BoolArray:
    """An Arrow column of truths, null being false."""
    return np.asarray(pc.fill_null(column, False).to_numpy())


def _numbers(events: EventBatch, name: str) -> Float64Array:
    """float64 with NaN for null; infinities are left out too, as they have no place in a bound."""
    values = events.column(name).cast(pa.float64(), safe=False).to_numpy()
    return np.where(np.isfinite(values), values, np.nan)
