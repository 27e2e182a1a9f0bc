"""Half-epochs row by row against a float64 dense solve."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore.csr import Csr
from recocore.errors import InvalidArgumentError
from recocore.ops.als import AlsObjective, als_half_epoch, als_objective, checked_interactions

PLAIN = AlsObjective(regularization=0.02, alpha0=0.1, nu=1.0)
ORIGINAL = AlsObjective(regularization=0.05, alpha0=0.2, nu=0.5, loss="original")


def weights(rows: int, cols: int, density: float, seed: int = 1) -> Csr:
    rng = np.random.default_rng(seed)
    matrix: Any = sp.random(rows, cols, density, format="csr", random_state=seed, dtype=np.float32)
    matrix.data[:] = rng.uniform(0.2, 3, matrix.nnz)
    return Csr.from_scipy(matrix)


def factors(rows: int, width: int, seed: int) -> Any:
    return np.random.default_rng(seed).normal(0, 0.3, (rows, width)).astype(np.float32)


def system(data: Csr, row: int, fixed: Any, objective: AlsObjective) -> tuple[Any, Any]:
    """The matrix and the right side of one row, from the definition and in float64."""
    columns, values = data.row(row)
    y, v = fixed.astype(np.float64), values.astype(np.float64)
    own = y[columns]
    pulls = np.where(v < 0, 0.0, v + (objective.alpha0 if objective.loss == "original" else 0.0))
    ridge = objective.regularization * (len(v) + objective.alpha0 * data.shape[1]) ** objective.nu
    return objective.alpha0 * y.T @ y + (own.T * abs(v)) @ own + ridge * np.eye(y.shape[1]), own.T @ pulls


def assert_exact(data: Csr, fixed: Any, solved: Any, objective: AlsObjective, rtol: float = 3e-5) -> None:
    for row in range(data.shape[0]):
        matrix, right = system(data, row, fixed, objective)
        expected = np.linalg.solve(matrix, right) if len(data.row(row)[0]) else np.zeros(fixed.shape[1])
        assert abs(solved[row] - expected).max() <= rtol * (abs(expected).max() + 1e-6), row
        assert abs(matrix @ solved[row] - right).max() <= 1e-4 * (abs(right).max() + 1e-6), "the gradient vanishes"


@pytest.mark.parametrize("objective", [PLAIN, ORIGINAL], ids=["ials", "original"])
@pytest.mark.parametrize("width", [1, 2, 5, 15, 16, 17, 33, 64, 100, 150])
def test_every_row_is_the_dense_solution_whether_primal_or_dual(width: int, objective: AlsObjective) -> None:
    primal = dual = 0
    for rows, density in ((60, 0.5), (3000, 0.04)):
        data = weights(rows, 240, density)
        fixed, solved = factors(240, width, 2), np.zeros((rows, width), np.float32)
        report = als_half_epoch(data, fixed, solved, objective, solver="cholesky", num_threads=2)
        primal, dual = primal + report.primal, dual + report.dual
        assert_exact(Csr.from_scipy(data.to_scipy()[:200]), fixed, solved, objective, 1e-4 if width == 1 else 3e-5)
        assert report.primal + report.dual + report.empty == rows
        assert report.flops > 0
    assert primal > 0
    assert dual > 0 or width < 64, "short rows of wide factors pay for the dual"


@pytest.mark.parametrize("objective", [PLAIN, ORIGINAL], ids=["ials", "original"])
@pytest.mark.parametrize("density", [0.04, 0.4])
def test_dislikes_zeros_and_equal_weights(density: float, objective: AlsObjective) -> None:
    data = weights(2000, 240, density)
    values = data.values.copy()
    values[::5] *= -1
    values[::7] = 0
    values[: data.indptr[20]] = 2.5
    values[data.indptr[20] : data.indptr[25]] = -1
    mixed = Csr(data.indptr, data.indices, values, data.shape)
    fixed, solved = factors(240, 64, 3), np.zeros((2000, 64), np.float32)
    als_half_epoch(mixed, fixed, solved, objective, solver="cholesky")
    assert_exact(Csr.from_scipy(mixed.to_scipy()[:100]), fixed, solved, objective)
    assert not solved[21].any(), "dislikes alone pull nowhere"


@pytest.mark.parametrize("loss", ["ials", "original"])
def test_no_regularization(loss: str) -> None:
    data = weights(2000, 240, 0.05)
    fixed, solved = factors(240, 64, 4), np.zeros((2000, 64), np.float32)
    bare = AlsObjective(regularization=0.0, alpha0=0.5, nu=1.0, loss=loss)
    als_half_epoch(data, fixed, solved, bare, solver="cholesky")
    assert_exact(Csr.from_scipy(data.to_scipy()[:100]), fixed, solved, bare, 1e-4)


def test_a_singular_system_says_what_to_change() -> None:
    data = weights(300, 200, 0.1)
    flat = np.ones((200, 40), np.float32)
    for solver in ("cholesky", "subspace"):
        with pytest.raises(
            InvalidArgumentError, match="singular; raise regularization or alpha0, or use fewer factors"
        ):
            als_half_epoch(
                data, flat, np.zeros((300, 40), np.float32), AlsObjective(0.0, 0.3, 0.0), solver=solver, num_threads=1
            )


@pytest.mark.parametrize("objective", [PLAIN, ORIGINAL], ids=["ials", "original"])
@pytest.mark.parametrize("solver", ["cholesky", "cg", "subspace", "auto"])
def test_one_row_of_a_hundred_thousand_entries(solver: str, objective: AlsObjective) -> None:
    cols = 100_000
    long = sp.csr_matrix(np.random.default_rng(5).uniform(0.5, 1.5, (1, cols)).astype(np.float32))
    short = weights(8, cols, 0.0003).to_scipy()
    data = Csr.from_scipy(sp.vstack([short, long, short], format="csr"))
    fixed, solved = factors(cols, 20, 6), np.zeros((17, 20), np.float32)
    als_half_epoch(data, fixed, solved, objective, solver=solver, cg_steps=40, block_size=32)
    assert_exact(data, fixed, solved, objective, 1e-3)


@pytest.mark.parametrize("rows", [12, 3000])  # few rows stay in the given basis, many are worth turning
@pytest.mark.parametrize(
    ("solver", "options", "repeats"),
    [("cg", {"cg_steps": 50}, 1), ("subspace", {"block_size": 64}, 1), ("subspace", {"block_size": 16}, 60)],
)
def test_enough_steps_of_the_others_reach_the_dense_solution(
    solver: str, options: dict[str, Any], repeats: int, rows: int
) -> None:
    data = weights(rows, 240, 0.05)
    fixed, solved = factors(240, 50, 7), factors(rows, 50, 8)
    strong = AlsObjective(regularization=0.1, alpha0=0.1, nu=1.0)
    for _ in range(repeats):
        als_half_epoch(data, fixed, solved, strong, solver=solver, **options)
    assert_exact(Csr.from_scipy(data.to_scipy()[:100]), fixed, solved, strong, 1e-3)


def test_automatic_mixes_the_dual_and_conjugate_gradient() -> None:
    short, long = weights(3000, 400, 0.02), weights(300, 400, 0.9, seed=2)
    data = Csr.from_scipy(sp.vstack([short.to_scipy(), long.to_scipy()], format="csr"))
    fixed, solved = factors(400, 272, 9), np.zeros((3300, 272), np.float32)
    report = als_half_epoch(data, fixed, solved, PLAIN, cg_steps=12)
    assert report.cg >= 300
    assert report.dual > 2500
    assert report.primal == report.subspace == 0
    assert str(report).endswith(f"{report.dual:,} rows dual (91 %), {report.cg} rows cg (9 %)")
    assert_exact(Csr.from_scipy(data.to_scipy()[:50]), fixed, solved[:50], PLAIN)
    exact = np.zeros_like(solved)
    als_half_epoch(data, fixed, exact, PLAIN, solver="cholesky")
    np.testing.assert_allclose(solved[-300:], exact[-300:], atol=2e-3)


def test_automatic_is_exact_where_that_is_cheaper() -> None:
    """Few rows do not pay for the Gram matrix's eigenbasis, few factors make cheap systems, and ratings have no alpha0."""
    for rows, width, objective in (
        (12, 64, PLAIN),
        (2000, 8, PLAIN),
        (2000, 64, AlsObjective(regularization=0.1, alpha0=0.0, nu=1.0)),
    ):
        data = weights(rows, 240, 0.2)
        fixed, solved = factors(240, width, 9), np.zeros((rows, width), np.float32)
        report = als_half_epoch(data, fixed, solved, objective)
        assert report.cg == 0
        assert_exact(Csr.from_scipy(data.to_scipy()[:50]), fixed, solved, objective)


