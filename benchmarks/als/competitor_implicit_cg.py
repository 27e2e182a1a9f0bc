"""implicit: `AlternatingLeastSquares` with three steps of conjugate gradient, its default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from benchmarks.als.fitting import FlatFitting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from benchmarks.als.solution import Factors


class Competitor(FlatFitting):
    """Takes SciPy CSR; solves the items last."""

    packages: ClassVar[tuple[str, ...]] = ("implicit",)
    exact: ClassVar[bool] = False

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        super().__init__(inputs, parameters, threads)
        # Its own threads call BLAS: it warns that BLAS must not have some of its own.
        threadpool_limits(1, "blas")

    def fit(self, epochs: int) -> Any:
        """Fit."""
        model = self._model(epochs)
        model.fit(self.interactions, show_progress=False)
        return model

    def factors_of(self, model: Any) -> Factors:
        """Scaled."""
        return self.scaled(model.user_factors, model.item_factors)

    def after_each_epoch(self, epochs: int) -> Iterator[Factors]:
        """One epoch after another, each from the factors that the last one left."""
        model = self._model(1)
        for _ in range(epochs):
            model.fit(self.interactions, show_progress=False)
            yield self.factors_of(model)

    def _model(self, epochs: int) -> Any:
        return AlternatingLeastSquares(
            factors=self.factors,
            regularization=self.regularization,
            alpha=self.confidence,
            iterations=epochs,
            use_cg=not self.exact,
            num_threads=self.threads,
            random_state=self.seed,
        )
