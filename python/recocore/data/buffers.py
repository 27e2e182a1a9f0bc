"""Columns of Arrow as the extension reads them: their buffers, without a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.types import AnyArray, Float64Array, Int32Array, Int64Array, UInt8Array


def strings(chunk: pa.Array) -> tuple[Int32Array, UInt8Array]:
    """Offsets `[rows + 1]` and text of a String array."""
    _, offsets, text = chunk.buffers()
    if offsets is None or not len(chunk):
        return np.zeros(1, np.int32), np.empty(0, np.uint8)
    return np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1], _bytes(text)


def reals(chunk: pa.Array) -> Float64Array:
    """The values of a Double array; anything where it is null."""
    _, values = chunk.buffers()
    if values is None:
        return np.empty(0)
    return np.frombuffer(values, np.float64)[chunk.offset : chunk.offset + len(chunk)]


def integers(chunk: pa.Array) -> Int64Array:
    """The values of an Int64 array without nulls. `to_numpy` gives the same, and imports pandas where it is installed."""
    _, values = chunk.buffers()
    if values is None:
        return np.empty(0, np.int64)
    return np.frombuffer(values, np.int64)[chunk.offset : chunk.offset + len(chunk)]


def valid(chunk: pa.Array) -> UInt8Array | None:
    """Validity bits, row 0 at bit `chunk.offset`; None where nothing is null."""
    return _bytes(chunk.buffers()[0]) if chunk.null_count else None


def flat(column: pa.ChunkedArray) -> pa.Array:
    """All rows as one array, which is no copy where they lie together."""
    if column.num_chunks == 1:
        return column.chunk(0)
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


def filled(column: pa.ChunkedArray, absent: int) -> AnyArray:
    """Numbers, `absent` for null."""
    return np.ascontiguousarray(flat(pc.fill_null(column, absent) if column.null_count else column).to_numpy())


def hashes(
    column: pa.ChunkedArray,
    of_texts: Callable[[Int32Array, UInt8Array], AnyArray],
    of_numbers: Callable[[Int64Array], AnyArray],
) -> AnyArray:
    """Hashes of texts, dictionary-encoded or not, or of integers, uint64 `[rows]`: 0 where one is missing.

    What an empty text has is what `of_texts` gives it.
    """
    parts = [np.empty(0, np.uint64)]
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type):
            names = hashes(pa.chunked_array([chunk.dictionary]), of_texts, of_numbers)
            part = np.append(names, np.uint64(0))[filled(pa.chunked_array([chunk.indices]), -1)]
        elif pa.types.is_integer(chunk.type):
            part = of_numbers(filled(pa.chunked_array([chunk]), 0))
        else:
            part = of_texts(*strings(chunk))
        if chunk.null_count and not pa.types.is_dictionary(chunk.type):
            part[np.asarray(chunk.is_null())] = 0
        parts.append(part)
    return parts[1] if len(parts) == 2 else np.concatenate(parts)


def _bytes(buffer: pa.Buffer | None) -> UInt8Array:
    return np.frombuffer(b"" if buffer is None else buffer, np.uint8)
