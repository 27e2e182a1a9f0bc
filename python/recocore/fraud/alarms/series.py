"""Business metrics by the hour or the day, from the event log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore.data.events import as_events
from recocore.errors import InvalidArgumentError
from recocore.fraud.velocity.columns import event_times

if TYPE_CHECKING:
    from recocore.types import AnyArray, Float64Array, Int64Array

Metric: TypeAlias = Literal["events", "value", "mean_value", "users"]

_MICROSECOND: Final = timedelta(microseconds=1)
# Seconds of 115 days: some 80 MB an array. One event of a wrong year would else ask for thousands of millions.
_MOST_STEPS: Final = 10_000_000


@dataclass(frozen=True, slots=True, eq=False)
class MetricSeries:
    """A metric at equal steps, without gaps: steps without an event count 0 (their mean value is missing).

    Attributes:
        name: of the metric and the types, such as "events of buy".
        starts: where each step begins, int64 microseconds, aligned to 1970 UTC.
        step: microseconds.
        values: float64.
    """

    name: str
    starts: Int64Array
    step: int
    values: Float64Array


def metric_series(
    events: Any, metric: Metric, *, step: timedelta = timedelta(hours=1), types: tuple[str, ...] = ()
) -> MetricSeries:
    """Count events, sum or average their values, or count different users, step by step. O(events log events).

    The last step is left out: it may not be over.

    Raises:
        InvalidArgumentError: no events of these types, a step that is no positive time, or more than 10 million steps.

    Example:
        >>> from recocore.data import EventBatch
        >>> log = {"user_id": ["a", "b", "a"], "item_id": [1, 1, 1], "event_time": [0, 60, 3 * 3600]}
        >>> series = metric_series(EventBatch.from_arrow(pa.table(log), time_unit="s"), "users")
        >>> series.values.tolist()
        [2.0, 0.0, 0.0]
    """
    if metric not in ("events", "value", "mean_value", "users") or step < timedelta(seconds=1):
        raise InvalidArgumentError(
            f"metric, step: expected events, value, mean_value or users by at least a second, got {metric}, {step}",
            field="metric",
        )
    events = as_events(events)
    if types:
        events = events.filter(pc.is_in(events.column("type"), pa.array(types)).to_numpy())
    if not len(events):
        raise InvalidArgumentError(
            f"events: expected some of type {', '.join(types) or 'any'}, got none", field="events"
        )
    width = step // _MICROSECOND
    place = event_times(events, 0) // width
    first, last = int(place.min()), int(place.max())
    steps = max(last - first, 1)
    if steps > _MOST_STEPS:
        raise InvalidArgumentError(
            f"event_time: expected at most {_MOST_STEPS:,} steps of {step} from the first event to the last, got {steps:,}; "
            "leave out events with a wrong time, or take a longer step",
            field="event_time",
        )
    kept = place - first < steps
    place = (place - first)[kept]
    values: Float64Array
    if metric == "users":
        values = _different(place, events.column("user_id").combine_chunks().dictionary_encode(), kept, steps)
    elif metric == "events":
        values = np.bincount(place, minlength=steps).astype(np.float64)
    else:
        money = pc.fill_null(events.column("value").cast(pa.float64()), np.nan).to_numpy()[kept]
        valued = ~np.isnan(money)
        values = np.bincount(place[valued], money[valued], minlength=steps).astype(np.float64)
        if metric == "mean_value":
            with np.errstate(invalid="ignore"):
                values = values / np.bincount(place[valued], minlength=steps)
    name = metric.replace("_", " ") + (f" of {', '.join(types)}" if types else "")
    return MetricSeries(name, (np.arange(steps) + first) * width, width, values)


def _different(place: Int64Array, users: pa.DictionaryArray, kept: AnyArray, steps: int) -> Float64Array:
    codes = pc.fill_null(users.indices, -1).to_numpy()[kept]
    pairs = np.unique(np.column_stack([place, codes])[codes >= 0], axis=0)
    counts: Float64Array = np.bincount(pairs[:, 0], minlength=steps).astype(np.float64)
    return counts
