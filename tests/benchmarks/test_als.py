"""The ALS scenario: its objective, what it takes for right, and a whole run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.sparse as sp
from benchmarks.als.competitor_recocore import Competitor as Recocore
from benchmarks.als.fitting import FlatFitting
from benchmarks.als.judge import ndcg
from benchmarks.als.objective import Objective
from benchmarks.als.scenario import EXACT, ITERATIVE, OBJECTIVE, SCENARIO, Parameters
from benchmarks.als.solution import Factors, Solution
from benchmarks.harness.results import Results
from benchmarks.harness.scenario import UnavailableError, WrongResultError
from tests.benchmarks.test_similarity import bench

from benchmarks import matrices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.harness.scenario import Inputs

F = 6
OBJ = Objective(0.2, 0.3, 0.5)


@pytest.fixture(scope="module")
def ones() -> Any:
    return matrices.popularity_matrix(60, 40, 500, seed=3)


def solved(matrix: Any, fixed: Any, objective: Objective) -> Any:
    """Each row's optimum by dense float64 algebra, from the formula."""
    rows = []
    for row in range(matrix.shape[0]):
        weights = matrix[row].toarray().ravel().astype(np.float64)
        penalty = objective.regularization * (weights.sum() + objective.alpha0 * matrix.shape[1]) ** objective.nu
        system = (fixed * (weights + objective.alpha0)[:, None]).T @ fixed + penalty * np.eye(fixed.shape[1])
        rows.append(np.linalg.solve(system, fixed.T @ weights))
    return np.array(rows)


def drawn(matrix: Any) -> Factors:
    rng = np.random.default_rng(0)
    return Factors(*(rng.normal(0, 0.3, (size, F)).astype(np.float32) for size in matrix.shape))


def test_the_objective_is_the_formula(ones: Any) -> None:
    factors = drawn(ones)
    dense = ones.toarray().astype(np.float64)
    x, y = factors.users.astype(np.float64), factors.items.astype(np.float64)
    predicted = x @ y.T
    expected = (dense * (1 - predicted) ** 2).sum() + OBJ.alpha0 * (predicted**2).sum()
    for rows, entries, others in ((x, dense.sum(axis=1), 40), (y, dense.sum(axis=0), 60)):
        expected += (0.2 * np.sqrt(entries + 0.3 * others) * (rows**2).sum(axis=1)).sum()
    assert OBJ.value(ones, factors.users, factors.items) == pytest.approx(expected, rel=1e-12)


def test_the_excess_is_none_at_the_optimum_and_what_the_loss_is_above_it_elsewhere(ones: Any) -> None:
    fixed = drawn(ones).items.astype(np.float64)
    best = solved(ones, fixed, OBJ)
    every = range(ones.shape[0])
    assert abs(OBJ.excess(ones, best, fixed, every)) < 1e-12
    worse = best + 0.05
    # What changes of the whole objective, where only the rows do.
    lost = OBJ.value(ones, worse, fixed) - OBJ.value(ones, best, fixed)
    items_alone = OBJ.penalties(np.bincount(ones.indices, minlength=40), 60) @ (fixed**2).sum(axis=1)
    optimum = OBJ.value(ones, best, fixed) - items_alone
    assert OBJ.excess(ones, worse, fixed, every) == pytest.approx(lost / optimum, rel=1e-9)


class Plain(FlatFitting):
    """A library with implicit's loss, in dense algebra."""

    exact = True

    def fit(self, epochs: int) -> Any:
        users = drawn(self.interactions).users.astype(np.float64)
        items = np.zeros((self.interactions.shape[1], F))
        for _ in range(epochs):
            items = self.half(self.interactions.T.tocsr(), users)
            users = self.half(self.interactions, items)
        return users, items

    def half(self, matrix: Any, fixed: Any) -> Any:
        confidence = 1 + (self.confidence - 1) * matrix.toarray()
        return np.array(
            [
                np.linalg.solve(
                    (fixed * row[:, None]).T @ fixed + self.regularization * np.eye(F), fixed.T @ (row * (row > 1))
                )
                for row in confidence
            ]
        )

    def factors_of(self, model: Any) -> Factors:
        return self.scaled(*model)

    def after_each_epoch(self, epochs: int) -> Iterator[Factors]:
        return (self.factors_of(self.fit(epoch)) for epoch in range(1, epochs + 1))


