"""The objective that every competitor's factors are held against, in float64 NumPy and nothing of any competitor.

    sum over seen of (1 - x.y)^2 + alpha0 * sum over all of (x.y)^2 + sum over rows of lambda_row * |row|^2
    lambda_row = regularization * (entries of the row + alpha0 * length of the other side) ** nu

Rendle et al., "Revisiting the Performance of iALS on Item Recommendation Benchmarks" (2022), eq. 1 to 3, all weights one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from recocore.types import Float64Array

# Entries at a time: 64 MiB of gathered factors at 128 of them.
_ENTRIES = 1 << 16


@dataclass(frozen=True, slots=True)
class Objective:
    """What is minimised.

    Attributes:
        regularization: of the formula.
        alpha0: weight of every pair.
        nu: how far the regularisation grows with a row's entries.
    """

    regularization: float
    alpha0: float
    nu: float

    def value(self, interactions: Any, users: Any, items: Any) -> float:
        """The value at factors `[n_users, f]` and `[n_items, f]`; interactions are SciPy CSR of ones. O(nnz f)."""
        x, y = np.asarray(users, np.float64), np.asarray(items, np.float64)
        seen = 0.0
        rows = np.repeat(np.arange(interactions.shape[0]), np.diff(interactions.indptr))
        for start in range(0, interactions.nnz, _ENTRIES):
            part = slice(start, start + _ENTRIES)
            predicted = np.einsum("ij,ij->i", x[rows[part]], y[interactions.indices[part]])
            seen += float(((1 - predicted) ** 2).sum())
        everywhere = self.alpha0 * float(((x.T @ x) * (y.T @ y)).sum())
        by_item = np.bincount(interactions.indices, minlength=interactions.shape[1])
        penalty = self.penalties(np.diff(interactions.indptr), interactions.shape[1]) @ (x**2).sum(axis=1)
        penalty += self.penalties(by_item, interactions.shape[0]) @ (y**2).sum(axis=1)
        return seen + everywhere + float(penalty)

    def penalties(self, entries: Any, others: int) -> Float64Array:
        """lambda_row of rows with so many entries each."""
        mass: Float64Array = np.asarray(entries, np.float64) + self.alpha0 * others
        return self.regularization * mass**self.nu

    def excess(self, interactions: Any, solved: Any, fixed: Any, rows: Any) -> float:
        """How far these rows are above their own optimum while the other side is held, relative to that optimum.

        Each row's optimum is solved for directly, O(f^3). `interactions` has the rows of `solved`.
        """
        y = np.asarray(fixed, np.float64)
        gram = self.alpha0 * (y.T @ y)
        found = best = 0.0
        for row in rows:
            own = interactions.indices[interactions.indptr[row] : interactions.indptr[row + 1]]
            system = gram + y[own].T @ y[own]
            system[np.diag_indices_from(system)] += self.penalties([len(own)], len(y))
            pull = y[own].sum(axis=0)
            here = np.asarray(solved[row], np.float64)
            # The loss of a row is n - 2 x.b + x.A.x, least at A x = b.
            optimum = len(own) - pull @ np.linalg.solve(system, pull)
            best += optimum
            found += len(own) - 2 * here @ pull + here @ system @ here
        return (found - best) / best
