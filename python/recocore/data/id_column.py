"""What callers hand over as ids, turned into one of three columns: int64, strings, or hashable objects."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from recocore.types import BoolArray, Int64Array

# int64 NumPy array, Arrow LargeString array, or a list of any hashable objects.
IdColumn: TypeAlias = "Int64Array | pa.LargeStringArray | list[Hashable]"

_TAKEN = "expected integers, strings or other hashable ids"


def id_column(ids: Any, argument: str = "ids", *, allow_empty: bool = False) -> IdColumn:
    """Turn ids of any container into one column; strings and integers go without a Python loop.

    Takes NumPy arrays, Arrow arrays (dictionary, chunked, string, large_string, string_view, any integer width), what
    exports Arrow (pandas and polars columns) and any iterable of Python objects. The empty string is a missing id, as
    null is, unless `allow_empty` (a lookup, where it is merely unknown).

    Raises:
        InvalidArgumentError: missing ids (with their counts), floats, booleans, integers above int64, strings that are
            not UTF-8, or integers mixed with strings (42 and "42" are the same id to a client that only has text).
    """
    if isinstance(ids, np.ndarray):
        column = _from_numpy(ids, argument)
    elif isinstance(ids, (pa.Array, pa.ChunkedArray)):
        column = _from_arrow(ids, argument)
    elif hasattr(ids, "__arrow_c_stream__"):
        try:
            exported = pa.chunked_array(ids)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            column = _from_objects(list(ids), argument)
        else:
            column = _from_arrow(exported, argument)
    elif isinstance(ids, (str, bytes)) or not hasattr(ids, "__iter__"):
        raise _refused(argument, f"expected a sequence of ids, got one {type(ids).__name__}; wrap it in a list")
    else:
        column = _from_objects(list(ids), argument)
    if isinstance(column, pa.LargeStringArray) and not allow_empty:
        _refuse_missing(argument, len(column), empty=pc.sum(pc.equal(column, "")).as_py() or 0)
    return column


def missing_ids(column: pa.ChunkedArray) -> BoolArray:
    """Where an Arrow column of ids is null or the empty string; bool `[rows]`."""
    missing = pc.is_null(column)
    if not pa.types.is_integer(column.type):
        missing = pc.or_(missing, pc.fill_null(pc.equal(column, ""), fill_value=True))
    return np.asarray(missing.to_numpy(zero_copy_only=False) if isinstance(missing, pa.Array) else missing.to_numpy())


def _refused(argument: str, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{argument}: {message}", field=argument)


def _refuse_missing(argument: str, rows: int, *, null: int = 0, empty: int = 0) -> None:
    if null or empty:
        raise _refused(
            argument,
            f"expected an id in each of {rows} rows, got {null} null and {empty} empty; "
            "drop these rows, or let recocore.data.clean quarantine them",
        )


def _refuse_type(argument: str, what: str) -> InvalidArgumentError:
    return _refused(argument, f"{_TAKEN}, got {what}; convert them to integers or strings")


def _from_numpy(array: Any, argument: str) -> IdColumn:
    if array.ndim != 1:
        raise _refused(argument, f"expected a 1-d array of ids, got {array.ndim}-d")
    if isinstance(array, np.ma.MaskedArray):
        _refuse_missing(argument, len(array), null=int(np.ma.getmaskarray(array).sum()))
        array = array.data
    kind = array.dtype.kind
    if kind in "iu":
        if kind == "u" and len(array) and int(array.max()) > np.iinfo(np.int64).max:
            raise _refused(argument, f"expected integers below 2**63, got {array.max()}; use strings for such ids")
        return np.ascontiguousarray(array, np.int64)
    if kind in "OUT":
        # Arrow's own conversion of "U" arrays ends a string at its first NUL; Python's strings keep it.
        return _from_objects(array.tolist(), argument)
    if len(array) == 0:
        return np.empty(0, np.int64)  # np.asarray([]) is float64
    raise _refuse_type(argument, f"{array.dtype} values")


def _from_arrow(column: Any, argument: str) -> IdColumn:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_null(kind) and len(column) == 0:
        return np.empty(0, np.int64)
    _refuse_missing(argument, len(column), null=column.null_count)
    if pa.types.is_integer(kind):
        try:
            plain = column.cast(kind).cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise _refused(argument, f"expected integers below 2**63, got {kind} beyond: {error}") from None
        return np.ascontiguousarray(plain.to_numpy(), np.int64)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        plain = column.cast(pa.large_string())
        if not isinstance(plain, pa.ChunkedArray):
            return plain
        return plain.chunk(0) if plain.num_chunks == 1 else pa.concat_arrays(plain.chunks or [pa.array([], plain.type)])
    raise _refuse_type(argument, f"an Arrow column of {column.type}")


def _from_objects(objects: list[Any], argument: str) -> IdColumn:
    types = Counter(map(type, objects))
    nan = sum(math.isnan(value) for value in objects if isinstance(value, float)) if float in types else 0
    _refuse_missing(argument, len(objects), null=types[type(None)] + nan)
    refused = [kind for kind in types if issubclass(kind, (float, np.floating, bool, np.bool_))]
    if refused:
        raise _refuse_type(argument, f"{types[refused[0]]} of type {refused[0].__name__}")
    whole = sum(count for kind, count in types.items() if issubclass(kind, (int, np.integer)))
    text = sum(count for kind, count in types.items() if issubclass(kind, str))
    if whole == len(objects):
        try:
            return np.array(objects, np.int64)
        except OverflowError:
            raise _refused(argument, "expected integers within int64, got larger; use strings for such ids") from None
    if text == len(objects):
        try:
            return pa.array(objects, pa.large_string())
        except UnicodeEncodeError as error:
            raise _refused(argument, f"expected strings that UTF-8 can hold, got one it cannot: {error}") from None
    if whole and text:
        raise _refused(argument, f"expected ids of one type, got {whole} integers and {text} strings; make all strings")
    return objects
