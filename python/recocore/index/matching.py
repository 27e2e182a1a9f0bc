"""Which items meet a filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.errors import InvalidArgumentError
from recocore.index.attributes import Flags, Numbers, Texts
from recocore.index.filters import All, Exists, In, Not, Range
from recocore.index.filters import Any as AnyOf

if TYPE_CHECKING:
    from recocore.index.attributes import Attribute, Attributes
    from recocore.index.filters import Filter
    from recocore.types import BoolArray


def matches(filter: Filter, attributes: Attributes, n_items: int, path: str = "where") -> BoolArray:
    """Which items meet a filter, bool `[n_items]`. O(conditions (n_items + texts)).

    Args:
        filter: the conditions.
        attributes: of the items.
        n_items: their number.
        path: what a request calls the filter, for errors.

    Raises:
        InvalidArgumentError: a field that there is not, or of another type than a condition is about; `field` is the path.
    """
    if isinstance(filter, Not):
        return ~matches(filter.of, attributes, n_items, f"{path}.of")
    if isinstance(filter, (All, AnyOf)):
        together = isinstance(filter, All)
        found = np.full(n_items, together)
        for at, part in enumerate(filter.of):
            mask = matches(part, attributes, n_items, f"{path}.of[{at}]")
            found = found & mask if together else found | mask
        return found
    column = attributes.column(filter.field, f"{path}.field")
    if isinstance(filter, Exists):
        return column.has()
    if isinstance(filter, In):
        return _in(filter, column, path)
    return _between(filter, column, path)


def _in(filter: In, column: Attribute, path: str) -> BoolArray:
    if isinstance(column, Texts):
        _check_values(filter, (str,), "texts", column, path)
        return column.any_of([str(value) for value in filter.values])
    if isinstance(column, Flags):
        _check_values(filter, (bool,), "flags", column, path)
        flags: BoolArray = np.isin(column.values, np.array([int(value) for value in filter.values], np.int8))
        return flags
    _check_values(filter, (int, float), "numbers", column, path)
    numbers: BoolArray = np.isin(column.values, np.array([float(value) for value in filter.values], np.float64))
    return numbers


def _check_values(filter: In, kinds: tuple[type, ...], expected: str, column: Attribute, path: str) -> None:
    for value in filter.values:
        if type(value) not in kinds:
            raise InvalidArgumentError(
                f"{path}.values: expected {expected}, as the field {filter.field!r} is a {column.type}, got {value!r:.80}",
                field=f"{path}.values",
            )


def _between(filter: Range, column: Attribute, path: str) -> BoolArray:
    if not isinstance(column, Numbers):
        raise InvalidArgumentError(
            f"{path}.field: expected a number, as only numbers have a range, got the {column.type} {filter.field!r}",
            field=f"{path}.field",
        )
    values = column.values
    found = column.has()
    bounds: tuple[tuple[float | None, Any], ...] = (
        (filter.at_least, np.greater_equal),
        (filter.below, np.less),
        (filter.above, np.greater),
        (filter.at_most, np.less_equal),
    )
    for bound, meets in bounds:
        if bound is not None:
            found &= meets(values, bound)
    return found
