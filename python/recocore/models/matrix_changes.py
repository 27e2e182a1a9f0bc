"""Which rows of a sparse matrix changed when it grew, lost or renumbered rows and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.csr import Csr
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from recocore.types import AnyArray, BoolArray, Float32Array, Int32Array, Int64Array


def numbers_now(value: Any, before: int, now: int, argument: str) -> Int32Array:
    """The new index of each of the `before` old ones, -1 for one that is gone; None leaves them where they are.

    Raises:
        InvalidArgumentError: not an integer in [-1, now) for each.
    """
    if value is None:
        numbers = np.arange(before, dtype=np.int32)
        return np.where(numbers < now, numbers, np.int32(-1))
    numbers = np.asarray(value)
    if numbers.shape != (before,) or numbers.dtype.kind not in "iu":
        raise InvalidArgumentError(
            f"{argument}: expected an integer for each of the {before} fitted, "
            f"got {numbers.dtype} {list(numbers.shape)}",
            field=argument,
        )
    if numbers.min() < -1 or numbers.max() >= now:
        raise InvalidArgumentError(
            f"{argument}: expected indices in [-1, {now}), got {numbers.min()} to {numbers.max()}", field=argument
        )
    return np.ascontiguousarray(numbers, np.int32)


def rising_numbers(value: Any, before: int, now: int, argument: str) -> Int32Array:
    """The same where those that are not gone keep their order.

    Raises:
        InvalidArgumentError: they do not, or not an integer in [-1, now) for each.
    """
    numbers = numbers_now(value, before, now, argument)
    if (np.diff(numbers[numbers >= 0]) <= 0).any():
        raise InvalidArgumentError(
            f"{argument}: expected indices that rise, as those of sorted ids do; fit again", field=argument
        )
    return numbers


def changed_rows(matrix: Csr, rows: Int32Array, columns: Int32Array, after: Csr, *, by_column: bool) -> BoolArray:
    """Rows of `after` that differ from before, and `by_column` those with an entry in a column that differs.

    Args:
        matrix: canonical CSR before.
        rows: the new number of each of its rows, -1 for one that is gone; the others rise.
        columns: likewise.
        after: canonical CSR now.
        by_column: whether a change of a column is a change of each of its rows.

    O(entries).
    """
    before, lost = move(matrix, rows, columns, after.shape)
    counts = np.diff(after.indptr)
    same_length = np.diff(before.indptr) == counts
    changed: BoolArray = ~same_length | lost
    there = np.repeat(same_length, np.diff(before.indptr))
    here = np.repeat(same_length, counts)
    differs = (before.indices[there] != after.indices[here]) | (before.values[there] != after.values[here])
    changed[entry_rows(after)[here][differs]] = True
    if by_column:
        altered = _changed_columns(before, after, changed)
        # The entries of a row that is gone left their columns too.
        left = columns[matrix.indices[np.repeat(rows < 0, np.diff(matrix.indptr))]]
        altered[left[left >= 0]] = True
        changed |= rows_with(after, altered[after.indices])
    return changed


def _changed_columns(before: Csr, after: Csr, changed: BoolArray) -> BoolArray:
    """Columns in which an entry of a changed row came, went or has another value."""
    columns = np.zeros(after.shape[1], np.bool_)
    (old, old_values), (new, new_values) = (_keyed(matrix, changed) for matrix in (before, after))
    for ours, values, others, other_values in (
        (old, old_values, new, new_values),
        (new, new_values, old, old_values),
    ):
        place = np.searchsorted(others, ours)
        same = place < len(others)
        same[same] = (others[place[same]] == ours[same]) & (other_values[place[same]] == values[same])
        columns[ours[~same] % max(1, after.shape[1])] = True
    return columns


def _keyed(matrix: Csr, chosen: BoolArray) -> tuple[Int64Array, Float32Array]:
    """Entries of the chosen rows: row * columns + column, rising, and the value."""
    rows = entry_rows(matrix)
    wanted = chosen[rows]
    return rows[wanted].astype(np.int64) * matrix.shape[1] + matrix.indices[wanted], matrix.values[wanted]


def sharing_a_column(matrix: Csr, chosen: BoolArray) -> BoolArray:
    """Rows with a column in common with a chosen row."""
    columns = marked(matrix.shape[1], matrix.indices[chosen[entry_rows(matrix)]])
    return rows_with(matrix, columns[matrix.indices])


def move(matrix: Csr, rows: Int32Array, columns: Int32Array, shape: tuple[int, int]) -> tuple[Csr, BoolArray]:
    """The matrix under rising new numbers of its rows and columns, and which new rows lost an entry."""
    new_rows = np.repeat(rows, np.diff(matrix.indptr))
    new_columns = columns[matrix.indices]
    kept = (new_rows >= 0) & (new_columns >= 0)
    lost = marked(shape[0], new_rows[(new_rows >= 0) & (new_columns < 0)])
    indptr = np.zeros(shape[0] + 1, np.int64)
    np.cumsum(np.bincount(new_rows[kept], minlength=shape[0]), out=indptr[1:])
    return Csr(indptr, new_columns[kept], matrix.values[kept], shape), lost


def entry_rows(matrix: Csr) -> Int32Array:
    """The row of each entry."""
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))


def rows_with(matrix: Csr, entries: BoolArray) -> BoolArray:
    """The rows that have one of the marked entries."""
    return marked(matrix.shape[0], entry_rows(matrix)[entries])


def marked(count: int, numbers: AnyArray) -> BoolArray:
    """Bool `[count]`, true at `numbers`."""
    marks = np.zeros(count, np.bool_)
    marks[numbers] = True
    return marks
