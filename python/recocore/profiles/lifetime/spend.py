"""Gamma-Gamma: what a customer spends on a purchase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from scipy.special import digamma, gammaln

from recocore.profiles.lifetime.base import LifetimeModel
from recocore.profiles.lifetime.inputs import aligned, column, distinct, frequencies, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.profiles.lifetime.inputs import Distinct
    from recocore.types import Float64Array


class GammaGamma(LifetimeModel):
    """Gamma-Gamma: the value of a purchase varies around a customer's own mean, and that mean over customers.

    The value of a purchase is Gamma(p, rate), and the rate Gamma(q, v) over customers. The model takes value and
    frequency to be independent.

    Args:
        penalizer: adds this times the sum of squared parameters to the mean negative log-likelihood.

    Source: Fader, Hardie (2013), "The Gamma-Gamma model of monetary value", brucehardie.com/notes/025, equations 1a and 5;
    its v is called gamma there.

    Example:
        >>> model = GammaGamma(penalizer=0.01).fit([2, 1, 5, 7, 3], [22.4, 11.8, 33.0, 40.2, 18.5])
        >>> one, many = model.expected_spend([1, 50], [40.0, 40.0])
        >>> bool(abs(many - 40) < abs(one - 40))  # the more purchases, the more the customer's own mean counts
        True
    """

    kind: ClassVar[str] = "gamma_gamma"
    names: ClassVar[tuple[str, ...]] = ("p", "q", "v")

    def fit(self, frequency: Any, mean_value: Any) -> Self:
        """Learn the three parameters by maximum likelihood over the distinct rows.

        Args:
            frequency: how many purchases each mean is of, `[n_customers]`, whole numbers of at least 1.
            mean_value: the mean value of a purchase, `[n_customers]`, above 0.

        Returns:
            The model itself.

        Raises:
            InvalidArgumentError: a frequency of 0, a value that is not above 0, or nobody to learn from.
        """
        counts, means = aligned(("frequency", frequencies(frequency)), ("mean_value", column(mean_value, "mean_value")))
        refuse(counts < 1, counts, "frequency", "at least 1", "leave out customers without a repeat purchase")
        _positive(means, means <= 0)
        # A penalizer weighs v in the unit of the values, as in `lifetimes`; the likelihood alone knows no unit.
        scale = float(means.mean()) if means.size and not self.penalizer else 1.0
        self._learn(distinct(counts, means / scale), {"v": scale})
        return self

    def expected_spend(self, frequency: Any, mean_value: Any) -> Float64Array:
        """The expected mean value of each customer's purchases, between their own mean and everybody's.

        A customer of frequency 0 is given everybody's mean, whatever `mean_value` says, which is infinite for q ≤ 1.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: a value that is not above 0 where the frequency is.
        """
        p, q, v = self.params_.values()
        counts, means = aligned(("frequency", frequencies(frequency)), ("mean_value", column(mean_value, "mean_value")))
        _positive(means, (means <= 0) & (counts > 0))
        below = p * counts + q - 1
        total = v + counts * np.where(counts > 0, means, 0.0)
        return np.where(below > 0, p * total / np.where(below > 0, below, 1.0), np.inf)

    def _log_likelihood(self, params: Float64Array, rows: Distinct) -> tuple[float, Float64Array]:
        p, q, v = params
        x, means = rows.columns
        weights, total = rows.weights, rows.total
        log_sum = np.log(v + x * means)
        counts, place = np.unique(x, return_inverse=True)
        of_count = np.bincount(place, weights)
        value = (
            of_count @ (gammaln(p * counts + q) - gammaln(p * counts) + p * counts * np.log(counts))
            + total * (q * np.log(v) - gammaln(q))
            + weights @ ((p * x - 1) * np.log(means) - (p * x + q) * log_sum)
        )
        slope = np.array(
            [
                of_count @ (counts * (digamma(p * counts + q) - digamma(p * counts) + np.log(counts)))
                + weights @ (x * (np.log(means) - log_sum)),
                of_count @ digamma(p * counts + q) + total * (np.log(v) - digamma(q)) - weights @ log_sum,
                total * q / v - weights @ ((p * x + q) / (v + x * means)),
            ]
        )
        return float(value), slope

    def _shift(self, rows: Distinct, scale: Mapping[str, float]) -> float:
        return rows.total * float(np.log(scale["v"]))


def _positive(means: Float64Array, wrong: Any) -> None:
    refuse(wrong, means, "mean_value", "above 0", "leave out customers whose purchases are free or were all refunded")
