"""recocore: `ALS.fit`, which chooses the solver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.als.fitting import Fitting
from benchmarks.als.solution import Factors
from recocore import Interactions
from recocore.models import ALS, BaseModel, Validation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class Competitor(Fitting):
    """Takes Interactions, made of SciPy CSR without copies."""

    packages: ClassVar[tuple[str, ...]] = ("recocore",)
    solver: ClassVar[str] = "auto"
    # Auto is exact up to 256 factors, which is as far as cases go.
    exact: ClassVar[bool] = True

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        super().__init__(inputs, parameters, threads)
        self._interactions = Interactions.from_csr(self.interactions)

    def fit(self, epochs: int) -> ALS:
        """Fit."""
        return self.model(epochs).fit(self._interactions)

    def model(self, epochs: int) -> ALS:
        """The case's model, not yet fitted."""
        return ALS(
            factors=self.factors,
            regularization=self.objective.regularization,
            alpha0=self.objective.alpha0,
            nu=self.objective.nu,
            iterations=epochs,
            solver=self.solver,
            num_threads=self.threads,
            seed=self.seed,
        )

    def factors_of(self, model: ALS) -> Factors:
        """As they are."""
        return Factors(model.user_factors, model.item_factors)

    def after_each_epoch(self, epochs: int) -> Iterator[Factors]:
        """What a validation metric sees after each epoch."""
        seen: list[Factors] = []

        def look(model: BaseModel, held_out: Interactions) -> float:
            assert isinstance(model, ALS)
            seen.append(Factors(model.user_factors.copy(), model.item_factors.copy()))
            return 0.0

        self.model(epochs).fit(self._interactions, validation=Validation(self._interactions, look, patience=None))
        return iter(seen)

    def flops_of(self, model: ALS) -> float:
        """As reported."""
        return sum(report.flops for report in model.reports)
