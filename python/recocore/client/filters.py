"""Filters over the attributes of items; filter.proto says what they mean and how large they may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from recocore.errors import InvalidArgumentError
from recocore.v1 import filter_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class In:
    """A value of the attribute is one of `values`."""

    field: str
    values: Sequence[str | float | bool]


@dataclass(frozen=True, slots=True)
class Range:
    """The attribute is a number within the bounds that are given."""

    field: str
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None


@dataclass(frozen=True, slots=True)
class Exists:
    """The item has a value for the attribute."""

    field: str


@dataclass(frozen=True, slots=True)
class All:
    """Every one holds."""

    of: Sequence[Filter]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one holds."""

    of: Sequence[Filter]


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    of: Filter


Filter: TypeAlias = In | Range | Exists | All | Any | Not


def filter_message(given: Filter, field: str) -> filter_pb2.Filter:
    """The message of a filter.

    Raises:
        InvalidArgumentError: it is no filter, or holds what cannot be sent; `field` is the argument's name.
    """
    message = filter_pb2.Filter()
    try:
        _fill(message, given)
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InvalidArgumentError(f"{field}: cannot be sent: {error}; got {given!r:.200}", field=field) from error
    return message


def _fill(message: filter_pb2.Filter, given: Filter) -> None:
    match given:
        case All(of):
            for part in of:
                _fill(message.all.add(), part)
        case Any(of):
            for part in of:
                _fill(message.any.add(), part)
        case Not(of):
            inner = getattr(message, "not")  # a word of Python
            inner.SetInParent()
            _fill(inner, of)
        case In(name, values):
            if isinstance(values, str):
                raise TypeError("values of In stand in a list")
            condition = getattr(message, "in")
            condition.field = name
            for value in values:
                _fill_value(condition.values.add(), value)
        case Range():
            bounds = {name: getattr(given, name) for name in ("at_least", "above", "at_most", "below")}
            message.range.MergeFrom(filter_pb2.Range(field=given.field, **bounds))
        case Exists(name):
            message.exists.field = name
        case _:
            raise TypeError("expected In, Range, Exists, All, Any or Not")


def _fill_value(message: object, value: str | float | bool) -> None:
    kind = {str: "string_value", bool: "bool_value", int: "number_value", float: "number_value"}.get(type(value))
    if kind is None:
        raise TypeError(f"values of In are strings, numbers and booleans, got {value!r:.80}")
    setattr(message, kind, value)
