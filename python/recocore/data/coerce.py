"""One source column to one column of the event schema, exactly or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import pyarrow as pa
import pyarrow.compute as pc

from recocore.data.schema import CODED_TEXT, EVENT_SCHEMA, ID_COLUMNS
from recocore.errors import InvalidArgumentError

TimeUnit: TypeAlias = Literal["s", "ms", "us"]

_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_UTC = pa.timestamp("us", "UTC")
_OFFSET = r"(Z|[+-]\d{2}(:?\d{2})?)$"
_FRACTION_BEYOND_US = r"(\.\d{6})\d+"


@dataclass(frozen=True, slots=True)
class TimeReading:
    """How times without a unit or a zone are meant; nothing about them is guessed.

    Attributes:
        unit: the unit of numbers since 1970-01-01 UTC: s, ms or us.
        zone: the IANA name of the zone of times without one, such as "UTC" or "Asia/Shanghai".
    """

    unit: TimeUnit | None = None
    zone: str | None = None

    def __post_init__(self) -> None:
        if self.unit is not None and self.unit not in get_args(TimeUnit):
            raise InvalidArgumentError(
                f"time_unit: expected one of {', '.join(get_args(TimeUnit))}, got {self.unit!r}", field="time_unit"
            )
        if self.zone is not None and not isinstance(self.zone, str):
            raise InvalidArgumentError(
                f"timezone: expected an IANA name such as 'Asia/Shanghai', got {self.zone!r}", field="timezone"
            )


def coerce(column: pa.ChunkedArray, name: str, source: str, times: TimeReading) -> pa.ChunkedArray:
    """The column as the schema's type for `name`; `source` is what errors call it.

    Raises:
        InvalidArgumentError: a value or a type that the schema's type cannot hold exactly.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    target = EVENT_SCHEMA.field(name).type
    try:
        if pa.types.is_null(column.type):
            return column.cast(target)
        if name in ID_COLUMNS:
            return _to_id(column, source)
        if pa.types.is_timestamp(target):
            return _to_time(column, source, times)
        if pa.types.is_string(target):
            return _to_text(column, source)
        if pa.types.is_list(target):
            return _to_texts(column, source)
        return _to_number(column, source, target)
    except pa.ArrowInvalid as error:
        raise InvalidArgumentError(
            f"{source}: expected values that {target} can hold, got {_first_line(error)}", field=name
        ) from None


def coded_texts(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """A dictionary of texts as int32 codes of strings, its names as they come; None where the column is no such one."""
    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return None
    if any(chunk.dictionary.null_count for chunk in column.chunks):
        return None  # a null that is a name: no count of nulls knows of it
    if column.type == CODED_TEXT:
        return column
    chunks = [
        pa.DictionaryArray.from_arrays(chunk.indices.cast(pa.int32()), chunk.dictionary.cast(pa.string()))
        for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, CODED_TEXT)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _refused(source: str, expected: str, kind: pa.DataType, then: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{source}: expected {expected}, got {kind}; {then}", field=source)


def _to_id(column: pa.ChunkedArray, source: str) -> pa.ChunkedArray:
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64())
    if _is_text(column.type):
        return column.cast(pa.string())
    raise _refused(source, "integer or string ids", column.type, "cast them to int64 (missing as null) or to strings")


def _to_text(column: pa.ChunkedArray, source: str) -> pa.ChunkedArray:
    if _is_text(column.type) or pa.types.is_integer(column.type):
        return column.cast(pa.string())
    raise _refused(source, "strings (or integers)", column.type, "cast them to strings")


def _to_texts(column: pa.ChunkedArray, source: str) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = kind.value_type.value_type if pa.types.is_dictionary(kind.value_type) else kind.value_type
        if _is_text(inner) or pa.types.is_null(inner):
            return column.cast(pa.list_(pa.string()))
    raise _refused(source, "lists of strings", kind, "split a text of several into a list")


def _to_number(column: pa.ChunkedArray, source: str, target: pa.DataType) -> pa.ChunkedArray:
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise _refused(source, "numbers", kind, "cast them to float64 or int64")
    if pa.types.is_integer(target) and pa.types.is_floating(kind):
        # pandas has no whole column with gaps but floats, where a gap is NaN.
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
    return column.cast(target)


def _to_time(column: pa.ChunkedArray, source: str, times: TimeReading) -> pa.ChunkedArray:
    kind = column.type
    if _is_text(kind):
        return _from_text(column.cast(pa.string()), source, times)
    if pa.types.is_date(kind):
        return _zoned(column.cast(pa.timestamp("us")), source, times)
    if pa.types.is_timestamp(kind):
        if kind.tz is None:
            return _zoned(column.cast(pa.timestamp("us"), safe=kind.unit != "ns"), source, times)
        return column.cast(_UTC, safe=kind.unit != "ns")
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _from_numbers(column, source, times)
    raise _refused(source, "times", kind, "cast them to timestamps")


def _from_numbers(column: pa.ChunkedArray, source: str, times: TimeReading) -> pa.ChunkedArray:
    if times.unit is None:
        raise InvalidArgumentError(
            f"{source}: expected times, got {column.type} without a unit; "
            "pass time_unit='s', 'ms' or 'us' (--time-unit s) for numbers since 1970",
            field="time_unit",
        )
    factor = _MICROSECONDS[times.unit]
    if pa.types.is_floating(column.type):
        column = column.cast(pa.float64())
        whole = pc.round(pc.multiply(pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column), factor))
        return whole.cast(pa.int64()).cast(_UTC)
    return pc.multiply_checked(column.cast(pa.int64()), factor).cast(_UTC)


def _from_text(column: pa.ChunkedArray, source: str, times: TimeReading) -> pa.ChunkedArray:
    column = pc.utf8_trim_whitespace(column)
    column = pc.replace_substring_regex(column, _FRACTION_BEYOND_US, r"\1")
    column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    # A date alone, 2024-01-02, ends like an offset does: an offset follows a time of day.
    zoned = pc.and_(pc.match_substring(column, ":"), pc.match_substring_regex(column, _OFFSET))
    nothing = pa.scalar(None, pa.string())
    with_zone = pc.if_else(zoned, column, nothing).cast(_UTC)
    without = pc.if_else(zoned, nothing, column)
    if without.null_count == len(without):
        return with_zone
    return pc.coalesce(with_zone, _zoned(without.cast(pa.timestamp("us")), source, times))


def _zoned(column: pa.ChunkedArray, source: str, times: TimeReading) -> pa.ChunkedArray:
    """Times of the named zone; of an hour that its clocks show twice, the first; one that they skip is moved on."""
    if column.null_count == len(column):
        return column.cast(_UTC)
    if times.zone is None:
        raise InvalidArgumentError(
            f"{source}: expected times with a zone, got times without one; "
            "pass timezone='UTC' (--timezone UTC), 'Asia/Shanghai' or wherever they were taken",
            field="timezone",
        )
    if times.zone.upper() in {"UTC", "Z"}:
        return column.cast(_UTC)  # needs no time zone database
    try:
        zoned: Any = pc.assume_timezone(column, times.zone, ambiguous="earliest", nonexistent="latest")
    except pa.ArrowInvalid as error:
        raise InvalidArgumentError(f"timezone: {_first_line(error)}", field="timezone") from None
    return zoned.cast(_UTC)
