"""Parameters of ALS in terms that mean the same on data of any density, size and weights.

    alpha0 = unseen * w * p
    regularization = pull * bar / sqrt(mean_users(mass ** nu) * mean_items(mass ** nu))
    bar = w * sqrt(p) * (sqrt(U) + sqrt(I)) * min(5 sqrt(p), 0.75)

of U users and I items that have entries: p is the density among them, w the mean |weight| of an entry, and mass the entries
of a row + alpha0 * length of the other side. `unseen` is what all unseen pairs weigh together over what the seen ones do.
`pull` is the geometric mean of the lambdas of users and items in bars: where unseen pairs weigh much, a singular value of the
matrix is learned as far as it is above that. sqrt(p) * (sqrt(U) + sqrt(I)) is the largest singular value of random entries;
the last factor is fitted to what tuned models had. With nu = 1, equal weights and a density below 2 %

    regularization = 5 * pull * (1 / sqrt(U) + 1 / sqrt(I)) / (1 + unseen)

which at unseen = 15 is .0027 for MovieLens 20M and .0019 for the Million Song Dataset, where Rendle et al. ("Revisiting the
Performance of iALS on Item Recommendation Benchmarks", 2022) tuned .003 and .002, with an alpha0 of 18 and 14 times the
density.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import numpy as np

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recocore.csr import Csr
    from recocore.types import Float32Array, Float64Array

# The best multiple of the noise was .09 to .17 on gowalla and .07 to .3 on amazon-beauty (density .06 %), .3 to .5 on
# ml-latest-small and .5 to .8 on online-retail (1 %), .9 to 2 on groceries (1.8 %), and .5 on the ratings of items with 20
# and more in ml-latest-small (7 %).
_OF_NOISE = 5.0
_MOST_OF_NOISE = 0.75

# 1 MiB of each of what is widened: what is freed of it before the factors are drawn, the C library may keep.
_ENTRIES_AT_A_TIME = 1 << 17


class DataScale:
    """What the scale of parameters depends on: shape, entries of each row and each column, weights. O(nnz).

    Args:
        interactions: values that say how much entries weigh.
        weights: float32 `[nnz]`, what these are multiplied by; None for ones.

    Raises:
        InvalidArgumentError: no entry weighs anything.
    """

    def __init__(self, interactions: Csr, weights: Float32Array | None = None) -> None:
        by_user = np.diff(interactions.indptr)
        by_item = np.zeros(interactions.shape[1], np.int64)
        weight = 0.0
        at_a_time = max(_ENTRIES_AT_A_TIME, len(by_item))  # widened to 64 bits, so not all at once
        for begin in range(0, interactions.nnz, at_a_time):
            some = slice(begin, begin + at_a_time)
            by_item += np.bincount(interactions.indices[some], minlength=interactions.shape[1])
            weight += _weight(interactions.values[some], None if weights is None else weights[some])
        self._sides = [
            (side[side > 0].astype(np.float64), others)
            for side, others in ((by_user, interactions.shape[1]), (by_item, interactions.shape[0]))
        ]
        n_users, n_items = (len(side) for side, _ in self._sides)
        self._density = interactions.nnz / (n_users * n_items)
        self._weight = weight / interactions.nnz
        if not self._weight > 0:
            raise InvalidArgumentError(
                "interactions: expected a value that is not 0, got zeros alone, which weigh nothing",
                field="interactions",
            )
        spread = math.sqrt(self._density)
        noise = self._weight * spread * (math.sqrt(n_users) + math.sqrt(n_items))
        self._bar = noise * min(_OF_NOISE * spread, _MOST_OF_NOISE)

    def alpha0(self, unseen: float) -> float:
        """The alpha0 at which unseen pairs weigh this many times what seen ones do.

        Example:
            >>> from recocore.csr import Csr
            >>> DataScale(Csr.from_coo([0, 1], [0, 1], [2.0, 2.0], (2, 3))).alpha0(unseen=10)
            10.0
        """
        return unseen * self._weight * self._density

    def regularization(self, pull: float, alpha0: float, nu: float) -> float:
        """The regularization at which the lambdas are so many bars.

        Raises:
            InvalidArgumentError: nu is so large that they are beyond float64.

        Example:
            >>> from recocore.csr import Csr
            >>> ones = Csr.from_coo(range(400), range(400), [1.0] * 400, (400, 400))
            >>> round(DataScale(ones).regularization(pull=2, alpha0=0.0, nu=0.0), 9)  # 2 * 40 * 5 / 400
            1.0
        """
        with np.errstate(over="ignore"):
            means = [float(((side + alpha0 * others) ** nu).mean()) for side, others in self._sides]
        if not max(means) < math.sqrt(sys.float_info.max):
            raise InvalidArgumentError(
                f"nu: a row's entries to the power of {nu:g} are beyond float64; lower it to about 1", field="nu"
            )
        return pull * self._bar / math.sqrt(means[0] * means[1])


def _weight(values: Float32Array, weights: Float32Array | None) -> float:
    each = np.abs(values, dtype=np.float64)
    return float(each.sum() if weights is None else each @ weights.astype(np.float64))


# The best on held-out ratings of ml-latest-small, whose standard deviation is 1.04: an RMSE of .8451 with 40 factors, .849 at
# .08 and .856 at .2.
_OF_DEVIATION = 0.12


def rating_mean(ratings: Csr, weights: Float32Array | None = None) -> float:
    """The mean of explicit ratings, each counted by its weight. O(nnz).

    Example:
        >>> from recocore.csr import Csr
        >>> rating_mean(Csr.from_coo([0, 1], [0, 1], [2.0, 4.0], (2, 2)), np.array([3.0, 1.0], np.float32))
        2.5
    """
    if weights is None:
        return float(ratings.values.mean(dtype=np.float64))
    total = summed = 0.0
    for values, own in _weighted_pieces(ratings, weights):
        total += float(own.sum())
        summed += float(own @ values)
    return summed / total


def rating_regularization(ratings: Csr, nu: float, weights: Float32Array | None = None) -> float:
    """The regularization of explicit ratings: as much as nu = 1 has for a row of average length, in their unit. O(nnz).

    It grows with the mean weight, so that twice the weights have the same factors.

    Example:
        >>> from recocore.csr import Csr
        >>> rating_regularization(Csr.from_coo([0, 1], [0, 1], [2.0, 4.0], (2, 2)), nu=1.0)
        0.12
    """
    mean, squares, mass = rating_mean(ratings, weights), 0.0, 0.0
    for values, own in _weighted_pieces(ratings, weights):
        squares += float(own @ (values - mean) ** 2)
        mass += float(own.sum())
    length = ratings.nnz / math.sqrt(ratings.shape[0] * ratings.shape[1])
    # Ratings that are all the same leave nothing to hold back, but the equations need some hold.
    deviation = math.sqrt(squares / mass) or max(abs(mean), 1.0)
    return float(_OF_DEVIATION * deviation * length ** (1 - nu) * (mass / ratings.nnz))


def _weighted_pieces(ratings: Csr, weights: Float32Array | None) -> Iterator[tuple[Float64Array, Float64Array]]:
    """Values and weights in float64, some at a time."""
    for begin in range(0, ratings.nnz, _ENTRIES_AT_A_TIME):
        some = slice(begin, begin + _ENTRIES_AT_A_TIME)
        values = ratings.values[some].astype(np.float64)
        yield values, np.ones_like(values) if weights is None else weights[some].astype(np.float64)
