"""recocore: `ALS.fit`, which chooses the solver."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from benchmarks.als.fitting import Fitting
from benchmarks.als.solution import Factors
from recocore import Interactions
from recocore.models import ALS, BaseModel, Validation

if TYPE_CHECKING:
    from collections.abc import Iterator


class Competitor(Fitting):
    """Takes Interactions, made of SciPy CSR without copies, anew for each fit: they keep their transpose."""

    packages: ClassVar[tuple[str, ...]] = ("recocore",)
    solver: ClassVar[str] = "auto"
    # Auto is exact for short rows only.
    exact: ClassVar[bool] = False

    def fit(self, epochs: int) -> ALS:
        """Fit."""
        return self.model(epochs).fit(Interactions.from_csr(self.interactions))

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

        interactions = Interactions.from_csr(self.interactions)
        self.model(epochs).fit(interactions, validation=Validation(interactions, look, patience=None))
        return iter(seen)

    def flops_of(self, model: ALS) -> float:
        """As reported."""
        return sum(report.flops for report in model.reports)
