"""Conditions on the attributes of items, as values that compare and hash.

An item without a value in a field meets no condition on that field: not `In`, not `Range`, not `Exists`. `Not` takes what is
left, so that `Not(In("brand", ("acme",)))` holds for items without a brand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field as derived
from typing import TypeAlias

from recocore.errors import InvalidArgumentError

# What one filter may hold. A filter is looked at value by value and field by field, so these bound what a caller can make
# an index do: 64 conditions on a million items took 0.2 s, once.
MAX_DEPTH = 16
MAX_CONDITIONS = 64
MAX_VALUES = 10_000

Value: TypeAlias = str | float | bool


@dataclass(frozen=True, slots=True)
class In:
    """The field has one of the values; a field that holds several has one of them among its own.

    Attributes:
        field: a text, number or flag.
        values: of the field's type; a text that no item has matches none.
    """

    field: str
    values: tuple[Value, ...]
    # True, 1 and 1.0 are equal, and yet ask for a flag or for a number.
    kinds: tuple[type, ...] = derived(init=False, repr=False)

    def __post_init__(self) -> None:
        _check_field(self.field)
        values: object = self.values  # whatever a caller made of it
        if not isinstance(values, tuple) or not all(isinstance(value, (str, float, int)) for value in values):
            raise InvalidArgumentError(
                f"values: expected a tuple of texts, numbers or flags, got {self.values!r:.80}", field="values"
            )
        if any(isinstance(value, float) and math.isnan(value) for value in self.values):
            raise InvalidArgumentError(
                "values: expected numbers, got NaN; Not(Exists(...)) finds what has none", field="values"
            )
        if len(self.values) > MAX_VALUES:
            raise InvalidArgumentError(
                f"values: expected at most {MAX_VALUES} in one filter, got {len(self.values)}", field="values"
            )
        object.__setattr__(self, "kinds", tuple(map(type, self.values)))


@dataclass(frozen=True, slots=True)
class Range:
    """The number lies between bounds; None is no bound, and one bound at least is given.

    Attributes:
        field: a number; a time is a number of seconds since 1970, UTC.
        at_least: value >= at_least.
        below: value < below.
        above: value > above.
        at_most: value <= at_most.
    """

    field: str
    at_least: float | None = None
    below: float | None = None
    above: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        _check_field(self.field)
        bounds = {name: getattr(self, name) for name in ("at_least", "below", "above", "at_most")}
        for name, bound in bounds.items():
            number = isinstance(bound, (int, float)) and not isinstance(bound, bool)
            if bound is not None and (not number or math.isnan(bound)):
                raise InvalidArgumentError(f"{name}: expected a number, got {bound!r}", field=name)
        if all(bound is None for bound in bounds.values()):
            raise InvalidArgumentError(f"range: expected one of {', '.join(bounds)}, got none", field="range")


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value.

    Attributes:
        field: of any type.
    """

    field: str

    def __post_init__(self) -> None:
        _check_field(self.field)


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; with no parts, for every item."""

    of: tuple[Filter, ...]
    size: _Size = derived(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _size_of(self.of))


@dataclass(frozen=True, slots=True)
class Any:
    """One part holds at least; with no parts, for no item."""

    of: tuple[Filter, ...]
    size: _Size = derived(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _size_of(self.of))


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    of: Filter
    size: _Size = derived(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _size_of((self.of,)))


Filter: TypeAlias = In | Range | Exists | All | Any | Not

FILTERS = (In, Range, Exists, All, Any, Not)


@dataclass(frozen=True, slots=True)
class _Size:
    """How deep a filter nests and how much it holds; kept with it, so that one too large never comes to be."""

    depth: int
    conditions: int
    values: int


def _size_of(parts: object) -> _Size:
    if not isinstance(parts, tuple) or not all(isinstance(part, FILTERS) for part in parts):
        raise InvalidArgumentError(f"of: expected filters, got {parts!r:.80}", field="of")
    sizes = [_one(part) for part in parts]
    total = _Size(
        1 + max((size.depth for size in sizes), default=0),
        1 + sum(size.conditions for size in sizes),
        sum(size.values for size in sizes),
    )
    for got, most, what in (
        (total.depth, MAX_DEPTH, "levels"),
        (total.conditions, MAX_CONDITIONS, "conditions"),
        (total.values, MAX_VALUES, "values"),
    ):
        if got > most:
            raise InvalidArgumentError(f"filter: expected at most {most} {what}, got {got}", field="filter")
    return total


def _one(part: Filter) -> _Size:
    if isinstance(part, (All, Any, Not)):
        return part.size
    return _Size(1, 1, len(part.values) if isinstance(part, In) else 0)


def _check_field(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidArgumentError(f"field: expected the name of an attribute, got {name!r}", field="field")
