"""What rules and models see of an event: its own columns, its velocity features, its hour, and how unusual it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from recocore.errors import InvalidArgumentError
from recocore.fraud.velocity.specs import ID_COLUMNS, NUMBER_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from recocore.data import EventBatch
    from recocore.expressions import Kind
    from recocore.fraud.velocity import VelocitySpec
    from recocore.types import AnyArray, Float64Array, Int64Array

TEXT_COLUMNS: Final = (*ID_COLUMNS, "type")
HOUR_US: Final = 3_600_000_000

# What is made of an event besides its columns and counters.
HOUR: Final = "hour"  # of the day in UTC, 0 to 23
ANOMALY: Final = "anomaly"  # the share of learnt events that the detector finds less unusual, 0 to 1


def rule_columns(specs: Iterable[VelocitySpec]) -> dict[str, Kind]:
    """Every name that a rule may read, with its kind.

    Example:
        >>> from recocore.fraud import VelocitySpec
        >>> columns = rule_columns([VelocitySpec.parse("count by ip over 1h")])
        >>> columns["count_by_ip_1h"], columns["country"], columns["value"], columns["anomaly"]
        ('number', 'text', 'number', 'number')
    """
    numbers = (*NUMBER_COLUMNS, *(spec.name for spec in specs), HOUR, ANOMALY)
    return {**dict.fromkeys(TEXT_COLUMNS, "text"), **dict.fromkeys(numbers, "number")}


def table_of(
    events: EventBatch, times: Int64Array, counters: Mapping[str, Float64Array], names: Iterable[str]
) -> dict[str, AnyArray]:
    """The named columns of a batch as arrays; a column that it came without is missing everywhere."""
    table: dict[str, AnyArray] = {}
    for name in names:
        if name in counters:
            table[name] = counters[name]
        elif name == HOUR:
            table[name] = (times // HOUR_US % 24).astype(np.float64)
        elif name in NUMBER_COLUMNS:
            table[name] = _numbers(events, name)
        elif name in TEXT_COLUMNS:
            table[name] = _texts(events, name)
    return table


def require_finite(events: EventBatch) -> None:
    """Refuse a batch with an infinite number, before anything of it is counted.

    Raises:
        InvalidArgumentError: there is one.
    """
    for name in NUMBER_COLUMNS:
        infinite = np.flatnonzero(np.isinf(_numbers(events, name)))
        if len(infinite):
            raise InvalidArgumentError(
                f"{name}: expected finite numbers, or none, got an infinite one in row {infinite[0]}", field=name
            )


def _numbers(events: EventBatch, name: str) -> Float64Array:
    if not events.has(name):
        return np.full(len(events), math.nan)
    numbers: Float64Array = events.column(name).cast(pa.float64()).to_numpy()
    return numbers


def _texts(events: EventBatch, name: str) -> AnyArray:
    if not events.has(name):
        return np.full(len(events), None, object)
    return np.array(events.column(name).cast(pa.string()).to_pylist(), object)


class RowReader:
    """One event's values of some names, in their order: what `table_of` holds in its rows."""

    def __init__(self, names: Sequence[str], counters: Sequence[str]) -> None:
        places = {name: place for place, name in enumerate(counters)}
        self.names = tuple(names)
        self._counted = [(at, places[name]) for at, name in enumerate(names) if name in places]
        self._given = [
            (at, name, name in NUMBER_COLUMNS)
            for at, name in enumerate(names)
            if name not in places and name not in (HOUR, ANOMALY)
        ]
        self._hours = [at for at, name in enumerate(names) if name == HOUR]

    def given(self, event: Mapping[str, Any], time: int) -> list[Any]:
        """The values that do not come from counters: floats, texts, None for what is missing and what is to come.

        Raises:
            InvalidArgumentError: a value is of another kind than its column, or infinite, or a text has a lone surrogate.
        """
        _require_utf8(event)
        row: list[Any] = [None] * len(self.names)
        for at, name, number in self._given:
            value = event.get(name)
            if value is not None:
                row[at] = _number(name, value) if number else _text(name, value)
        for at in self._hours:
            row[at] = float(time // HOUR_US % 24)
        return row

    def count(self, row: list[Any], counters: Sequence[float]) -> None:
        """Put the counters' values into a row."""
        for at, place in self._counted:
            row[at] = counters[place]


def _number(name: str, value: Any) -> float:
    if isinstance(value, (int, float)):
        try:
            number = float(value)
        except OverflowError:  # an integer beyond all floats
            number = math.inf
        if not math.isinf(number):
            return number
    raise InvalidArgumentError(f"{name}: expected a finite number, got {value!r:.80}", field=name)


def _require_utf8(event: Mapping[str, Any]) -> None:
    for name, value in event.items():
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise InvalidArgumentError(
                    f"{name}: expected a text that UTF-8 can hold, got {value!r:.80}", field=name
                ) from error


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InvalidArgumentError(f"{name}: expected a text or an integer, got {value!r:.80}", field=name)
