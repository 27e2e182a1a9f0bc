"""What an event says about a taste: a weight by its type, halved with age."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.data.checks import is_finite_number
from recocore.data.id_column import missing_ids
from recocore.data.schema import DEFAULT_WEIGHTS, EVENT_TYPES
from recocore.data.times import times_to_us
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    import pyarrow as pa

    from recocore.data.events import EventBatch
    from recocore.types import Float64Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class WeightedEvents:
    """The events that count: Arrow columns of ids, float64 weights and, where all have a time, int64 microseconds."""

    users: pa.ChunkedArray
    items: pa.ChunkedArray
    weights: Float64Array
    timestamps: Int64Array | None


def weigh(events: EventBatch, weights: Mapping[str, float] | None = None) -> WeightedEvents:
    """Keep the events whose type `weights` names, each with the weight of its type. O(events), no Python loop.

    Raises:
        InvalidArgumentError: a type in `weights` that neither the vocabulary nor the events know; no event that counts;
            events that count without a user or an item; times of some events that count, but not of all.
    """
    weights = DEFAULT_WEIGHTS if weights is None else weights
    types = events.column("type").combine_chunks().dictionary_encode()
    present = types.dictionary.to_pylist()
    _check(weights, present)
    by_code = np.array([weights.get(name, np.nan) for name in present], np.float64)
    of_event = by_code[types.indices.to_numpy()] if len(events) else np.empty(0)
    counts = ~np.isnan(of_event)
    if len(events) and not counts.any():
        raise InvalidArgumentError(
            f"weights: no event is of a type that they name ({', '.join(weights)}); the events are "
            f"{', '.join(present)}",
            field="weights",
        )
    used = events if counts.all() else events.filter(counts)
    for name in ("user_id", "item_id"):
        missing = int(missing_ids(used.column(name)).sum())
        if missing:
            raise InvalidArgumentError(
                f"events: expected {name} in each of {len(used)} events that count, got {missing} missing; "
                "recocore.data.clean(events) sets them aside",
                field=name,
            )
    return WeightedEvents(used.column("user_id"), used.column("item_id"), of_event[counts], _timestamps(used))


def decay(weights: Float64Array, timestamps: Int64Array | None, half_life: Any) -> Float64Array:
    """Halve weights with age: w * 2^(-age / half_life), age being the time until the last of the timestamps.

    Raises:
        InvalidArgumentError: a `half_life` that is no timedelta above 0, or no timestamps.
    """
    if half_life is None:
        return weights
    if not (isinstance(half_life, timedelta) and half_life > timedelta(0)):
        raise InvalidArgumentError(f"half_life: expected a timedelta above 0, got {half_life!r}", field="half_life")
    if timestamps is None:
        raise InvalidArgumentError(
            "half_life: expected events with times, got none; name their source with columns={'event_time': ...} "
            "(--columns event_time=SOURCE)",
            field="half_life",
        )
    if len(timestamps) == 0:
        return weights
    age = (timestamps.max() - timestamps) / (half_life / timedelta(microseconds=1))
    return np.asarray(weights * np.exp2(-age))


def _check(weights: Any, present: list[str]) -> None:
    if not isinstance(weights, Mapping) or not weights:
        raise InvalidArgumentError(f"weights: expected event type → weight, got {weights!r}", field="weights")
    known = EVENT_TYPES | set(present)
    unknown = [name for name in weights if name not in known]
    if unknown:
        raise InvalidArgumentError(
            f"weights: unknown event type {', '.join(map(repr, unknown))}; known are {', '.join(sorted(known))}",
            field="weights",
        )
    for name, weight in weights.items():
        if not is_finite_number(weight):
            raise InvalidArgumentError(
                f"weights: expected a finite number for {name!r}, got {weight!r}", field="weights"
            )


def _timestamps(events: EventBatch) -> Int64Array | None:
    if not events.has("event_time"):
        return None
    times = events.column("event_time")
    if times.null_count == len(times):
        return None if len(times) else np.empty(0, np.int64)
    if times.null_count:
        raise InvalidArgumentError(
            f"events: expected event_time in each of {len(times)} events that count, got {times.null_count} missing; "
            "recocore.data.clean(events) sets them aside",
            field="event_time",
        )
    return times_to_us(times, "event_time")
