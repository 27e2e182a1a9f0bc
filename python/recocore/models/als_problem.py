"""One ALS problem under way: what a half-epoch solves, and with what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.models.als_equations import Equations, Side
    from recocore.models.feature_prior import FeaturePrior
    from recocore.ops.als import AlsInteractions, AlsPrior, AlsReport
    from recocore.types import Float32Array, Float64Array, Progress


@dataclass(frozen=True, slots=True, eq=False)
class AlsProblem:
    """The interactions both ways and the factors, which each half-epoch changes in place.

    Items are solved first, and users then in the same epoch: in between the users' factors may be void. Rows without entries
    are zero while the others are solved; `finished` puts them where their features say.

    Attributes:
        by_user: `[n_users, n_items]`, checked.
        by_item: its transpose, checked.
        user_factors: float32 `[n_users, width]`, as `Equations.blank` has them.
        item_factors: float32 `[n_items, width]`.
        equations: what is minimised, and how rows are solved.
        user_lambdas: float64 `[n_users]`, as `Equations.lambdas` has them.
        item_lambdas: float64 `[n_items]`.
        user_prior: what users' features say of their factors; None where there are none.
        item_prior: likewise.
    """

    by_user: AlsInteractions
    by_item: AlsInteractions
    user_factors: Float32Array
    item_factors: Float32Array
    equations: Equations
    user_lambdas: Float64Array
    item_lambdas: Float64Array
    user_prior: FeaturePrior | None = None
    item_prior: FeaturePrior | None = None

    def solve_items(self, progress: Progress | None) -> AlsReport:
        """Half an epoch: the items' factors, with the users' held."""
        prior = self._prior("items", self.item_factors, self.item_prior)
        # An exact solver of the users starts from nothing.
        spent = self.equations.settings.solver == "cholesky" and self.user_prior is None
        return self.equations.solve(
            "items",
            self.by_item,
            self.user_factors,
            self.item_factors,
            progress,
            prior=prior,
            fixed_use="spent" if spent else "restored",
        )

    def solve_users(self, progress: Progress | None) -> AlsReport:
        """Half an epoch: the users' factors, with the items' held."""
        prior = self._prior("users", self.user_factors, self.user_prior)
        return self.equations.solve(
            "users", self.by_user, self.item_factors, self.user_factors, progress, prior=prior, fixed_use="restored"
        )

    def value(self, progress: Progress | None = None) -> float:
        """The objective at the present factors. O(nnz f + (users + items) f^2)."""
        if not self.equations.explicit and self.user_prior is None and self.item_prior is None:
            return self.equations.value(self.by_user, self.user_factors, self.item_factors, progress)
        return (
            self.equations.loss(self.by_user, self.user_factors, self.item_factors, progress)
            + self._penalty("users", self.user_factors, self.user_lambdas, self.user_prior)
            + self._penalty("items", self.item_factors, self.item_lambdas, self.item_prior)
        )

    def arrays(self) -> dict[str, Float32Array]:
        """All that epochs change, by name."""
        return {"user_factors": self.user_factors, "item_factors": self.item_factors}

    def priors(self) -> dict[Side, AlsPrior]:
        """What the features of each side that has some say of the present factors."""
        found: dict[Side, AlsPrior | None] = {
            "users": self._prior("users", self.user_factors, self.user_prior),
            "items": self._prior("items", self.item_factors, self.item_prior),
        }
        return {side: prior for side, prior in found.items() if prior is not None}

    def finished(self) -> tuple[Float32Array, Float32Array]:
        """The factors of users and of items; a side with features is copied, its rows without entries set to the prior."""
        priors = self.priors()
        return (
            self._finished("users", self.user_factors, self.user_lambdas, priors),
            self._finished("items", self.item_factors, self.item_lambdas, priors),
        )

    def _prior(self, side: Side, factors: Float32Array, prior: FeaturePrior | None) -> AlsPrior | None:
        return None if prior is None else prior.at(self.equations.unknowns(side, factors))

    def _penalty(self, side: Side, factors: Float32Array, lambdas: Float64Array, prior: FeaturePrior | None) -> float:
        unknowns = self.equations.unknowns(side, factors)
        if prior is not None:
            return prior.penalty(unknowns)
        return float(lambdas @ np.einsum("ij,ij->i", unknowns, unknowns, dtype=np.float64))

    def _finished(
        self, side: Side, factors: Float32Array, lambdas: Float64Array, priors: Mapping[Side, AlsPrior]
    ) -> Float32Array:
        if side not in priors:
            return factors
        finished = factors.copy()
        self.equations.put_prior(side, priors[side], finished, np.flatnonzero(lambdas == 0).astype(np.int32))
        return finished
