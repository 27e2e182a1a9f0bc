"""Codes of the names in a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore import _native
from recocore.data.buffers import filled, flat, strings, valid

if TYPE_CHECKING:
    from recocore.types import Int32Array


def codes(column: pa.ChunkedArray) -> tuple[Int32Array, pa.Array]:
    """int32 codes, -1 for null, and the distinct values by code, each in use. O(rows).

    Codes count by first appearance; those of a dictionary are taken as they are where they can be.
    """
    if pa.types.is_dictionary(column.type):
        return _of_dictionary(column)
    if pa.types.is_string(column.type):
        coded, firsts = _native.encode_names([(*strings(chunk), valid(chunk), chunk.offset) for chunk in column.chunks])
        return coded, flat(column.take(pa.array(firsts)))
    encoded = flat(column).dictionary_encode()
    return np.asarray(filled(pa.chunked_array([encoded.indices]), -1), np.int32), encoded.dictionary


def _of_dictionary(column: pa.ChunkedArray) -> tuple[Int32Array, pa.Array]:
    column = column.unify_dictionaries()
    names = column.chunk(0).dictionary if column.num_chunks else pa.array([], column.type.value_type)
    indices = pa.chunked_array([chunk.indices for chunk in column.chunks], column.type.index_type)
    coded = np.asarray(filled(indices.cast(pa.int32()), -1), np.int32)
    in_use = _native.codes_in_use(coded, len(names)).astype(bool)
    distinct = names.dictionary_encode()
    if in_use.all() and not names.null_count and len(distinct.dictionary) == len(names):
        return coded, names
    # Names that nobody has, such as those of rows that were filtered away, null as a name, or one name twice.
    kept = np.flatnonzero(in_use)
    encoded = names.take(pa.array(kept)).dictionary_encode()
    new = np.full(len(names) + 1, -1, np.int32)
    new[kept] = filled(pa.chunked_array([encoded.indices]), -1)
    return new[coded], encoded.dictionary


def renamed(coded: Int32Array, names: pa.Array) -> tuple[Int32Array, pa.Array]:
    """Codes of rows and their distinct values after names were changed: equal ones become one, an empty one is none.

    Args:
        coded: of `codes`.
        names: the new name of each code, none of them null.
    """
    if not len(names):
        return coded, names
    again = names.dictionary_encode()
    new = np.append(again.indices.to_numpy(), np.int32(-1)).astype(np.int32)
    new[np.isin(new, np.flatnonzero(np.asarray(pc.equal(again.dictionary, ""))))] = -1
    return new[coded], again.dictionary
