"""irspack: `IALSRecommender` by Cholesky."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from irspack import IALSRecommender

from benchmarks.als.fitting import Fitting
from benchmarks.als.solution import Factors

if TYPE_CHECKING:
    from collections.abc import Iterator


class Competitor(Fitting):
    """Takes SciPy CSR; its loss is the case's."""

    packages: ClassVar[tuple[str, ...]] = ("irspack",)
    solver: ClassVar[Literal["CG", "CHOLESKY", "IALSPP"]] = "CHOLESKY"
    exact: ClassVar[bool] = True

    def fit(self, epochs: int) -> Any:
        """Fit."""
        return self._recommender(epochs).learn()

    def factors_of(self, model: Any) -> Factors:
        """Copies: the trainer goes on with its own."""
        core = model.trainer.core_trainer
        return Factors(core.user.copy(), core.item.copy())

    def after_each_epoch(self, epochs: int) -> Iterator[Factors]:
        """One epoch after another."""
        model = self._recommender(epochs)
        model.start_learning()
        for _ in range(epochs):
            model.run_epoch()
            yield self.factors_of(model)

    def _recommender(self, epochs: int) -> Any:
        return IALSRecommender(
            self.interactions,
            n_components=self.factors,
            alpha0=self.objective.alpha0,
            reg=self.objective.regularization,
            nu=self.objective.nu,
            solver_type=self.solver,
            train_epochs=epochs,
            n_threads=self.threads,
            random_seed=self.seed,
        )
