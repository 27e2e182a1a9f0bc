"""Alternating least squares: seconds an epoch, and time to the objective and the ranking that the peers come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from benchmarks import matrices
from benchmarks.als.judge import METRIC, ndcg
from benchmarks.als.solution import Solution
from benchmarks.datasets import DATASETS
from benchmarks.harness.scenario import (
    Case,
    Inputs,
    Memory,
    Point,
    Race,
    Scenario,
    UnavailableError,
    WrongResultError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.als.solution import Factors

OBJECTIVE = "objective"
EXACT, ITERATIVE = "exact", "iterative"
_ITERATIVE_SOLVERS = ("recocore", "-cg", "-subspace", "-ialspp")
# How far the rows that were solved last may be above their optimum: float32 leaves 1e-6 at most where it was solved for, and
# a first epoch of three steps of conjugate gradient a few hundredths.
_EXCESS = {EXACT: 1e-4, ITERATIVE: 0.1}
_SAMPLED_ROWS = 200
# How far objectives may be from each other after the last epoch of a trace: first factors differ.
_DISAGREEMENT = 0.05


@dataclass(frozen=True, slots=True)
class Parameters:
    """One fit.

    Attributes:
        matrix: a name of `benchmarks.matrices` or `benchmarks.datasets`.
        factors: length of a factor.
        epochs: of the fit.
        regularization: of the objective.
        alpha0: of the objective.
        nu: of the objective.
        flat_regularization: for libraries that know no other, where nu is not 0.
        traced: epochs after which the factors are looked at.

    Example:
        >>> print(Parameters("small_like", factors=64, epochs=2))
        small_like: 64 factors, 2 epochs, regularization 2, alpha0 0.1, nu 0
    """

    matrix: str
    factors: int
    epochs: int
    regularization: float = 2.0
    alpha0: float = 0.1
    nu: float = 0.0
    flat_regularization: float = 0.0
    traced: tuple[int, ...] = ()

    def __str__(self) -> str:
        flat = f" ({self.flat_regularization:g} for libraries without nu)" if self.nu else ""
        return (
            f"{self.matrix}: {self.factors} factors, {self.epochs} epochs, regularization {self.regularization:g}{flat}, "
            f"alpha0 {self.alpha0:g}, nu {self.nu:g}"
        )


def _converging(matrix: str, factors: int, epochs: int, **objective: float) -> Parameters:
    return Parameters(matrix, factors, epochs, traced=tuple(range(1, epochs + 1)), **objective)


# Where an epoch takes the others half a minute.
_FAST = (
    "recocore",
    "recocore-cholesky",
    "recocore-cg",
    "recocore-subspace",
    "implicit-cg",
    "implicit-cholesky",
    "irspack-cg",
    "irspack-cholesky",
    "irspack-ialspp",
)
# cmfrec shows nothing before its fit is over.
_SHOWING = (*_FAST, "lenskit")


class AlsScenario(Scenario[Parameters]):
    """Factors of users and items on implicit feedback."""

    name: ClassVar[str] = "als"
    title: ClassVar[str] = "Alternating least squares"
    about: ClassVar[str] = (
        "A run is the library's whole fit on a matrix of ones in memory: transposing, first factors and all epochs. Every"
        " library minimises the same objective, by its own parameters for it: the sum over seen pairs of (1 - x.y)^2, "
        "over all pairs of alpha0 (x.y)^2 and over all rows of lambda |row|^2, with lambda = regularization (entries + "
        "alpha0 length of the other side)^nu. Where nu is not 0, implicit, cmfrec and lenskit cannot, and run in the race"
        " for the ranking alone, with one lambda for all rows. Each result is checked first: 200 rows of the side that "
        "was solved last are held against their float64 optimum. Exact solvers solve each row's equations, iterative ones"
        " improve on them; recocore by itself is iterative but for short rows. A race starts from each library's own "
        "first factors; one float64 function computes the objective of all, nDCG@20 is over the same 6,000 users at most,"
        " and an epoch's time is its part of the median fit. The pace is set by the peer that is first within 0.1 % of "
        "its own last value, where that is within 1 % of the best peer's. Memory is the fit's peak; the need is one copy "
        "of the interactions each way and the factors. The roof is the rate of NumPy's float32 matrix product on the same"
        " threads; recocore's rates count the operations that it reports."
    )
    work_unit: ClassVar[str] = "floating-point operations"
    roof: ClassVar[tuple[str, str] | None] = (
        "benchmarks.roofs.matrix_product",
        "float32 matrix product of 2,048 x 2,048",
    )
    part: ClassVar[str | None] = "epoch"
    races: ClassVar[Mapping[str, Race]] = {
        OBJECTIVE: Race(rising=False, tolerance=1e-3),
        METRIC: Race(rising=True, tolerance=1e-3),
    }
    repeats: ClassVar[int] = 3
    cases = (
        Case(
            "tiny",
            _converging("tiny", 16, 4),
            when="named",
            competitors=("recocore", "recocore-cg", "implicit-cholesky", "irspack-cholesky"),
        ),
        Case("small_like_64", Parameters("small_like", factors=64, epochs=1), when="quick"),
        Case("small_like_128", Parameters("small_like", factors=128, epochs=2), competitors=_SHOWING),
        Case("small_like_256", Parameters("small_like", factors=256, epochs=1), competitors=_FAST),
        Case(
            "amazon-beauty",
            _converging("amazon-beauty", 64, 16, regularization=0.005, alpha0=0.0085, nu=1.0, flat_regularization=0.7),
            competitors=_SHOWING,
        ),
        Case(
            "gowalla",
            _converging("gowalla", 64, 16, regularization=0.03, alpha0=0.03, nu=0.5, flat_regularization=1.0),
            competitors=_SHOWING,
        ),
        Case("small_like_converging", _converging("small_like", 64, 16), when="large", competitors=_SHOWING),
        *(
            Case(f"ml20m_like_{f}", Parameters("ml20m_like", factors=f, epochs=1), when="large", competitors=_FAST)
            for f in (64, 128, 256)
        ),
    )

    def prepare(self, parameters: Parameters, folder: Path, data: Path) -> Inputs:
        """Write the matrix, and what is held out beside it."""
        train, test = _matrices(parameters.matrix, data)
        sp.save_npz(folder / "matrix.npz", train, compressed=False)
        if test is not None:
            sp.save_npz(folder / "test.npz", test, compressed=False)
        copy = train.nnz * 8
        return Inputs(
            files={"matrix": folder / "matrix.npz"},
            work=parameters.epochs * _flops(train, parameters.factors),
            facts={"users": train.shape[0], "items": train.shape[1], "non-zeros": train.nnz},
            expected=None if test is None else folder / "test.npz",
            parts=parameters.epochs,
            memory=Memory(held=copy, needed=2 * copy + 4 * parameters.factors * sum(train.shape)),
        )

    def check(self, parameters: Parameters, inputs: Inputs, result: Path) -> None:
        """Hold sampled rows of the side that was solved last against their optimum."""
        matrix: Any = sp.load_npz(inputs.files["matrix"])
        found = Solution.load(result)
        for factors in (found.factors, *found.trace):
            _check_shape(factors, (*matrix.shape, parameters.factors))
        users, items = found.factors.users, found.factors.items
        rng = np.random.default_rng(0)
        excess = min(
            found.objective.excess(side, solved, fixed, rng.integers(0, side.shape[0], _SAMPLED_ROWS))
            for side, solved, fixed in ((matrix, users, items), (matrix.T.tocsr(), items, users))
        )
        allowed = _EXCESS[EXACT if found.exact else ITERATIVE]
        if not excess <= allowed:
            raise WrongResultError(
                f"the loss of {_SAMPLED_ROWS} rows is {excess:.1e} above what it could be, expected at most {allowed:g}"
            )

    def agree(self, parameters: Parameters, result: Path, accepted: Path) -> None:
        """Compare the objective with that of the first right result, where both minimise the same and had the time."""
        found, first = Solution.load(result), Solution.load(accepted)
        if not parameters.traced or found.objective != first.objective:
            return
        matrix = _matrix_beside(accepted)
        values = [one.objective.value(matrix, one.factors.users, one.factors.items) for one in (found, first)]
        if abs(values[0] / values[1] - 1) > _DISAGREEMENT:
            raise WrongResultError(
                f"the objective is {values[0]:.6g}, where the first competitor comes to {values[1]:.6g}"
            )

    def quality(self, parameters: Parameters, inputs: Inputs, result: Path) -> dict[str, float]:
        """What a library says of its work."""
        found = Solution.load(result)
        return {self.work_unit: found.flops} if found.flops else {}

    def trajectory(self, parameters: Parameters, inputs: Inputs, result: Path) -> tuple[Point, ...]:
        """The objective and the ranking after each epoch that is traced."""
        found = Solution.load(result)
        train = sp.load_npz(inputs.files["matrix"])
        test = None if inputs.expected is None else sp.load_npz(inputs.expected)
        comparable = (found.objective.nu, found.objective.alpha0) == (parameters.nu, parameters.alpha0)
        points = []
        for epoch, factors in zip(found.epochs, found.trace, strict=True):
            quality = {}
            if comparable:
                quality[OBJECTIVE] = found.objective.value(train, factors.users, factors.items)
            if test is not None:
                quality[METRIC] = ndcg(factors, train, test)
            points.append(Point(epoch / parameters.epochs, quality))
        return tuple(points)

    def group(self, competitor: str) -> str:
        """Exact or iterative."""
        return ITERATIVE if competitor.endswith(_ITERATIVE_SOLVERS) else EXACT


def _flops(matrix: Any, factors: int) -> float:
    """An exact epoch by systems of the size of a factor: what recocore reports instead is what it did."""
    rows = int(sum(matrix.shape))
    return 2.0 * int(matrix.nnz) * factors * factors + rows * (factors**3 / 3 + factors * factors)


def _check_shape(factors: Factors, expected: tuple[int, int, int]) -> None:
    n_users, n_items, f = expected
    for name, found, rows in (("users", factors.users, n_users), ("items", factors.items, n_items)):
        if found.shape != (rows, f) or not np.isfinite(found).all():
            raise WrongResultError(f"{name}: expected finite factors {(rows, f)}, got {found.shape}")


def _matrix_beside(result: Path) -> Any:
    return sp.load_npz(result.parent / "matrix.npz")


def _matrices(name: str, data: Path) -> tuple[Any, Any]:
    """What to learn from, and what is held out or None: SciPy CSR of ones."""
    match name:
        case "ml20m_like":
            return matrices.ml20m_like(), None
        case "small_like":
            return matrices.small_like(), None
        case "tiny":
            made = matrices.popularity_matrix(1_000, 400, 20_000, seed=4)
            held = np.random.default_rng(0).random(made.nnz) < 0.1
            return _kept(made, ~held), _kept(made, held)
    dataset = DATASETS[name]
    if not (data / dataset.file).is_file():
        raise UnavailableError(f"{dataset.file} is not in the data folder; name one with --data or RECOCORE_DATA")
    split = dataset.read(data)
    return split.train.matrix.to_scipy(), split.test.matrix.to_scipy()


def _kept(matrix: Any, mask: Any) -> Any:
    coo = matrix.tocoo()
    return sp.csr_matrix((coo.data[mask], (coo.row[mask], coo.col[mask])), shape=matrix.shape)


SCENARIO = AlsScenario()
