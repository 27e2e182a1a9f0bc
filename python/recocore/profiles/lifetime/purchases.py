"""BG/NBD and MBG/NBD: when customers buy again, and whether they still are customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from scipy.special import digamma, expit, gammaln

from recocore.errors import InvalidArgumentError
from recocore.profiles.lifetime.base import LifetimeModel
from recocore.profiles.lifetime.future import alive_purchases
from recocore.profiles.lifetime.inputs import aligned, column, distinct, distinct_rows, histories, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.profiles.lifetime.inputs import Distinct
    from recocore.types import Float64Array


class _PurchaseModel(LifetimeModel):
    """What both models share: they differ in whether a customer may leave before the second purchase.

    A customer buys at a rate that is Gamma(r, alpha) over customers, and leaves after a purchase with a probability
    that is Beta(a, b). `_first` is 1 where the first purchase, with which the history begins, is such a moment too.
    """

    names: ClassVar[tuple[str, ...]] = ("r", "alpha", "a", "b")
    _first: ClassVar[int]

    def fit(self, frequency: Any, recency: Any, T: Any) -> Self:  # noqa: N803  (the literature's name)
        """Learn the four parameters by maximum likelihood.

        The sum runs over the distinct rows, weighted by how often each comes, in log-space: it stays finite at any
        frequency. O(n log n) once, then O(distinct rows) an iteration.

        Args:
            frequency: repeat purchases, `[n_customers]`, whole numbers of at least 0: the first purchase is not counted.
            recency: time from the first to the last purchase, `[n_customers]`; 0 where frequency is 0.
            T: time from the first purchase to the end of observation, `[n_customers]`, in the same unit.

        Returns:
            The model itself.

        Raises:
            InvalidArgumentError: columns that contradict each other, or nobody to learn from.
        """
        counts, last, ages = histories(frequency, recency, T)
        longest = float(ages.max()) if ages.size else 0.0
        if ages.size and longest == 0:
            raise InvalidArgumentError("T: expected a time above 0 for somebody, got 0 for all", field="T")
        self._learn(distinct(counts, last / (longest or 1.0), ages / (longest or 1.0)), {"alpha": longest})
        return self

    def p_alive(self, frequency: Any, recency: Any, T: Any) -> Float64Array:  # noqa: N803
        """The probability that each customer has not left, in [0, 1]; arguments as of `fit`, single numbers too.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: columns that contradict each other.
        """
        params = self.params_
        counts, last, ages = histories(frequency, recency, T)
        return self._alive(counts, last, ages, *params.values())

    def expected_purchases(self, t: Any, frequency: Any, recency: Any, T: Any) -> Float64Array:  # noqa: N803
        """How many purchases each customer will make within the next t, on average over what is not known of them.

        A newcomer at the very first purchase is (0, 0, 0).

        Args:
            t: how far to look ahead, in the unit of T: one number or a column.
            frequency: as of `fit`; single numbers too.
            recency: as of `fit`.
            T: as of `fit`.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: columns that contradict each other, or a negative t.
        """
        r, alpha, a, b = self.params_.values()
        ahead = column(t, "t")
        refuse(ahead < 0, ahead, "t", "at least 0", "it is the time from the end of observation on")
        named = zip(("frequency", "recency", "T"), histories(frequency, recency, T), strict=True)
        ahead, counts, last, ages = aligned(("t", ahead), *named)
        # Of a history only these say how much is bought while alive: a million customers are some thousand such rows.
        kinds = distinct_rows(np.ravel(ahead), np.ravel(counts), np.ravel(ages))
        t_, x_, age_ = kinds.columns
        bought = alive_purchases(t_ / (alpha + age_), r + x_, a, b + x_ + self._first)
        return self._alive(counts, last, ages, r, alpha, a, b) * bought[kinds.place].reshape(counts.shape)

    def outlook(
        self, horizons: Float64Array, counts: Float64Array, last: Float64Array, ages: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        """`p_alive`, and `expected_purchases` at several horizons `[horizons, customers]`, of histories that were checked."""
        r, alpha, a, b = self.params_.values()
        kinds = distinct_rows(counts, ages)
        x_, age_ = kinds.columns
        bought = alive_purchases(horizons[:, None] / (alpha + age_), r + x_, a, b + x_ + self._first)
        alive = self._alive(counts, last, ages, r, alpha, a, b)
        return alive, alive * bought[:, kinds.place]

    def _alive(
        self, x: Float64Array, last: Float64Array, age: Float64Array, r: float, alpha: float, a: float, b: float
    ) -> Float64Array:
        may_leave = (x > 0) | bool(self._first)
        survivors = np.where(may_leave, b + x + self._first - 1, 1.0)
        odds = np.log(a) - np.log(survivors) + (r + x) * (np.log(alpha + age) - np.log(alpha + last))
        return np.where(may_leave, expit(-odds), 1.0)

    def _log_likelihood(self, params: Float64Array, rows: Distinct) -> tuple[float, Float64Array]:
        r, alpha, a, b = params
        x, last, age = rows.columns
        weights = rows.weights
        may_leave = (x > 0) | bool(self._first)
        survivors = np.where(may_leave, b + x + self._first - 1, 1.0)
        log_age, log_last = np.log(alpha + age), np.log(alpha + last)
        alive = -(r + x) * log_age
        left = np.where(may_leave, np.log(a) - np.log(survivors) - (r + x) * log_last, -np.inf)
        either = np.logaddexp(alive, left)
        is_left = np.exp(left - either)
        is_alive = np.exp(alive - either)

        # What depends on the frequency alone, once for each frequency.
        counts, place = np.unique(x, return_inverse=True)
        of_count = np.bincount(place, weights)
        later = counts + self._first
        total = rows.total
        value = (
            of_count @ (gammaln(r + counts) + gammaln(b + later) - gammaln(a + b + later))
            + total * (r * np.log(alpha) + gammaln(a + b) - gammaln(r) - gammaln(b))
            + weights @ either
        )
        whole = of_count @ digamma(a + b + later)
        slope = np.array(
            [
                of_count @ digamma(r + counts)
                + total * (np.log(alpha) - digamma(r))
                - weights @ (is_alive * log_age + is_left * log_last),
                total * r / alpha - weights @ ((r + x) * (is_alive / (alpha + age) + is_left / (alpha + last))),
                total * digamma(a + b) - whole + weights @ is_left / a,
                total * (digamma(a + b) - digamma(b))
                + of_count @ digamma(b + later)
                - whole
                - weights @ (is_left / survivors),
            ]
        )
        return float(value), slope

    def _shift(self, rows: Distinct, scale: Mapping[str, float]) -> float:
        return float(rows.weights @ rows.columns[0]) * float(np.log(scale["alpha"]))


class BGNBD(_PurchaseModel):
    """BG/NBD: a customer may leave after each repeat purchase, and so is alive for sure without one.

    Args:
        penalizer: adds this times the sum of squared parameters to the mean negative log-likelihood, times being scaled
            so that the longest T is 1.

    Source: Fader, Hardie, Lee (2005), "Counting your customers the easy way", Marketing Science 24(2), equations 6, 10 and,
    for P(alive), Fader, Hardie, Lee (2008), "Computing P(alive) using the BG/NBD model".

    Example:
        >>> frequency, recency, T = [2, 1, 0, 0, 5, 7], [30.4, 1.7, 0, 0, 24.5, 38], [38.9, 38.9, 38.9, 20.1, 38.9, 39.1]
        >>> model = BGNBD(penalizer=0.01).fit(frequency, recency, T)
        >>> sorted(model.params_)
        ['a', 'alpha', 'b', 'r']
        >>> model.p_alive(0, 0, 10).item()
        1.0
        >>> bool(model.p_alive(7, 38, 39) > model.p_alive(7, 10, 39))
        True
    """

    kind = "bg_nbd"
    _first = 0


class ModifiedBGNBD(_PurchaseModel):
    """MBG/NBD: a customer may leave right after the first purchase too, which suits shops full of one-time buyers.

    Args:
        penalizer: adds this times the sum of squared parameters to the mean negative log-likelihood, times being scaled
            so that the longest T is 1.

    Source: Batislam, Denizel, Filiztekin (2007), "Empirical validation and comparison of models for customer base analysis",
    International Journal of Research in Marketing 24(3); Hoppe, Wagner (2007), "Customer base analysis: the case for a
    central variant of the Betageometric/NBD model".

    Example:
        >>> model = ModifiedBGNBD(penalizer=0.01).fit([2, 1, 0, 0, 5], [30.4, 1.7, 0, 0, 24.5], [38.9, 38.9, 38.9, 20.1, 38.9])
        >>> bool(model.p_alive(0, 0, 10) < 1)
        True
    """

    kind = "mbg_nbd"
    _first = 1
