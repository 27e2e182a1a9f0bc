"""Alternating least squares on implicit feedback."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from recocore.memory import require_memory
from recocore.models.als_problem import AlsProblem, SolverSettings
from recocore.models.als_training import train
from recocore.models.base import BaseModel, check_device
from recocore.ops.als import AlsObjective, als_half_epoch, als_objective, checked_interactions
from recocore.ops.arguments import choice, integer, not_negative, threads
from recocore.scoring import FactorScorer

if TYPE_CHECKING:
    from recocore.csr import Csr
    from recocore.data import Interactions
    from recocore.ops.als import AlsReport
    from recocore.types import Float32Array, Progress

_SOLVERS = ("auto", "cholesky", "cg", "subspace")
_LOSSES = ("ials", "original")
_LARGEST_FACTORS = 2048


class ALS(BaseModel):
    """Factors x_u, y_i that minimise a weighted squared loss over every pair of user and item.

    The objective is that of Rendle et al., "Revisiting the Performance of iALS on Item Recommendation Benchmarks" (2022):

        sum over seen of w (1 - x.y)^2 + alpha0 * sum over all of (x.y)^2 + sum over rows of lambda_row * |row|^2
        lambda_row = regularization * (entries of the row + alpha0 * length of the other side) ** nu

    An interaction of negative weight is a dislike: its weight is |w| and (0 - x.y)^2 stands for (1 - x.y)^2. With
    loss="original" (Hu, Koren, Volinsky 2008) a seen pair weighs alpha0 + w and pulls towards 1 with all of it.

    Args:
        factors: length of a factor, 1 to 2048.
        regularization: larger pulls factors to zero; see lambda_row. Dense data likes more (0.01), sparse less (0.001).
        alpha0: weight of an unseen pair; a seen one weighs its interaction's weight more. Dense data likes more (0.3),
            sparse less (0.03).
        nu: 0 regularises every row alike, 1 in proportion to its entries.
        iterations: epochs; each solves all items, then all users.
        solver: cholesky (exact), cg, subspace (iALS++), or auto: cholesky up to 256 factors; above it the same for rows
            short enough, and subspace for the others. `reports` says how many rows were solved which way.
        num_threads: 0 is one for each core; the result does not depend on it.
        seed: of the first factors, normal with standard deviation 0.1 / sqrt(factors).
        device: cpu.
        loss: ials or original.
        cg_steps: steps of conjugate gradient for each row and half-epoch, 1 to 2048.
        block_size: factors that subspace solves at a time, 1 to 2048, rounded up to a multiple of 16.

    An epoch costs O(nnz f^2 + (n_users + n_items) f^3) with cholesky.

    Example:
        >>> import recocore
        >>> data = recocore.Interactions.from_coo(["ann", "ann", "bob", "bob"], ["a", "b", "a", "c"])
        >>> model = recocore.models.ALS(factors=4, iterations=5).fit(data)
        >>> model.recommend([0], k=1).ids.tolist()  # ann has a and b, so c is left
        [[2]]
    """

    name: ClassVar[str] = "als"

    def __init__(
        self,
        factors: int = 64,
        regularization: float = 0.002,
        alpha0: float = 0.05,
        nu: float = 1.0,
        iterations: int = 16,
        solver: str = "auto",
        num_threads: int = 0,
        seed: int = 0,
        device: str = "cpu",
        loss: str = "ials",
        cg_steps: int = 3,
        block_size: int = 64,
    ) -> None:
        super().__init__()
        self.factors = integer(factors, "factors", 1, _LARGEST_FACTORS)
        self.regularization = not_negative(regularization, "regularization")
        self.alpha0 = not_negative(alpha0, "alpha0")
        self.nu = not_negative(nu, "nu")
        self.iterations = integer(iterations, "iterations", 1)
        self.solver = choice(solver, "solver", _SOLVERS)
        self.num_threads = threads(num_threads)
        self.seed = integer(seed, "seed", 0)
        self.device = check_device(device)
        self.loss = choice(loss, "loss", _LOSSES)
        self.cg_steps = integer(cg_steps, "cg_steps", 1, _LARGEST_FACTORS)
        self.block_size = integer(block_size, "block_size", 1, _LARGEST_FACTORS)
        self._reports: tuple[AlsReport, ...] = ()

    def params(self) -> dict[str, Any]:
        """The constructor's keywords with their values."""
        return {
            "factors": self.factors,
            "regularization": self.regularization,
            "alpha0": self.alpha0,
            "nu": self.nu,
            "iterations": self.iterations,
            "solver": self.solver,
            "num_threads": self.num_threads,
            "seed": self.seed,
            "device": self.device,
            "loss": self.loss,
            "cg_steps": self.cg_steps,
            "block_size": self.block_size,
        }

    @property
    def reports(self) -> tuple[AlsReport, ...]:
        """How the last fit solved its rows: for each epoch the items' half, then the users'; empty before `fit`."""
        return self._reports

    def objective(self, interactions: Interactions) -> float:
        """The value of the objective on the interactions that the model was fitted to. O(nnz f + (users + items) f^2).

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: the shape is not that of the factors.
        """
        return als_objective(
            interactions.matrix, self.user_factors, self.item_factors, self._objective, num_threads=self.num_threads
        )

    def fold_in_users(self, interactions: Csr) -> Float32Array:
        """Factors for users `[n, n_items]` that the model was not fitted to, float32 `[n, factors]`, by the exact solver.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: the columns are not the model's items.

        Example:
            >>> import recocore
            >>> data = recocore.Interactions.from_coo([0, 0, 1, 1], [0, 1, 0, 2])
            >>> model = recocore.models.ALS(factors=2, iterations=2).fit(data)
            >>> model.fold_in_users(data.matrix.rows([1, 0])).shape
            (2, 2)
        """
        return self._fold_in(interactions, self.item_factors)

    def fold_in_items(self, interactions: Csr) -> Float32Array:
        """Factors for items `[n, n_users]` that the model was not fitted to, float32 `[n, factors]`, by the exact solver.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: the columns are not the model's users.
        """
        return self._fold_in(interactions, self.user_factors)

    def _fold_in(self, interactions: Csr, fixed: Float32Array) -> Float32Array:
        solved = np.zeros((interactions.shape[0], self.factors), np.float32)
        als_half_epoch(
            interactions,
            np.ascontiguousarray(fixed),
            solved,
            self._objective,
            solver="cholesky",
            num_threads=self.num_threads,
        )
        return solved

    @property
    def _objective(self) -> AlsObjective:
        return AlsObjective(self.regularization, self.alpha0, self.nu, self.loss)

    @property
    def user_factors(self) -> Float32Array:
        """float32 `[n_users, factors]`."""
        return self._factor_scorer.user_factors

    @property
    def item_factors(self) -> Float32Array:
        """float32 `[n_items, factors]`."""
        return self._factor_scorer.item_factors

    @property
    def _factor_scorer(self) -> FactorScorer:
        scorer = self.scorer
        assert isinstance(scorer, FactorScorer)  # _learn returns no other
        return scorer

    def _learn(self, interactions: Interactions, progress: Progress | None) -> FactorScorer:
        by_user, by_item = (checked_interactions(side) for side in (interactions.matrix, interactions.by_item))
        n_users, n_items = interactions.matrix.shape
        require_memory((n_users + n_items) * self.factors * 8, f"ALS with {self.factors} factors")
        users, items = self._first_factors(n_users, n_items)
        settings = SolverSettings(self.solver, self.cg_steps, self.block_size, self.num_threads)
        problem = AlsProblem(by_user, by_item, users, items, self._objective, settings)
        self._reports = train(problem, self.iterations, progress)
        objective = np.array([self.regularization, self.alpha0, self.nu, _LOSSES.index(self.loss)])
        return FactorScorer(interactions.matrix, users, items, objective)

    def _first_factors(self, n_users: int, n_items: int) -> tuple[Float32Array, Float32Array]:
        rng = np.random.default_rng(self.seed)
        scale = 0.1 / math.sqrt(self.factors)
        users = rng.normal(0, scale, (n_users, self.factors)).astype(np.float32)
        items = rng.normal(0, scale, (n_items, self.factors)).astype(np.float32)
        return users, items
