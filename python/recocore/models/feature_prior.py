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
        right = self._weighted.T @ factors.astype(np.float64)
        factored = self._factored
        solved = self._iterated(right) if factored is None else scipy.linalg.cho_solve(factored, right)
        return np.ascontiguousarray(solved, np.float32)

    @cached_property
    def _values(self) -> Any:
        return self.features.to_scipy().astype(np.float64)

    @cached_property
    def _weighted(self) -> Any:
        return self._values.multiply(self.lambdas[:, None]).tocsr()

    @cached_property
    def _factored(self) -> Any:
        """The Cholesky factor of the normal equations, or None where they are too many."""
        if self.features.shape[1] > _MOST_DENSE:
            return None
        system = (self._weighted.T @ self._values).toarray()
        system[np.diag_indices_from(system)] += self.ridge
        return scipy.linalg.cho_factor(system)

    def _iterated(self, right: Float64Array) -> Float64Array:
        """Conjugate gradient from zero, each column by itself, preconditioned by the diagonal."""
        transposed = self._weighted.T.tocsr()
        diagonal = np.asarray(self._weighted.multiply(self._values).sum(0)).ravel()[:, None] + self.ridge
        weights = np.zeros_like(right)
        residual = right
        goal = _TOLERANCE**2 * _dots(right, right)
        direction = residual / diagonal
        energy = _dots(residual, direction)
        for _ in range(_MOST_STEPS):
            if (_dots(residual, residual) <= goal).all():
                break
            product = transposed @ (self._values @ direction) + self.ridge * direction
            curvature = _dots(direction, product)
            step = np.divide(energy, curvature, out=np.zeros_like(energy), where=curvature > 0)
            weights += step * direction
            residual = residual - step * product
            scaled = residual / diagonal
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
        away = factors.astype(np.float64) - prior_rows(self.features, weights)
        return float(self.lambdas @ _dots(away.T, away.T)) + self.ridge * float((weights.astype(np.float64) ** 2).sum())


def prior_rows(features: Csr, weights: Float32Array) -> Float32Array:
    """Where features draw factors to, float32 `[rows, f]`."""
    rows: Float32Array = (features.to_scipy().astype(np.float64) @ weights.astype(np.float64)).astype(np.float32)
    return rows


def _dots(a: Any, b: Any) -> Any:
    """The inner products of columns; no BLAS, whose sums depend on the number of threads."""
    return np.einsum("ij,ij->j", a, b)
