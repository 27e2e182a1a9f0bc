"""Points in time as int64 microseconds since 1970-01-01 UTC, the form that every room keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from recocore.types import Int64Array

# A datetime with a zone, a NumPy datetime64 (UTC), or microseconds since 1970.
Instant: TypeAlias = "datetime | np.datetime64 | int"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(instant: Any, argument: str) -> int:
    """Microseconds since 1970 of one instant; a datetime without a zone is refused."""
    if isinstance(instant, datetime):
        if instant.tzinfo is None:
            raise InvalidArgumentError(
                f"{argument}: expected a datetime with a zone, got {instant!r}; add tzinfo=datetime.UTC or another",
                field=argument,
            )
        return (instant - _EPOCH) // _MICROSECOND
    if isinstance(instant, np.datetime64) and not np.isnat(instant):
        return int(instant.astype("datetime64[us]").astype(np.int64))
    if isinstance(instant, (int, np.integer)) and not isinstance(instant, bool) and -(2**63) <= instant < 2**63:
        return int(instant)
    raise InvalidArgumentError(
        f"{argument}: expected a datetime, a numpy.datetime64 or microseconds since 1970 in 64 bits, got {instant!r}",
        field=argument,
    )


def times_to_us(times: Any, argument: str) -> Int64Array:
    """Microseconds since 1970 of each time: int64 `[n]` from integers, datetime64, Arrow timestamps or datetimes."""
    if isinstance(times, (pa.Array, pa.ChunkedArray)):
        if times.null_count:
            raise InvalidArgumentError(f"{argument}: expected no nulls, got {times.null_count}", field=argument)
        if pa.types.is_timestamp(times.type):
            times = times.cast(pa.timestamp("us", times.type.tz), safe=False).cast(pa.int64())
        times = times.to_numpy()
    elif not isinstance(times, np.ndarray):
        times = list(times)
        if times and isinstance(times[0], datetime):
            times = [to_us(time, argument) for time in times]
        times = np.asarray(times) if times else np.empty(0, np.int64)
    if times.dtype.kind == "M":
        if np.isnat(times).any():
            raise InvalidArgumentError(f"{argument}: expected times, got {np.isnat(times).sum()} NaT", field=argument)
        times = times.astype("datetime64[us]").astype(np.int64)
    if times.dtype.kind not in "iu" or times.ndim != 1:
        raise InvalidArgumentError(
            f"{argument}: expected 1-d timestamps or integers (microseconds since 1970), "
            f"got {times.ndim}-d {times.dtype}",
            field=argument,
        )
    return np.ascontiguousarray(times, np.int64)
