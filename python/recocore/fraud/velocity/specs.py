"""VelocitySpec: what one counter counts, in words that a file of settings can hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, Never, TypeAlias, cast, get_args

import pyarrow as pa

from recocore.data.schema import EVENT_SCHEMA
from recocore.errors import InvalidArgumentError

Statistic: TypeAlias = Literal["count", "sum", "mean", "min", "max", "distinct", "ratio"]

ID_COLUMNS: Final = tuple(field.name for field in EVENT_SCHEMA if field.type == pa.string() and field.name != "type")
NUMBER_COLUMNS: Final = ("value", "quantity", "price", "rating", "dwell_ms", "position")

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_FORM: Final = re.compile(
    r"(?P<statistic>[a-z]+)(?: (?P<column>\w+))? by (?P<entity>\w+(?:\+\w+)*) over (?P<window>\w+)(?: of (?P<types>\S+))?"
)


@dataclass(frozen=True, slots=True)
class VelocitySpec:
    """One counter. `VelocitySpec.parse` reads it from words.

    Attributes:
        statistic: count, sum, mean, min, max, distinct, or ratio: the event's own number over the window's mean.
        entity: the id columns whose values make up the key, one to four of them.
        window: how far back it looks, a whole number of seconds.
        column: the number that sum to ratio read, or the id whose values distinct counts; none for count.
        types: the types of events that are counted; empty for all.

    Example:
        >>> spec = VelocitySpec.parse("distinct user_id by device+ip over 1d of buy|cart")
        >>> spec.name, str(spec)
        ('distinct_user_id_by_device_ip_1d_buy_cart', 'distinct user_id by device+ip over 1d of buy|cart')
    """

    statistic: Statistic
    entity: tuple[str, ...]
    window: timedelta
    column: str | None = None
    types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.statistic not in get_args(Statistic):
            _refuse("statistic", f"one of {', '.join(get_args(Statistic))}", self.statistic)
        if not 1 <= len(self.entity) <= 4 or len(set(self.entity)) < len(self.entity):
            _refuse("entity", "one to four different columns", self.entity)
        for name in self.entity:
            if name not in ID_COLUMNS:
                _refuse("entity", f"id columns ({', '.join(ID_COLUMNS)})", name)
        wanted = {"count": (None,), "distinct": ID_COLUMNS}.get(self.statistic, NUMBER_COLUMNS)
        if self.column not in wanted:
            _refuse("column", f"for {self.statistic} one of {', '.join(map(str, wanted))}", self.column)
        if self.window < timedelta(seconds=1) or self.window % timedelta(seconds=1):
            _refuse("window", "a whole number of seconds, at least one", self.window)
        if not all(re.fullmatch(r"[^\s|]+", str(kind)) for kind in self.types):
            _refuse("types", "types without blanks and |", self.types)

    @classmethod
    def parse(cls, text: object) -> VelocitySpec:
        """Read "STATISTIC [COLUMN] by ENTITY[+ENTITY] over WINDOW [of TYPE|TYPE]", such as "sum value by user_id over 7d".

        Raises:
            InvalidArgumentError: it has another form, or names what is not there.
        """
        match = _FORM.fullmatch(" ".join(text.split())) if isinstance(text, str) else None
        if match is None:
            _refuse("specs", "'count by user_id over 1h', 'sum value by user_id+device over 7d of buy|cart', ...", text)
        types = match["types"].split("|") if match["types"] else []
        return cls(
            cast("Statistic", match["statistic"]),
            tuple(match["entity"].split("+")),
            _duration(match["window"]),
            match["column"],
            tuple(types),
        )

    @property
    def name(self) -> str:
        """The feature's name: an identifier that expressions can hold."""
        column = "" if self.column is None else f"_{self.column}"
        types = "".join(f"_{re.sub(r'[^0-9A-Za-z_]', '_', kind)}" for kind in self.types)
        return f"{self.statistic}{column}_by_{'_'.join(self.entity)}_{self.span}{types}"

    @property
    def span(self) -> str:
        """The window in its largest whole unit, such as 1d."""
        seconds = int(self.window.total_seconds())
        unit = next(unit for unit in "wdhms" if seconds % _UNITS[unit] == 0)
        return f"{seconds // _UNITS[unit]}{unit}"

    def __str__(self) -> str:
        column = "" if self.column is None else f" {self.column}"
        types = f" of {'|'.join(self.types)}" if self.types else ""
        return f"{self.statistic}{column} by {'+'.join(self.entity)} over {self.span}{types}"


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhdw])", text)
    if match is None:
        _refuse("window", "a whole number with s, m, h, d or w, such as 30m", text)
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _refuse(field: str, expected: str, came: object) -> Never:
    raise InvalidArgumentError(f"{field}: expected {expected}, got {came!r}", field=field)