def flat(ones: Any, folder: Path, **changed: Any) -> Plain:
    sp.save_npz(folder / "matrix.npz", ones)
    parameters = {"factors": F, "epochs": 3, "regularization": 0.7, "alpha0": 0.2, "nu": 0.0, "traced": (1, 3)}
    return Plain({"matrix": folder / "matrix.npz"}, {**parameters, "flat_regularization": 0.4, **changed}, 1)


def test_a_flat_library_minimises_the_cases_objective_by_its_own_parameters(ones: Any, tmp_path: Path) -> None:
    library = flat(ones, tmp_path)
    assert library.objective == Objective(0.7, 0.2, 0.0)
    factors = library.factors_of(library.run())
    assert abs(library.objective.excess(ones, factors.users, factors.items, range(60))) < 1e-12
    assert flat(ones, tmp_path, nu=0.5).objective == Objective(0.4, 0.2, 0.0)


def test_a_solution_with_its_trace_survives_being_written(ones: Any, tmp_path: Path) -> None:
    library = flat(ones, tmp_path)
    model = library.run()
    library.save(model, tmp_path / "result")
    found = Solution.load(tmp_path / "result")
    assert (found.objective, found.exact, found.epochs) == (library.objective, True, (1, 3))
    assert np.array_equal(found.trace[1].users, found.factors.users)
    assert not np.array_equal(found.trace[0].users, found.factors.users)


@pytest.mark.parametrize("traced", [(), (2, 3)])
def test_recocores_own_fit_is_right_with_a_trace_and_without(
    ones: Any, tmp_path: Path, traced: tuple[int, ...]
) -> None:
    sp.save_npz(tmp_path / "matrix.npz", ones)
    parameters = {"factors": F, "epochs": 3, "regularization": 0.7, "alpha0": 0.2, "nu": 0.5, "traced": traced}
    competitor = Recocore({"matrix": tmp_path / "matrix.npz"}, parameters, 1)
    competitor.save(competitor.run(), tmp_path / "result")
    found = Solution.load(tmp_path / "result")
    assert found.objective.excess(ones, found.factors.users, found.factors.items, range(60)) < 1e-3
    assert (found.epochs, len(found.trace), found.flops > 0) == (traced, len(traced), True)
    if traced:
        assert np.array_equal(found.trace[-1].users, found.factors.users)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Parameters, Inputs, Path]:
    folder = tmp_path_factory.mktemp("tiny")
    parameters = Parameters("tiny", F, epochs=2, regularization=0.5, alpha0=0.2, traced=(1, 2))
    return parameters, SCENARIO.prepare(parameters, folder, folder), folder


def right(tiny: tuple[Parameters, Inputs, Path], exact: bool = True) -> Solution:
    parameters, inputs, _ = tiny
    matrix: Any = sp.load_npz(inputs.files["matrix"])
    objective = Objective(parameters.regularization, parameters.alpha0, parameters.nu)
    users, trace = drawn(matrix).users.astype(np.float64), []
    for _ in range(2):
        items = solved(matrix.T.tocsr(), users, objective)
        users = solved(matrix, items, objective)
        trace.append(Factors(users.astype(np.float32), items.astype(np.float32)))
    return Solution(trace[-1], objective, exact, epochs=(1, 2), trace=trace)


def test_a_right_answer_has_a_falling_objective_and_a_ranking(tiny: tuple[Parameters, Inputs, Path]) -> None:
    parameters, inputs, folder = tiny
    result = folder / "right"
    right(tiny).save(result)
    SCENARIO.check(parameters, inputs, result)
    SCENARIO.agree(parameters, result, result)
    first, second = SCENARIO.trajectory(parameters, inputs, result)
    assert (first.share, second.share) == (0.5, 1.0)
    assert second.quality[OBJECTIVE] < first.quality[OBJECTIVE]
    assert second.quality["nDCG@20"] > 0.05
    assert inputs.memory is not None
    assert inputs.memory.needed == 2 * inputs.memory.held + 4 * F * 1_400


