"""Money as whole minor units of one currency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.compute as pc

from recocore import _native
from recocore.data.buffers import flat, reals, valid
from recocore.errors import InvalidArgumentError
from recocore.profiles.codes import codes

if TYPE_CHECKING:
    import pyarrow as pa

    from recocore.data.events import EventBatch
    from recocore.types import Int64Array

DEFAULT_DIGITS: Final = 2

# ISO 4217: the currencies whose minor unit is not a hundredth.
OTHER_DIGITS: Final = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}

_MOST: Final = 2.0**43


def digits_of(currency: str | None) -> int:
    """Decimals of a currency's minor unit by ISO 4217; 2 where no currency is named.

    Example:
        >>> digits_of("EUR"), digits_of("JPY"), digits_of("KWD")
        (2, 0, 3)
    """
    return OTHER_DIGITS.get((currency or "").upper(), DEFAULT_DIGITS)


def currency_of(events: EventBatch, expected: str | None) -> str | None:
    """The one currency of the events that carry money; None where none names one.

    Raises:
        InvalidArgumentError: they name several, or another than `expected`.
    """
    if not events.has("currency"):
        return expected
    named = _named(codes(events.column("currency"))[1])
    if len(named) > 1 or (expected is not None and named not in ([], [expected])):
        # Only then is it worth a look at which events have money at all.
        named = _of_money(events)
    found = sorted({*named, *([expected] if expected is not None else [])})
    if len(found) > 1:
        raise InvalidArgumentError(
            f"events: expected money of one currency{'' if expected is None else f' ({expected})'}, "
            f"got {', '.join(found)}; convert them to one first",
            field="currency",
        )
    return found[0] if found else None


def _of_money(events: EventBatch) -> list[str]:
    paid = [pc.is_valid(events.column(name)) for name in ("value", "price") if events.has(name)]
    if not paid:
        return []
    rows = paid[0] if len(paid) == 1 else pc.or_(paid[0], paid[1])
    return _named(pc.unique(events.column("currency").filter(rows)))


def _named(currencies: pa.Array) -> list[str]:
    """Without null and the empty text, which name none."""
    return [currency for currency in currencies.to_pylist() if currency]


def minor_units(column: pa.ChunkedArray, digits: int, name: str) -> Int64Array:
    """int64 `[n]` minor units, the least int64 where the column is null.

    Raises:
        InvalidArgumentError: NaN, infinity, or what is no whole number of minor units; the message names the row.
    """
    values = flat(column)
    return _native.minor_units(reals(values), valid(values), values.offset, digits, name)


def minor_unit(value: Any, digits: int, name: str) -> int:
    """One amount as `minor_units` reads a column.

    Raises:
        InvalidArgumentError: as there.

    Example:
        >>> minor_unit(15.299999999999999, 2, "value")
        1530
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InvalidArgumentError(f"{name}: expected a number, got {value!r}", field=name)
    units = float(value) * float(10**digits)
    if not abs(units) <= _MOST or abs(units - round(units)) > max(1e-6, abs(units) * 2.0**-50):
        raise InvalidArgumentError(
            f"{name}: expected amounts with at most {digits} decimals, below 2**43 minor units, got {value!r}; "
            "round them, or set money_digits",
            field=name,
        )
    return round(units)
