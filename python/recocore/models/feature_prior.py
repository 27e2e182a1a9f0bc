"""Where features say that a row's factors should be, learned by ridge regression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg

from recocore.errors import InvalidArgumentError
from recocore.ops.als import AlsPrior
from recocore.ops.arguments import sparse

if TYPE_CHECKING:
    from recocore.csr import Csr
    from recocore.types import Float32Array, Float64Array

# Up to this many features the normal equations are factored once: with the 637 of amazon-beauty and 64 factors an epoch's
# regression took 24 ms so, and 0.68 s by conjugate gradient. Beyond it they would take more memory than most factors.
_MOST_DENSE = 2048
# The residual at which conjugate gradient ends, relative to the right side: about what float32 holds of the weights.
_TOLERANCE = 1e-7
_MOST_STEPS = 1000
# Columns of factors that are widened to float64 at a time: all of them would be twice what the factors take.
_COLUMNS = 16


@dataclass(frozen=True, eq=False)
class FeaturePrior:
    """The regression of one side's factors on its features.

    The weights minimise sum over rows with entries of lambda_row |factors - features @ weights|^2 + ridge |weights|^2. They
    are a function of the factors alone, so a fit need not keep them.

    Attributes:
        features: `[rows, p]`.
        lambdas: float64 `[rows]`, 0 for rows without entries.
        ridge: of the weights.
    """

    features: Csr
    lambdas: Float64Array
    ridge: float

    @classmethod
    def make(cls, features: Any, lambdas: Float64Array, regularization: float, argument: str) -> FeaturePrior:
        """Check the features of a side.

        Args:
            features: `[rows, p]`, a Csr or a SciPy sparse matrix.
            lambdas: float64 `[rows]`.
            regularization: ridge in units of the average lambda of rows with entries.
            argument: what the caller calls the features.

        Raises:
            InvalidArgumentError: other rows, no feature, a value that is not finite, or nothing that pulls to a prior.
        """
        matrix = sparse(features, argument)
        if matrix.shape[0] != len(lambdas) or matrix.shape[1] == 0:
            raise InvalidArgumentError(
                f"{argument}: expected [{len(lambdas)}, p] with at least one feature, got {list(matrix.shape)}; give a row, "
                "if an empty one, to each that the interactions know",
                field=argument,
            )
        matrix.check(argument)
        known = lambdas[lambdas > 0]
        if len(known) == 0:
            raise InvalidArgumentError(
                f"regularization: expected above 0 with {argument}, as it is what draws factors to them, got 0",
                field="regularization",
            )
        return cls(matrix, lambdas, regularization * float(known.mean()))

    def weights(self, factors: Float32Array) -> Float32Array:
        """The best weights for factors `[rows, f]`, float32 `[p, f]`, solved in float64.

        O(p^2 f) where features are few, else O(entries of the features * f) for each of some tens of steps of conjugate
        gradient. The same bytes at every thread count.
        """
        factored = self._factored
        if factored is not None:
            right = np.empty((self.features.shape[1], factors.shape[1]))
            for some in _columns(factors):
                right[:, some] = self._transposed @ factors[:, some].astype(np.float64)
            return np.ascontiguousarray(scipy.linalg.cho_solve(factored, right, overwrite_b=True), np.float32)
        weights = np.empty((self.features.shape[1], factors.shape[1]), np.float32)
        for some in _columns(factors):
            weights[:, some] = self._iterated(self._transposed @ factors[:, some].astype(np.float64))
        return weights

    @cached_property
    def _values(self) -> Any:
        return self.features.to_scipy().astype(np.float64)

    @cached_property
    def _transposed(self) -> Any:
        """The features transposed, each row of theirs times its lambda."""
        weighted = self._values.copy()
        weighted.data *= np.repeat(self.lambdas, np.diff(self.features.indptr))
        return weighted.T.tocsr()

    @cached_property
    def _factored(self) -> Any:
        """The Cholesky factor of the normal equations; None where these are too many, or the ridge is lost in them."""
        if self.features.shape[1] > _MOST_DENSE:
            return None
        system = (self._transposed @ self._values).toarray(order="F")
        system[np.diag_indices_from(system)] += self.ridge
        try:
            return scipy.linalg.cho_factor(system, overwrite_a=True)
        except scipy.linalg.LinAlgError:  # such as columns of 1e30 that are alike; conjugate gradient has no pivots
            return None

    @cached_property
    def _diagonal(self) -> Float64Array:
        """The diagonal of the normal equations, a column."""
        diagonal: Float64Array = (self._values.power(2).T @ self.lambdas)[:, None] + self.ridge
        return diagonal

    def _iterated(self, right: Float64Array) -> Float64Array:
        """Conjugate gradient from zero, each column by itself, preconditioned by the diagonal."""
        weights = np.zeros_like(right)
        residual = right
        goal = _TOLERANCE**2 * _dots(right, right)
        direction = residual / self._diagonal
        energy = _dots(residual, direction)
        for _ in range(_MOST_STEPS):
            if (_dots(residual, residual) <= goal).all():
                break
            product = self._transposed @ (self._values @ direction) + self.ridge * direction
            curvature = _dots(direction, product)
            step = np.divide(energy, curvature, out=np.zeros_like(energy), where=curvature > 0)
            weights += step * direction
            residual = residual - step * product
            scaled = residual / self._diagonal
            after = _dots(residual, scaled)
            keep = np.divide(after, energy, out=np.zeros_like(energy), where=energy > 0)
            direction, energy = scaled + keep * direction, after
        return weights

    def at(self, factors: Float32Array) -> AlsPrior:
        """The prior that these factors give."""
        return AlsPrior(self.features, self.weights(factors))

    def penalty(self, factors: Float32Array) -> float:
        """What the objective has of these factors and their best weights, the latter's own ridge included."""
        weights = self.weights(factors)
        penalty = self.ridge * float(np.einsum("ij,ij->", weights, weights, dtype=np.float64))
        for some in _columns(factors):
            away = factors[:, some].astype(np.float64) - self._values @ weights[:, some].astype(np.float64)
            penalty += float(self.lambdas @ _dots(away.T, away.T))
        return penalty


def prior_bytes(rows: int, features: int, entries: int, factors: int) -> tuple[int, int]:
    """What the regression of `rows` factors on `features` with so many entries holds, and takes beside it at its peak."""
    columns = min(_COLUMNS, factors)
    held = 8 * (rows + 1) + 8 * entries  # the features as they are given
    held += 2 * 12 * entries + 4 * (rows + features)  # in float64, and transposed
    if features > _MOST_DENSE:
        return held, 8 * columns * (rows + 10 * features)
    products = min(features**2, entries**2 // max(rows, 1) + features)  # entries of the normal equations
    solving = 8 * columns * rows + 2 * 8 * features * factors
    return held + 8 * features**2, max(12 * products, solving)


def prior_rows(features: Csr, weights: Float32Array) -> Float32Array:
    """Where features draw factors to, float32 `[rows, f]`."""
    values = features.to_scipy().astype(np.float64)
    rows = np.empty((features.shape[0], weights.shape[1]), np.float32)
    for some in _columns(weights):
        rows[:, some] = values @ weights[:, some].astype(np.float64)
    return rows


def _columns(matrix: Float32Array) -> list[slice]:
    """The columns of a matrix, some at a time."""
    return [slice(begin, begin + _COLUMNS) for begin in range(0, matrix.shape[1], _COLUMNS)]


def _dots(a: Any, b: Any) -> Any:
    """The inner products of columns; no BLAS, whose sums depend on the number of threads."""
    return np.einsum("ij,ij->j", a, b)
