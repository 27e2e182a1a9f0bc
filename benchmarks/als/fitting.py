"""What competitors share: the case's matrix and parameters, and how a fit becomes a solution."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from benchmarks.als.objective import Objective
from benchmarks.als.solution import Factors, Solution
from benchmarks.harness.competitor import Competitor as Base
from recocore.models import AlsObjective, ImplicitParameters, convert_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# The weight of every entry.
_ONE = np.ones(1, np.float32)


class Fitting(Base):
    """Fits once and, where the case asks for a trace, once more with a look after some epochs, which is not timed.

    Attributes:
        exact: whether the solver is.
        interactions: SciPy CSR of ones, users by items, float32.
        factors: length of a factor.
        epochs: of the fit.
        threads: for the library.
        seed: of the first factors.
        objective: what is minimised.
    """

    exact: ClassVar[bool]

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        self.interactions: Any = sp.load_npz(inputs["matrix"])
        self.factors: int = parameters["factors"]
        self.epochs: int = parameters["epochs"]
        self.threads = threads
        self.seed: int = parameters.get("seed", 0)
        self.objective = self.objective_of(parameters)
        self._traced: tuple[int, ...] = tuple(parameters["traced"])

    def objective_of(self, parameters: Mapping[str, Any]) -> Objective:
        """The case's objective, where the library can minimise it."""
        return Objective(parameters["regularization"], parameters["alpha0"], parameters["nu"])

    @abstractmethod
    def fit(self, epochs: int) -> Any:
        """The library's whole fit of so many epochs, from its own first factors; gives the model."""

    @abstractmethod
    def factors_of(self, model: Any) -> Factors:
        """The model's factors, scaled to the objective."""

    def after_each_epoch(self, epochs: int) -> Iterator[Factors]:
        """The factors after each of one or more epochs of one fit."""
        raise NotImplementedError(f"{type(self).__module__} shows no epochs: leave it out of traced cases")

    def flops_of(self, model: Any) -> float:
        """Floating-point operations that the library says the fit took; 0 where it does not say."""
        return 0.0

    def run(self) -> Any:
        """Fit."""
        return self.fit(self.epochs)

    def save(self, result: Any, path: Path) -> None:
        """Write the factors, and those after the epochs that are traced."""
        trace: list[Factors] = []
        if self._traced:
            epochs = enumerate(self.after_each_epoch(max(self._traced)), 1)
            trace = [factors for epoch, factors in epochs if epoch in self._traced]
        Solution(self.factors_of(result), self.objective, self.exact, self.flops_of(result), self._traced, trace).save(
            path
        )


class FlatFitting(Fitting):
    """A library with the loss of Hu, Koren and Volinsky, where a seen pair weighs c and an unseen one 1.

    Its regularisation is the same for every row, so that it takes the case's objective only where nu is 0; elsewhere it has
    a regularisation of its own, `flat_regularization`.
    """

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        super().__init__(inputs, parameters, threads)
        ours = AlsObjective(self.objective.regularization, self.objective.alpha0, self.objective.nu)
        original = convert_parameters(ours, _ONE, AlsObjective, loss="original")
        theirs = convert_parameters(original.parameters, _ONE, ImplicitParameters).parameters
        self.confidence = theirs.alpha
        self.regularization = theirs.regularization
        self._scale = original.factor_scale

    def objective_of(self, parameters: Mapping[str, Any]) -> Objective:
        """The same with nu = 0."""
        flat = parameters["regularization"] if parameters["nu"] == 0 else parameters["flat_regularization"]
        return Objective(flat, parameters["alpha0"], 0.0)

    def scaled(self, users: Any, items: Any) -> Factors:
        """The library's factors as those of the objective."""
        return Factors(users / self._scale, items / self._scale)