@pytest.mark.parametrize("how", ["an unsolved side", "not a number", "another shape", "a bad trace"])
def test_a_wrong_answer_is_found(tiny: tuple[Parameters, Inputs, Path], how: str) -> None:
    parameters, inputs, folder = tiny
    spoiled = right(tiny)
    users, items = spoiled.factors.users.copy(), spoiled.factors.items
    match how:
        case "an unsolved side":
            users *= 1.02
        case "not a number":
            users[3, 0] = np.nan
        case "another shape":
            items = items[:-1]
        case "a bad trace":
            spoiled = replace(spoiled, trace=[Factors(users[:-1], items), spoiled.trace[1]])
    replace(spoiled, factors=Factors(users, items)).save(folder / "wrong")
    with pytest.raises(WrongResultError):
        SCENARIO.check(parameters, inputs, folder / "wrong")


def test_an_iterative_solver_may_be_further_off(tiny: tuple[Parameters, Inputs, Path]) -> None:
    parameters, inputs, folder = tiny
    found = right(tiny, exact=False)
    replace(found, factors=Factors(found.factors.users * np.float32(1.02), found.factors.items)).save(folder / "near")
    SCENARIO.check(parameters, inputs, folder / "near")
    assert SCENARIO.group("irspack-ialspp") == SCENARIO.group("recocore-cg") == ITERATIVE
    assert SCENARIO.group("recocore") == ITERATIVE
    assert SCENARIO.group("recocore-cholesky") == SCENARIO.group("lenskit") == EXACT


def test_another_objective_runs_in_the_race_for_the_ranking_alone(tiny: tuple[Parameters, Inputs, Path]) -> None:
    parameters, inputs, folder = tiny
    right(tiny).save(folder / "flat")
    points = SCENARIO.trajectory(replace(parameters, nu=0.5), inputs, folder / "flat")
    assert [list(point.quality) for point in points] == [["nDCG@20"], ["nDCG@20"]]


def test_the_ranking_is_judged_as_by_hand() -> None:
    train = sp.csr_matrix(np.array([[1, 0, 0, 0], [0, 1, 0, 0]], np.float32))
    test = sp.csr_matrix(np.array([[0, 0, 1, 0], [0, 0, 0, 0]], np.float32))
    # Item 0 is left out as seen; 3 ranks first and 2, the relevant one, second; user 1 has nothing to be judged by.
    factors = Factors(np.ones((2, 1), np.float32), np.array([[9], [1], [2], [3]], np.float32))
    assert ndcg(factors, train, test) == pytest.approx(1 / np.log2(3))


def test_absent_data_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"gowalla/train\.parquet is not in the data folder"):
        SCENARIO.prepare(Parameters("gowalla", 8, 1), tmp_path, tmp_path)


def test_a_whole_run_through_the_command(tmp_path: Path) -> None:
    done = bench("als", "--case", "tiny", "--repeats", 1, "--threads", 1, "--out", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    found = Results.from_json(done.stdout)
    (case,) = found.cases
    assert case.ours is not None
    assert case.work_of(case.ours, found.work_unit) != case.work  # it reports what it did
    assert [point.share for point in case.ours.trajectory] == [0.25, 0.5, 0.75, 1.0]
    values = [point.quality[OBJECTIVE] for point in case.ours.trajectory]
    assert values == sorted(values, reverse=True)
    everyone = {entry.name for entry in case.timed} | {dropped.name for dropped in case.dropped}
    assert everyone == {"recocore", "recocore-cg", "implicit-cholesky", "irspack-cholesky"}
    # A peer that is not installed here is named; nothing else may be the reason.
    assert all(dropped.reason.endswith("is not installed") for dropped in case.dropped)
    page = (tmp_path / "als.html").read_text(encoding="utf-8")
    if len(case.timed) > 2:
        assert "objective above the lowest" in page
        assert "nDCG@20 (up is better)" in page
