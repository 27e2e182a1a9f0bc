"""The equations of one side's rows, given the other side's factors, under each loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from recocore.models.feature_prior import prior_rows
from recocore.ops.als import als_half_epoch, als_objective

if TYPE_CHECKING:
    from recocore.csr import Csr
    from recocore.ops.als import AlsInteractions, AlsObjective, AlsPrior, AlsReport
    from recocore.types import Float32Array, Float64Array, Int32Array, Progress

Side: TypeAlias = Literal["users", "items"]

# In floats.
_CACHE_LINE = 16


@dataclass(frozen=True, slots=True)
class SolverSettings:
    """How rows are solved; the names are those of `recocore.ops.als.als_half_epoch`."""

    solver: str
    cg_steps: int
    block_size: int
    num_threads: int
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Equations:
    """What is minimised, and how.

    Explicit ratings are predicted as the inner product of wider rows: a user's is [mean + bias, x, 1], an item's [1, y,
    bias]. So what is solved for, and what it is multiplied by, lie next to each other on either side.

    Attributes:
        objective: what is minimised.
        settings: how rows are solved.
        mean: of the ratings; 0 under the other losses.
    """

    objective: AlsObjective
    settings: SolverSettings
    mean: float = 0.0

    @property
    def explicit(self) -> bool:
        """Whether the values are ratings."""
        return self.objective.loss == "explicit"

    def blank(self, side: Side, count: int, factors: int) -> Float32Array:
        """Rows of a side of whom nothing is known, float32 `[count, width]`: zero but for what is constant."""
        if not self.explicit:
            return _aligned_zeros(count, factors)
        rows = np.zeros((count, factors + 2), np.float32)
        rows[:, 0] = self.mean if side == "users" else 1
        rows[:, -1] = 1 if side == "users" else 0
        return rows

    def factors_in(self, rows: Float32Array) -> Float32Array:
        """The factors without biases, a view of the rows."""
        return rows[:, 1:-1] if self.explicit else rows

    def unknowns(self, side: Side, rows: Float32Array) -> Float32Array:
        """What is solved for and regularised: the rows, or factors and bias where there are biases."""
        if not self.explicit:
            return rows
        if side == "items":
            return rows[:, 1:]
        unknowns = rows[:, :-1].copy()
        unknowns[:, 0] -= np.float32(self.mean)
        return unknowns

    def put_prior(self, side: Side, prior: AlsPrior, rows: Float32Array, where: Int32Array) -> None:
        """Set the rows `where` to their prior."""
        unknowns = prior_rows(prior.features.rows(where), prior.weights)
        if not self.explicit:
            rows[where] = unknowns
        elif side == "items":
            rows[where, 1:] = unknowns
        else:
            unknowns[:, 0] += np.float32(self.mean)
            rows[where, :-1] = unknowns

    def solve(
        self,
        side: Side,
        interactions: AlsInteractions,
        fixed: Float32Array,
        solved: Float32Array,
        progress: Progress | None = None,
        *,
        counted: Int32Array | None = None,
        prior: AlsPrior | None = None,
        fixed_use: str = "kept",
    ) -> AlsReport:
        """Solve every row of a side in place; what is left out means what it means in `als_half_epoch`."""
        offsets = None
        if self.explicit and side == "users":
            offsets = fixed[:, -1] + np.float32(self.mean)
            fixed, solved = fixed[:, :-1], solved[:, :-1]
            solved[:, 0] -= np.float32(self.mean)
        elif self.explicit:
            offsets = np.ascontiguousarray(fixed[:, 0])
            fixed, solved = fixed[:, 1:], solved[:, 1:]
        report = als_half_epoch(
            interactions,
            fixed,
            solved,
            self.objective,
            solver=self.settings.solver,
            cg_steps=self.settings.cg_steps,
            block_size=self.settings.block_size,
            num_threads=self.settings.num_threads,
            progress=progress,
            offsets=offsets,
            counted=counted,
            prior=prior,
            device=self.settings.device,
            fixed_use=fixed_use,
        )
        if self.explicit and side == "users":
            solved[:, 0] += np.float32(self.mean)
        return report

    def lambdas(self, interactions: Csr) -> Float64Array:
        """lambda_row of each row, float64 `[rows]`; 0 for a row without entries, which the objective does not ask about."""
        entries = np.diff(interactions.indptr).astype(np.float64)
        mass = entries + self.objective.alpha0 * interactions.shape[1]
        with np.errstate(over="ignore"):  # what overflows the solver refuses, and names the row
            weights: Float64Array = np.where(entries > 0, self.objective.regularization * mass**self.objective.nu, 0.0)
        return weights

    def loss(
        self, by_user: AlsInteractions, users: Float32Array, items: Float32Array, progress: Progress | None = None
    ) -> float:
        """The objective without its regularisation."""
        bare = replace(self.objective, regularization=0.0)
        return als_objective(
            by_user,
            users,
            items,
            bare,
            num_threads=self.settings.num_threads,
            progress=progress,
            device=self.settings.device,
        )

    def value(
        self, by_user: AlsInteractions, users: Float32Array, items: Float32Array, progress: Progress | None = None
    ) -> float:
        """The objective of an implicit loss without features."""
        return als_objective(
            by_user,
            users,
            items,
            self.objective,
            num_threads=self.settings.num_threads,
            progress=progress,
            device=self.settings.device,
        )


def _aligned_zeros(rows: int, columns: int) -> Float32Array:
    """Zeros that start on a cache line: a half-epoch can then turn the rows where they are."""
    room = np.zeros(rows * columns + _CACHE_LINE, np.float32)
    begin = -(room.ctypes.data // room.itemsize) % _CACHE_LINE
    return room[begin : begin + rows * columns].reshape(rows, columns)