def test_automatic_is_as_good_as_exact_after_as_many_epochs() -> None:
    data = weights(6000, 400, 0.06)
    by_row, by_column = checked_interactions(data), checked_interactions(data.transpose())
    values = []
    for solver in ("cholesky", "auto"):
        users, items = factors(6000, 64, 10), factors(400, 64, 11)
        for _ in range(5):
            als_half_epoch(by_column, users, items, PLAIN, solver=solver)
            report = als_half_epoch(by_row, items, users, PLAIN, solver=solver)
        values.append(als_objective(by_row, users, items, PLAIN))
    assert report.cg > 0
    assert values[1] <= values[0] * 1.002


@pytest.mark.parametrize("solver", ["cholesky", "cg", "subspace"])
@pytest.mark.parametrize("objective", [PLAIN, ORIGINAL], ids=["ials", "original"])
def test_the_same_bytes_at_every_thread_count_and_an_objective_that_never_rises(
    solver: str, objective: AlsObjective
) -> None:
    data = weights(1500, 300, 0.05)
    by_row, by_column = checked_interactions(data), checked_interactions(data.transpose())
    found: list[tuple[bytes, list[float]]] = []
    for num_threads in (1, 2, 7):
        users, items = factors(1500, 40, 10), factors(300, 40, 11)
        values = []
        for _ in range(4):
            als_half_epoch(by_column, users, items, objective, solver=solver, num_threads=num_threads)
            values.append(als_objective(by_row, users, items, objective, num_threads=num_threads))
            als_half_epoch(by_row, items, users, objective, solver=solver, num_threads=num_threads)
            values.append(als_objective(by_row, users, items, objective, num_threads=num_threads))
        assert all(after <= before * (1 + 1e-6) for before, after in pairwise(values))
        found.append((users.tobytes() + items.tobytes(), values))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("objective", [PLAIN, ORIGINAL], ids=["ials", "original"])
