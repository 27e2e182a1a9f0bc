"""Customer lifetime value: purchases to come, times their value, discounted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.data.checks import is_finite_number
from recocore.errors import InvalidArgumentError
from recocore.ops.arguments import integer
from recocore.profiles.lifetime.inputs import column, histories

if TYPE_CHECKING:
    from recocore.profiles.lifetime.purchases import BGNBD, ModifiedBGNBD
    from recocore.profiles.lifetime.spend import GammaGamma
    from recocore.types import Float64Array


# Periods looked at together: equal histories are found once for all of them, and a year of months is one step.
_AT_ONCE = 12


def clv(
    purchases: BGNBD | ModifiedBGNBD,
    spend: GammaGamma,
    frequency: Any,
    recency: Any,
    T: Any,  # noqa: N803  (the literature's name)
    mean_value: Any,
    *,
    periods: int = 12,
    period: float = 30.0,
    discount_rate: float = 0.01,
    margin: float = 1.0,
) -> Float64Array:
    """What each customer will bring within the coming periods, as money of today.

    The sum over i = 1 … periods of margin · spend · (purchases in period i) / (1 + discount_rate)^i.

    Args:
        purchases: a fitted model of purchases.
        spend: a fitted model of their value.
        frequency: repeat purchases, as of `purchases.fit`.
        recency: as of `purchases.fit`.
        T: as of `purchases.fit`.
        mean_value: mean value of a purchase, as of `spend.expected_spend`.
        periods: how many periods to look ahead.
        period: the length of one, in the unit of T: 30 days.
        discount_rate: by how much less money is worth a period later; 0.01 a month is about 12.7 % a year.
        margin: the part of the value that is earned, in (0, 1].

    Returns:
        Money in the unit of mean_value, `[n_customers]`.

    Raises:
        NotFittedError: a model is not fitted.
        InvalidArgumentError: an argument out of its range.

    Source: Fader, Hardie (2013), note 025, section 4; the discounted sum as in `lifetimes`.

    Example:
        >>> from recocore.profiles.lifetime import BGNBD, GammaGamma
        >>> frequency, recency, T = [2, 1, 0, 0, 5, 7], [30, 2, 0, 0, 25, 38], [39, 39, 39, 20, 39, 39]
        >>> value = [20.0, 11.0, 0.0, 0.0, 33.0, 40.0]
        >>> buys = [count > 0 for count in frequency]
        >>> model = BGNBD(penalizer=0.01).fit(frequency, recency, T)
        >>> spend = GammaGamma(penalizer=0.01).fit([2, 1, 5, 7], [20.0, 11.0, 33.0, 40.0])
        >>> worth = clv(model, spend, frequency, recency, T, value, periods=3)
        >>> worth.shape, bool(worth[5] > worth[1])
        ((6,), True)
    """
    integer(periods, "periods", 1, 10_000)
    for name, number, above, most in (
        ("period", period, 0.0, np.inf),
        ("discount_rate", discount_rate, -1.0, np.inf),
        ("margin", margin, 0.0, 1.0),
    ):
        if not is_finite_number(number) or not above < number <= most:
            limit = f" and at most {most:g}" if most < np.inf else ""
            raise InvalidArgumentError(f"{name}: expected a number above {above:g}{limit}, got {number!r}", field=name)
    counts, last, ages = histories(frequency, recency, T)
    value = spend.expected_spend(counts, column(mean_value, "mean_value"))
    return margin * value * discounted_purchases(purchases, counts, last, ages, periods, period, discount_rate)


def discounted_purchases(
    purchases: BGNBD | ModifiedBGNBD,
    frequency: Float64Array,
    recency: Float64Array,
    age: Float64Array,
    periods: int,
    period: float,
    discount_rate: float,
) -> Float64Array:
    """The purchases of each coming period, each worth (1 + discount_rate)^-i of one today, added up."""
    shape = np.shape(frequency)
    frequency, recency, age = (np.ravel(each) for each in (frequency, recency, age))
    total, before = np.zeros(len(frequency)), np.zeros(len(frequency))
    for begin in range(0, periods, _AT_ONCE):
        steps = np.arange(begin + 1, min(begin + _AT_ONCE, periods) + 1, dtype=np.float64)
        _, until = purchases.outlook(steps * period, frequency, recency, age)
        total += present_value(until, discount_rate, before, begin)
        before = until[-1]
    return total.reshape(shape)


def present_value(
    until: Float64Array, discount_rate: float, before: Float64Array | float = 0.0, periods_before: int = 0
) -> Float64Array:
    """Purchases until the end of each period, `[periods, customers]`, each worth (1 + discount_rate)^-i of one today.

    Args:
        until: purchases from today until the end of each period.
        discount_rate: of a period.
        before: purchases until the first period begins.
        periods_before: how many periods that are.
    """
    total = np.zeros(until.shape[1])
    for step, bought in enumerate(until, periods_before + 1):
        total += (bought - before) / (1 + discount_rate) ** step
        before = bought
    return total
