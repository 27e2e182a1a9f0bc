"""Half-epochs with ratings, offsets, priors and counted rows against float64 dense solves, one row at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore.csr import Csr
from recocore.errors import InvalidArgumentError
from recocore.ops.als import AlsObjective, AlsPrior, AlsReport, als_half_epoch, als_objective, checked_interactions

SOLVERS = [
    ("cholesky", {}, 1),
    *((solver, {"cg_steps": 60}, 1) for solver in ("auto", "cg")),
    ("subspace", {"block_size": 32}, 60),
]
IALS = AlsObjective(regularization=0.05, alpha0=0.1, nu=1.0)
ORIGINAL = AlsObjective(regularization=0.1, alpha0=0.2, nu=0.5, loss="original")
RATINGS = AlsObjective(regularization=0.3, alpha0=0.0, nu=1.0, loss="explicit")


def random_csr(rows: int, cols: int, density: float, seed: int) -> Csr:
    matrix: Any = sp.random(rows, cols, density, format="csr", random_state=seed, dtype=np.float32)
    matrix.data[:] = np.random.default_rng(seed).uniform(0.5, 5, matrix.nnz)
    return Csr.from_scipy(matrix)


def normal(rows: int, width: int, seed: int) -> Any:
    return np.random.default_rng(seed).normal(0, 0.3, (rows, width)).astype(np.float32)


def random_prior(rows: int, width: int) -> AlsPrior:
    features: Any = sp.random(rows, 9, 0.3, format="csr", random_state=5, dtype=np.float32)
    return AlsPrior(Csr.from_scipy(features), normal(9, width, 6))


def dense_row(
    data: Csr,
    row: int,
    fixed: Any,
    objective: AlsObjective,
    *,
    weights: Any = None,
    offsets: Any = None,
    counted: Any = None,
    prior: AlsPrior | None = None,
) -> Any:
    """The minimiser of one row, from the definition and in float64."""
    columns, values = data.row(row)
    if len(columns) == 0:
        return np.zeros(fixed.shape[1])
    y, v = fixed.astype(np.float64), values.astype(np.float64)
    w = np.ones(len(v)) if weights is None else weights[data.indptr[row] : data.indptr[row + 1]].astype(np.float64)
    if objective.loss == "explicit":
        pulls = w * (v - (0 if offsets is None else offsets[columns]))
    else:
        w = w * abs(v)
        preference = np.where(v < 0, objective.negative_preference, 1)
        pulls = preference * (w + (objective.alpha0 if objective.loss == "original" else 0))
    gram = y.T @ y if counted is None else y[counted].T @ y[counted]
    ridge = objective.regularization * (len(v) + objective.alpha0 * data.shape[1]) ** objective.nu
    right = y[columns].T @ pulls
    if prior is not None:
        right += ridge * (prior.features.to_scipy().astype(np.float64) @ prior.weights.astype(np.float64))[row]
    system = objective.alpha0 * gram + (y[columns].T * w) @ y[columns] + ridge * np.eye(y.shape[1])
    return np.linalg.solve(system, right)


def assert_rows(data: Csr, fixed: Any, solved: Any, objective: AlsObjective, rtol: float, **given: Any) -> None:
    for row in range(min(150, data.shape[0])):
        expected = dense_row(data, row, fixed, objective, **given)
        assert abs(solved[row] - expected).max() <= rtol * (abs(expected).max() + 1e-6), row


@pytest.mark.parametrize(("solver", "options", "repeats"), SOLVERS, ids=[s[0] for s in SOLVERS])
@pytest.mark.parametrize("rows", [12, 1500])  # few stay in the given basis, many are worth turning
@pytest.mark.parametrize("objective", [IALS, ORIGINAL, RATINGS], ids=["ials", "original", "explicit"])
def test_every_solver_draws_rows_to_their_prior(
    objective: AlsObjective, rows: int, solver: str, options: dict[str, Any], repeats: int
) -> None:
    data, prior = random_csr(rows, 240, 0.05, 1), random_prior(rows, 50)
    fixed, solved = normal(240, 50, 2), normal(rows, 50, 3)
    counted = np.flatnonzero(np.arange(240) % 3).astype(np.int32)
    for _ in range(repeats):
        report = als_half_epoch(data, fixed, solved, objective, solver=solver, prior=prior, counted=counted, **options)
    rtol = 3e-5 if solver in ("cholesky", "auto") else 1e-3
    assert_rows(data, fixed, solved, objective, rtol, prior=prior, counted=counted)
    assert isinstance(report, AlsReport)
    assert report.dual > 0 or rows == 12 or solver in ("cg", "subspace")


@pytest.mark.parametrize(("solver", "options", "repeats"), SOLVERS, ids=[s[0] for s in SOLVERS])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("density", [0.03, 0.4])  # rows for the dual and for the primal
def test_ratings_with_offsets_and_weights(
    density: float, weighted: bool, solver: str, options: dict[str, Any], repeats: int
) -> None:
    data = random_csr(200, 240, density, 4)
    weights = None
    if weighted:
        weights = np.random.default_rng(8).uniform(0, 3, data.nnz).astype(np.float32)
        weights[::7] = 0
    offsets = np.random.default_rng(9).normal(3, 1, 240).astype(np.float32)
    fixed, solved = normal(240, 50, 2), normal(200, 50, 3)
    held = checked_interactions(data, weights)
    for _ in range(repeats):
        report = als_half_epoch(held, fixed, solved, RATINGS, solver=solver, offsets=offsets, **options)
    rtol = 5e-5 if solver in ("cholesky", "auto") else 2e-3
    assert_rows(data, fixed, solved, RATINGS, rtol, weights=weights, offsets=offsets)
    assert solver in ("cg", "subspace") or (report.dual > 0) == (density < 0.1)


def with_dislikes_and_weights(data: Csr) -> tuple[Csr, Any]:
    """Values of both signs, and weights, a seventh of them zero."""
    rng = np.random.default_rng(8)
    weights = rng.uniform(0, 3, data.nnz).astype(np.float32)
    weights[::7] = 0
    return replace(data, values=data.values * np.where(rng.random(data.nnz) < 0.3, -1, 1).astype(np.float32)), weights


@pytest.mark.parametrize(("solver", "options", "repeats"), SOLVERS, ids=[s[0] for s in SOLVERS])
@pytest.mark.parametrize("objective", [IALS, ORIGINAL], ids=["ials", "original"])
@pytest.mark.parametrize("preference", [0.0, -1.0])
@pytest.mark.parametrize("density", [0.03, 0.4])  # rows for the dual and for the primal
def test_entries_have_weights_and_may_be_dislikes(
    density: float, preference: float, objective: AlsObjective, solver: str, options: dict[str, Any], repeats: int
) -> None:
    data, weights = with_dislikes_and_weights(random_csr(200, 240, density, 4))
    objective = replace(objective, negative_preference=preference)
    fixed, solved = normal(240, 50, 2), normal(200, 50, 3)
    held = checked_interactions(data, weights)
    for _ in range(repeats):
        als_half_epoch(held, fixed, solved, objective, solver=solver, **options)
    rtol = 5e-5 if solver in ("cholesky", "auto") else 2e-3
    assert_rows(data, fixed, solved, objective, rtol, weights=weights)


@pytest.mark.parametrize("objective", [IALS, ORIGINAL], ids=["ials", "original"])
@pytest.mark.parametrize("preference", [0.0, -1.0])
def test_the_objective_with_weights_and_dislikes_is_its_definition(objective: AlsObjective, preference: float) -> None:
    data, weights = with_dislikes_and_weights(random_csr(50, 240, 0.1, 4))
    users, items = normal(50, 13, 12), normal(240, 13, 13)
    predicted = users.astype(np.float64) @ items.T.astype(np.float64)
    dense = data.to_scipy().toarray().astype(np.float64)
    w = abs(replace(data, values=abs(data.values) * weights).to_scipy().toarray()).astype(np.float64)
    wanted = np.where(dense < 0, preference, 1)
    stored = dense != 0
    a = objective.alpha0
    if objective.loss == "ials":
        loss = (w * (wanted - predicted) ** 2)[stored].sum() + a * (predicted**2).sum()
    else:
        loss = ((a + w) * (wanted - predicted) ** 2)[stored].sum() + a * (predicted**2)[~stored].sum()
    for axis, matrix in ((1, users), (0, items)):
        mass = stored.sum(axis) + a * stored.shape[axis]
        loss += (objective.regularization * mass**objective.nu * (matrix.astype(np.float64) ** 2).sum(1)).sum()
    found = als_objective(
        checked_interactions(data, weights), users, items, replace(objective, negative_preference=preference)
    )
    assert found == pytest.approx(loss, rel=1e-6)


def test_ratings_without_regularization_use_the_plain_least_squares() -> None:
    data, bare = random_csr(40, 60, 0.5, 4), AlsObjective(0.0, 0.0, 1.0, "explicit")
    fixed, solved = normal(60, 5, 2), np.zeros((40, 5), np.float32)
    als_half_epoch(data, fixed, solved, bare, solver="cholesky")
    assert_rows(data, fixed, solved, bare, 1e-4)
    with pytest.raises(InvalidArgumentError, match="singular; raise regularization"):
        als_half_epoch(random_csr(40, 60, 0.05, 4), fixed, solved, bare, solver="cholesky")


def test_factors_may_be_columns_of_wider_arrays() -> None:
    data, prior = random_csr(3000, 240, 0.05, 1), random_prior(3000, 50)
    fixed, solved = normal(240, 50, 2), np.zeros((3000, 50), np.float32)
    als_half_epoch(data, fixed, solved, IALS, prior=prior)
    wide_fixed, wide = np.ones((240, 53), np.float32), np.full((3000, 52), 7, np.float32)
    wide_fixed[:, 1:51] = fixed
    for solver in ("cholesky", "cg", "subspace"):
        wide[:, 2:] = 0
        als_half_epoch(data, wide_fixed[:, 1:51], wide[:, 2:], IALS, solver=solver, prior=prior, cg_steps=60)
        assert (wide[:, :2] == 7).all()
        np.testing.assert_allclose(wide[:, 2:], solved, atol=1e-2 if solver == "cg" else 1e-5)


def on_a_cache_line(matrix: Any, floats: int = 0) -> Any:
    """A copy that starts there, or so many floats behind it."""
    room = np.zeros(matrix.size + 32, np.float32)
    begin = -(room.ctypes.data // 4) % 16 + floats
    found = room[begin : begin + matrix.size].reshape(matrix.shape)
    found[:] = matrix
    return found


@pytest.mark.parametrize("solver", ["auto", "cholesky", "cg", "subspace"])
@pytest.mark.parametrize("rows", [12, 3000])  # few stay in the given basis, many are worth turning
@pytest.mark.parametrize(("width", "floats"), [(48, 0), (48, 4), (50, 0)], ids=["ready", "not aligned", "with gaps"])
def test_fixed_factors_may_be_turned_in_their_place(solver: str, rows: int, width: int, floats: int) -> None:
    data, fixed, start = random_csr(rows, 240, 0.05, 1), normal(240, width, 2), normal(rows, width, 3)
    found = {}
    for use in ("kept", "restored", "spent"):
        given = on_a_cache_line(fixed, floats)
        solved = start.copy()
        als_half_epoch(data, given, solved, IALS, solver=solver, fixed_use=use)
        found[use] = solved.tobytes()
        if use == "kept" or width == 50 or floats:
            assert given.tobytes() == fixed.tobytes(), use
        elif use == "restored":
            np.testing.assert_allclose(given, fixed, atol=2e-6)
        else:
            is_turned = rows == 3000 and solver != "subspace"
            assert (abs(given - fixed).max() > 0.1) == is_turned
    assert found["kept"] == found["restored"] == found["spent"]


@pytest.mark.parametrize("solver", ["cholesky", "cg", "subspace"])
def test_the_same_bytes_at_every_thread_count(solver: str) -> None:
    data, prior = random_csr(3000, 240, 0.05, 1), random_prior(3000, 50)
    fixed = normal(240, 50, 2)
    found = []
    for num_threads in (1, 2, 7):
        solved = normal(3000, 50, 3)
        als_half_epoch(data, fixed, solved, IALS, solver=solver, prior=prior, num_threads=num_threads)
        found.append(solved.tobytes())
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_objective_of_ratings_is_its_definition(weighted: bool) -> None:
    data = random_csr(50, 70, 0.2, 1)
    weights = np.random.default_rng(8).uniform(0, 3, data.nnz).astype(np.float32) if weighted else None
    offsets = np.random.default_rng(9).normal(3, 1, 70).astype(np.float32)
    users, items = normal(50, 13, 12), normal(70, 13, 13)
    dense = data.to_scipy().toarray().astype(np.float64)
    u, w = (dense != 0).astype(np.float64), np.zeros_like(dense)
    w[dense != 0] = 1 if weights is None else weights
    loss = (w * (dense - offsets - users.astype(np.float64) @ items.T) ** 2).sum()
    for axis, matrix in ((1, users), (0, items)):
        loss += (0.3 * u.sum(axis) * (matrix.astype(np.float64) ** 2).sum(1)).sum()
    held = checked_interactions(data, weights)
    assert als_objective(held, users, items, RATINGS, offsets=offsets) == pytest.approx(loss, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective": AlsObjective(0.1, 0.1, 1, "explicit")}, "alpha0: expected 0 with explicit ratings, got 0.1"),
        ({"objective": replace(IALS, negative_preference=0.5)}, "negative_preference: expected -1 to 0, got 0.5"),
        ({"offsets": np.zeros(5, np.float32)}, "offsets: expected 6 elements, got 5"),
        ({"counted": np.array([0, 6], np.int32)}, "counted: expected rising rows of the fixed factors, got 6"),
        ({"counted": np.array([2, 2], np.int32)}, "counted: expected rising rows of the fixed factors, got 2"),
        ({"prior": random_prior(4, 2)}, r"features: expected \[5, p\] and weights \[p, 2\], got \[4, 9\] and \[9, 2\]"),
        ({"prior": random_prior(5, 3)}, r"weights \[p, 2\], got \[5, 9\] and \[9, 3\]"),
        ({"fixed": np.zeros((2, 6), np.float32).T}, "fixed: expected a C-contiguous 2-d array of float32"),
        ({"fixed_use": "thrown away"}, 'fixed_use: expected kept, restored or spent, got "thrown away"'),
    ],
)
def test_bad_arguments_are_refused(change: dict[str, Any], message: str) -> None:
    arguments = {"fixed": normal(6, 2, 1), "solved": normal(5, 2, 1), "objective": IALS, **change}
    with pytest.raises(InvalidArgumentError, match=message):
        als_half_epoch(random_csr(5, 6, 0.5, 1), **arguments)


def test_weights_are_checked() -> None:
    data = random_csr(5, 6, 0.5, 1)
    for weights, message in (
        (np.ones(3, np.float32), f"weights: expected {data.nnz} elements, got 3"),
        (-np.ones(data.nnz, np.float32), "weights: expected finite numbers >= 0, got -1.000000 at entry 0"),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            checked_interactions(data, weights)
