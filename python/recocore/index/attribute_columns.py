"""Attributes of items out of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore.data import IdMap
from recocore.data.events import as_table
from recocore.errors import InvalidArgumentError
from recocore.index.attributes import Attribute, Attributes, Flags, Numbers, Texts

if TYPE_CHECKING:
    from recocore.types import Int32Array, Int64Array

ID_COLUMN = "item_id"

# Ticks of a second, by Arrow's unit of a time.
_TICKS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def read_attributes(source: Any, items: IdMap) -> Attributes:
    """The attributes of the items of a map.

    Args:
        source: a table with the column `item_id` and a row an item, or a list of such; see `Index.build`.
        items: the items; rows of others are passed over.

    Raises:
        InvalidArgumentError: no such table, no id in a row, an item twice, or a column of a type that is not kept.
    """
    columns: dict[str, Attribute] = {}
    for table in source if isinstance(source, (list, tuple)) else [source]:
        columns |= _columns(as_table(table, "attributes"), items)
    return Attributes(columns)


def _columns(table: pa.Table, items: IdMap) -> dict[str, Attribute]:
    if len(set(table.column_names)) < table.num_columns:
        raise InvalidArgumentError(
            f"attributes: expected column names once, got {', '.join(table.column_names)}", field="attributes"
        )
    if ID_COLUMN not in table.column_names:
        raise InvalidArgumentError(
            f"attributes: expected a column {ID_COLUMN}, got {', '.join(table.column_names) or 'none'}; rename the one "
            "that has the ids (--item-id COLUMN)",
            field="attributes",
        )
    targets, rows = _targets(table.column(ID_COLUMN), items)
    columns = {}
    for name in table.column_names:
        if name == "":
            raise InvalidArgumentError(
                "attributes: expected a name for each column, got an empty one", field="attributes"
            )
        if name != ID_COLUMN:
            columns[name] = _column(table.column(name).take(rows), f"attributes.{name}", targets, len(items))
    return columns


def _targets(ids: pa.ChunkedArray, items: IdMap) -> tuple[Int32Array, pa.Array]:
    """The items of the rows that are of one, and these rows."""
    if pa.types.is_dictionary(ids.type):
        ids = ids.cast(ids.type.value_type)
    if ids.null_count:
        raise InvalidArgumentError(
            f"attributes: expected an item_id in each row, got {ids.null_count} null; leave those rows out",
            field="attributes",
        )
    if items.kind == "string" and pa.types.is_integer(ids.type):
        ids = ids.cast(pa.large_string())
    indices = items.indices_of(ids)
    rows = np.flatnonzero(indices >= 0)
    targets = indices[rows]
    counts = np.bincount(targets, minlength=len(items))
    if len(items) and counts.max() > 1:
        raise InvalidArgumentError(
            f"attributes: expected a row an item, got {counts.max()} of {items.id_of(int(counts.argmax()))!r}",
            field="attributes",
        )
    return targets, pa.array(rows)


def _column(values: pa.ChunkedArray, label: str, targets: Int32Array, n_items: int) -> Attribute:
    """One column, whose row r is of item targets[r]."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if _is_text(kind) or pa.types.is_null(kind):
        return _texts(np.arange(len(values)), values, label, targets, n_items, listed=False)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = kind.value_type.value_type if pa.types.is_dictionary(kind.value_type) else kind.value_type
        if _is_text(inner) or pa.types.is_null(inner):
            parents = pc.list_parent_indices(values.combine_chunks()).to_numpy()
            return _texts(parents, pc.list_flatten(values), label, targets, n_items, listed=True)
    if pa.types.is_boolean(kind):
        flags = np.full(n_items, -1, np.int8)
        flags[targets] = pc.fill_null(values.cast(pa.int8()), -1).to_numpy()
        return Flags(flags)
    numbers = np.full(n_items, np.nan)
    numbers[targets] = _numbers(values, label)
    return Numbers(numbers)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view())


def _texts(
    rows: Int64Array, values: pa.ChunkedArray, label: str, targets: Int32Array, n_items: int, *, listed: bool
) -> Texts:
    """Texts of rows that rise; a null or empty one is no value."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    values = values.cast(pa.large_string())
    kept = pc.fill_null(pc.not_equal(values, ""), fill_value=False).to_numpy()
    words, codes = IdMap.build(values.filter(pa.array(kept)), label)
    of = targets[rows[kept]].astype(np.int64)
    # Each word once an item, where it came first.
    _, first = np.unique(of * max(1, len(words)) + codes, return_index=True)
    first = first[np.lexsort((first, of[first]))]
    indptr = np.zeros(n_items + 1, np.int64)
    np.cumsum(np.bincount(of[first], minlength=n_items), out=indptr[1:])
    return Texts(words, indptr, codes[first], listed)


def _numbers(values: pa.ChunkedArray, label: str) -> Any:
    """Float64, NaN for null."""
    kind, ticks = values.type, 1.0
    if pa.types.is_timestamp(kind):
        ticks, values = _TICKS[kind.unit], values.cast(pa.int64())
    elif pa.types.is_date(kind):
        ticks, values = 1e3, values.cast(pa.date64()).cast(pa.int64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise InvalidArgumentError(
            f"{label}: expected text, numbers, times or flags, or lists of text, got {kind}; convert or drop the column",
            field=label,
        )
    numbers = pc.fill_null(pc.cast(values, pa.float64(), safe=False), float("nan")).to_numpy() / ticks
    if np.isinf(numbers).any():
        raise InvalidArgumentError(f"{label}: expected finite numbers, got infinity; null is no value", field=label)
    return numbers
