"""One ALS problem under way: what a half-epoch solves, and with what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recocore.ops.als import als_half_epoch, als_objective

if TYPE_CHECKING:
    from recocore.ops.als import AlsInteractions, AlsObjective, AlsReport
    from recocore.types import Float32Array, Progress


@dataclass(frozen=True, slots=True)
class SolverSettings:
    """How rows are solved; the names are those of `recocore.ops.als.als_half_epoch`."""

    solver: str
    cg_steps: int
    block_size: int
    num_threads: int


@dataclass(frozen=True, slots=True, eq=False)
class AlsProblem:
    """The interactions both ways and the factors, which each half-epoch changes in place.

    Attributes:
        by_user: `[n_users, n_items]`, checked.
        by_item: its transpose, checked.
        user_factors: float32 `[n_users, f]`.
        item_factors: float32 `[n_items, f]`.
        objective: what is minimised.
        settings: how rows are solved.
    """

    by_user: AlsInteractions
    by_item: AlsInteractions
    user_factors: Float32Array
    item_factors: Float32Array
    objective: AlsObjective
    settings: SolverSettings

    def solve_items(self, progress: Progress | None) -> AlsReport:
        """Half an epoch: the items' factors, with the users' held."""
        return self._solve(self.by_item, self.user_factors, self.item_factors, progress)

    def solve_users(self, progress: Progress | None) -> AlsReport:
        """Half an epoch: the users' factors, with the items' held."""
        return self._solve(self.by_user, self.item_factors, self.user_factors, progress)

    def value(self, progress: Progress | None = None) -> float:
        """The objective at the present factors. O(nnz f + (users + items) f^2)."""
        return als_objective(
            self.by_user,
            self.user_factors,
            self.item_factors,
            self.objective,
            num_threads=self.settings.num_threads,
            progress=progress,
        )

    def arrays(self) -> dict[str, Float32Array]:
        """All that epochs change, by name."""
        return {"user_factors": self.user_factors, "item_factors": self.item_factors}

    def _solve(
        self, interactions: AlsInteractions, fixed: Float32Array, solved: Float32Array, progress: Progress | None
    ) -> AlsReport:
        return als_half_epoch(
            interactions,
            fixed,
            solved,
            self.objective,
            solver=self.settings.solver,
            cg_steps=self.settings.cg_steps,
            block_size=self.settings.block_size,
            num_threads=self.settings.num_threads,
            progress=progress,
        )
