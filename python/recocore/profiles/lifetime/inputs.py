"""What the models of this folder take: columns of numbers, each checked once and named when it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from recocore.types import BoolArray, Float64Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Distinct:
    """Rows of columns without repeats.

    Attributes:
        columns: float64 `[n]` each.
        weights: how often each row came, float64 `[n]`.
        place: the distinct row of each row, int64 `[total]`.
        total: how many rows there were.
    """

    columns: tuple[Float64Array, ...]
    weights: Float64Array
    place: Int64Array
    total: int


def column(values: Any, name: str) -> Float64Array:
    """Finite numbers of any array-like, or one number, as float64.

    Raises:
        InvalidArgumentError: something else, or a number that is missing or infinite.
    """
    try:
        numbers = np.asarray(values)
        if numbers.dtype.kind not in "iufb":
            raise ValueError
        numbers = numbers.astype(np.float64)
    except (TypeError, ValueError):
        raise InvalidArgumentError(
            f"{name}: expected numbers, got {type(values).__name__} {str(values)[:60]}; leave out rows without a value",
            field=name,
        ) from None
    refuse(~np.isfinite(numbers), numbers, name, "finite numbers", "leave out rows without a value")
    return numbers


def refuse(wrong: BoolArray, values: Float64Array, name: str, expected: str, step: str) -> None:
    """Refuse the first wrong value, by name and position.

    Raises:
        InvalidArgumentError: something is wrong.
    """
    if not np.any(wrong):
        return
    position = int(np.argmax(np.ravel(wrong)))
    value = float(np.ravel(np.broadcast_to(values, np.shape(wrong)))[position])
    where = f" at position {position}" if np.ndim(wrong) else ""
    raise InvalidArgumentError(f"{name}: expected {expected}, got {value:g}{where}; {step}", field=name)


def aligned(*columns: tuple[str, Float64Array]) -> list[Float64Array]:
    """Columns of one shape, single numbers stretched to the others.

    Raises:
        InvalidArgumentError: shapes that do not go together.
    """
    try:
        return list(np.broadcast_arrays(*(values for _, values in columns)))
    except ValueError:
        shapes = ", ".join(f"{name} {list(values.shape)}" for name, values in columns)
        raise InvalidArgumentError(f"{columns[-1][0]}: expected columns of one length, got {shapes}") from None


def frequencies(values: Any) -> Float64Array:
    """Whole numbers of at least 0.

    Raises:
        InvalidArgumentError: another number.
    """
    counts = column(values, "frequency")
    refuse(
        (counts < 0) | (counts != np.floor(counts)),
        counts,
        "frequency",
        "whole numbers of at least 0",
        "count the purchases after the first one",
    )
    return counts


def histories(frequency: Any, recency: Any, age: Any) -> list[Float64Array]:
    """The three columns of a purchase model: repeat purchases, time of the last one, and length of observation.

    Raises:
        InvalidArgumentError: they contradict each other.
    """
    counts, last, ages = aligned(
        ("frequency", frequencies(frequency)), ("recency", column(recency, "recency")), ("T", column(age, "T"))
    )
    refuse(last < 0, last, "recency", "at least 0", "it is the time from the first to the last purchase")
    refuse(
        last > ages,
        last,
        "recency",
        "at most T",
        "both are counted from the first purchase, and T ends at the same moment for everybody",
    )
    refuse((counts == 0) & (last > 0), last, "recency", "0 where frequency is 0", "a single purchase has no later one")
    return [counts, last, ages]


def distinct(*columns: Float64Array) -> Distinct:
    """The distinct rows of 1-d columns with their counts; O(n log n).

    Raises:
        InvalidArgumentError: not 1-d, or no row at all.
    """
    if columns[0].ndim != 1 or not columns[0].size:
        raise InvalidArgumentError(
            f"frequency: expected a column of at least one customer, got shape {list(columns[0].shape)}",
            field="frequency",
        )
    return distinct_rows(*columns)


def distinct_rows(*columns: Float64Array) -> Distinct:
    """The distinct rows of 1-d columns of one length, which may be 0; O(n log n)."""
    order = np.lexsort(columns)
    ordered = [values[order] for values in columns]
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = np.any([values[1:] != values[:-1] for values in ordered], axis=0)
    starts = np.flatnonzero(fresh)
    weights = np.diff(starts, append=len(order)).astype(np.float64)
    place = np.empty(len(order), np.int64)
    place[order] = np.cumsum(fresh) - 1
    return Distinct(tuple(values[starts] for values in ordered), weights, place, len(order))