def test_the_objective_is_its_definition(objective: AlsObjective) -> None:
    data = weights(50, 70, 0.2)
    values = data.values.copy()
    values[::4] *= -1
    mixed = Csr(data.indptr, data.indices, values, data.shape)
    users, items = factors(50, 13, 12), factors(70, 13, 13)
    dense = mixed.to_scipy().toarray().astype(np.float64)
    seen, wanted, predicted = dense != 0, dense > 0, users.astype(np.float64) @ items.T.astype(np.float64)
    a0 = objective.alpha0
    if objective.loss == "ials":
        loss = (abs(dense) * (wanted - predicted) ** 2).sum() + a0 * (predicted**2).sum()
    else:
        loss = ((a0 + abs(dense)) * (wanted - predicted) ** 2).sum()
    for axis, matrix, others in ((1, users, 70), (0, items, 50)):
        ridge = objective.regularization * (seen.sum(axis) + a0 * others) ** objective.nu
        loss += (ridge * (matrix.astype(np.float64) ** 2).sum(1)).sum()
    assert als_objective(mixed, users, items, objective) == pytest.approx(loss, rel=1e-6)


def test_rows_folded_in_alone_equal_those_solved_together() -> None:
    data = weights(2000, 240, 0.05)
    fixed, together = factors(240, 64, 14), np.zeros((2000, 64), np.float32)
    als_half_epoch(data, fixed, together, PLAIN)
    alone = np.zeros((3, 64), np.float32)
    als_half_epoch(data.rows([5, 900, 1999]), fixed, alone, PLAIN)
    np.testing.assert_allclose(alone, together[[5, 900, 1999]], atol=2e-5)


def test_progress_never_falls() -> None:
    told: list[float] = []
    data = weights(20_000, 300, 0.05)
    als_half_epoch(
        data, factors(300, 100, 1), np.zeros((20_000, 100), np.float32), PLAIN, num_threads=1, progress=told.append
    )
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"solver": "lu"}, "solver: expected auto, cholesky, cg or subspace"),
        ({"cg_steps": 0}, "cg_steps: expected >= 1, got 0"),
        ({"block_size": 0}, "block_size: expected >= 1, got 0"),
        ({"num_threads": -1}, "num_threads: expected 0"),
        ({"objective": AlsObjective(-1, 0.1, 1)}, "regularization: expected a finite number >= 0"),
        ({"objective": AlsObjective(0.1, 0.1, 1, "bpr")}, 'loss: expected ials, original or explicit, got "bpr"'),
    ],
)
def test_bad_arguments_are_refused(change: dict[str, Any], message: str) -> None:
    arguments = {"objective": PLAIN, **change}
    with pytest.raises(InvalidArgumentError, match=message):
        als_half_epoch(weights(5, 6, 0.5), factors(6, 2, 1), factors(5, 2, 1), **arguments)


def test_interactions_are_checked_by_row() -> None:
    data = weights(5, 6, 0.5)
    values = data.values.copy()
    values[data.indptr[3]] = np.inf
    with pytest.raises(InvalidArgumentError, match=r"interactions: .*row 3"):
        checked_interactions(Csr(data.indptr, data.indices, values, data.shape))
