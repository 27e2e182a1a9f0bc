"""An event batch as the arrays that the native counters take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore.data.buffers import hashes
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore import _native
    from recocore.data import EventBatch
    from recocore.types import AnyArray, Float64Array, Int64Array


def event_times(events: EventBatch, skew_us: int) -> Int64Array:
    """Microseconds since 1970 of each event, at most `skew_us` after it was known.

    Raises:
        InvalidArgumentError: an event has no time.
    """
    times = _times(events.column("event_time"))
    if events.has("known_time"):
        latest = np.iinfo(np.int64).max - skew_us
        known = pc.fill_null(events.column("known_time").cast(pa.int64()), latest).to_numpy()
        times = np.minimum(times, np.minimum(known, latest) + skew_us)
    return np.ascontiguousarray(times)


def _times(column: pa.ChunkedArray) -> Int64Array:
    if column.null_count:
        raise InvalidArgumentError(
            f"events: expected a time of every event, got {column.null_count} without; recocore.data.clean sets them aside",
            field="event_time",
        )
    times: Int64Array = column.cast(pa.int64()).to_numpy()
    return times


def hashed_columns(native: _native.Velocity, events: EventBatch, names: Sequence[str]) -> AnyArray:
    """Hashes of ids, uint64 `[events, names]`: 0 where one is missing, and in columns that the batch came without."""
    ids = np.zeros((len(events), len(names)), np.uint64)
    for place, name in enumerate(names):
        if events.has(name):
            ids[:, place] = hashed(native, events.column(name))
    return ids


def hashed(native: _native.Velocity, column: pa.ChunkedArray) -> AnyArray:
    """Hashes of texts or integers, uint64 `[rows]`: 0 where one is missing."""
    # Few texts come often in most columns, and a look-up in a dictionary costs what a hash costs.
    return hashes(column, native.hash_texts, native.hash_numbers)


def number_columns(events: EventBatch, names: Sequence[str]) -> Float64Array:
    """Numbers, float64 `[events, names]`: NaN where one is missing, and in columns that the batch came without."""
    numbers = np.full((len(events), len(names)), np.nan)
    for place, name in enumerate(names):
        if events.has(name):
            numbers[:, place] = pc.fill_null(events.column(name).cast(pa.float64()), np.nan).to_numpy()
    return numbers
