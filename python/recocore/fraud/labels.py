"""Labels from a file, matched to a log's events by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from recocore.data import files
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    import os

    from recocore.data import EventBatch
    from recocore.types import Float64Array


def read_labels(path: str | os.PathLike[str], events: EventBatch, known_by: int | None = None) -> Float64Array:
    """1, 0 or NaN for each event, float64 `[events]`, from a Parquet or CSV file. O(labels + events).

    The file has `event_id`, `y` (0 or 1) and, where `known_by` is given, `ts`: when the label became known, a time with a
    zone or microseconds since 1970. Of several labels of one event the latest line counts.

    Raises:
        NotFoundError: no such file.
        CorruptError: it cannot be read.
        InvalidArgumentError: it lacks a column, `y` is something else, or the events have no `event_id`.
    """
    if str(path).lower().endswith((".csv", ".csv.gz")):
        read = files.read_csv(path, {"event_id": pa.string(), "y": pa.int64(), "ts": pa.string()})
    else:
        source = files.open_parquet(path)
        kept = [name for name in source.schema.names if name in ("event_id", "y", "ts")]
        read = files.read_parquet(source, path, kept)
    wanted = ["event_id", "y", *(["ts"] if known_by is not None else [])]
    absent = [name for name in wanted if name not in read.column_names]
    if absent:
        raise InvalidArgumentError(
            f"labels: expected columns {', '.join(wanted)}, got {', '.join(read.column_names)}", field="labels"
        )
    y = read.column("y").cast(pa.int64()).to_pylist()
    if not set(y) <= {0, 1}:
        raise InvalidArgumentError("labels: expected 0 or 1 in y, got another value", field="labels")
    names: list[Any] = read.column("event_id").cast(pa.string()).to_pylist()
    known: dict[str, float] = {}
    if known_by is None:
        known.update(zip(names, map(float, y), strict=True))
    else:
        times = _times(read.column("ts"))
        known.update((name, float(one)) for name, one, ts in zip(names, y, times, strict=True) if ts <= known_by)
    ids = events.column("event_id").to_pylist()
    return np.array([known.get(name, np.nan) for name in ids], np.float64)


def _times(column: pa.ChunkedArray) -> list[int]:
    try:
        if pa.types.is_integer(column.type):
            return [int(time) for time in column.to_pylist()]
        if pa.types.is_string(column.type) and all(str(time).lstrip("-").isdigit() for time in column.to_pylist()):
            return [int(time) for time in column.to_pylist()]
        times: list[int] = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError) as error:
        raise InvalidArgumentError(
            f"labels: expected times with a zone, or microseconds since 1970, in ts: {error}", field="labels"
        ) from None
    return times
