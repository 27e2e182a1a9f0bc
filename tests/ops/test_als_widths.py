"""Every solver at odd numbers of factors, against a float64 dense solve of each row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore.csr import Csr
from recocore.ops.als import AlsObjective, als_half_epoch

COLS = 240
WIDTHS = [1, 2, 3, 5, 7, 15, 17, 31, 33, 63, 65, 100, 127, 129, 200, 255, 257]
LARGE = [384, 500, 1000, 1025, 2047, 2048]
# Settings with which one half-epoch reaches the minimum: a block of all factors, steps until nothing is left.
SOLVERS: list[tuple[str, dict[str, Any]]] = [
    ("cholesky", {}),
    ("cg", {"cg_steps": 200}),
    ("subspace", {"block_size": 2048}),
    ("auto", {"cg_steps": 30}),
]
LOSSES = [AlsObjective(0.1, 0.1, 1.0), AlsObjective(0.1, 0.1, 1.0, "original")]


def interactions(rows: int) -> Csr:
    """Rows of a few entries and of most; one empty, one all alike, one of dislikes, one with zeros and both signs."""
    rng = np.random.default_rng(31)
    dense = np.where(rng.random((rows, COLS)) < 0.06, rng.uniform(0.2, 3, (rows, COLS)), 0)
    dense[0] = 0
    dense[1] = np.where(rng.random(COLS) < 0.5, 2.0, 0)
    dense[2] = np.where(rng.random(COLS) < 0.1, -1.5, 0)
    dense[3] = rng.normal(size=COLS)
    matrix = sp.csr_matrix(dense.astype(np.float32))
    matrix.data[matrix.indptr[3] : matrix.indptr[3] + 5] = 0  # stored, without weight
    return Csr.from_scipy(matrix)


def minimisers(data: Csr, rows: int, fixed: Any, objective: AlsObjective) -> Any:
    """The first rows' solutions, from the definition and in float64; zero where nothing pulls."""
    y = fixed.astype(np.float64)
    gram = objective.alpha0 * y.T @ y
    found = np.zeros((rows, y.shape[1]))
    for row in range(rows):
        columns, values = data.row(row)
        if not (values > 0).any():
            continue
        own, v = y[columns], values.astype(np.float64)
        pulls = np.where(v < 0, 0.0, v + (objective.alpha0 if objective.loss == "original" else 0.0))
        ridge = objective.regularization * (len(v) + objective.alpha0 * COLS) ** objective.nu
        system = gram + (own.T * abs(v)) @ own + ridge * np.eye(y.shape[1])
        found[row] = np.linalg.solve(system, own.T @ pulls)
    return found


def check_every_solver(width: int, rows: int, objective: AlsObjective) -> dict[str, Any]:
    data = interactions(rows)
    rng = np.random.default_rng(width)
    fixed = rng.normal(0, 0.3, (COLS, width)).astype(np.float32)
    start = rng.normal(0, 0.3, (rows, width)).astype(np.float32)
    checked = min(rows, 12)
    expected = minimisers(data, checked, fixed, objective)
    # Rounding grows with the terms of a sum, and steps round at the size of what they start from.
    tolerance = 2e-5 * (1 + width / 100)
    size = abs(expected).max(axis=1) + 1e-3
    start_size = size + abs(start[:checked]).max(axis=1)
    reports = {}
    for solver, options in SOLVERS:
        solved = start.copy()
        reports[solver] = als_half_epoch(data, fixed, solved, objective, solver=solver, **options)
        assert not solved[0].any(), "a row without entries is zero"
        error = abs(solved[:checked] - expected).max(axis=1) / (size if solver == "cholesky" else start_size)
        assert error.max() < tolerance, (solver, int(error.argmax()))
    return reports


@pytest.mark.parametrize("objective", LOSSES, ids=lambda o: o.loss)
@pytest.mark.parametrize("width", WIDTHS)
def test_many_rows_in_the_eigenbasis(width: int, objective: AlsObjective) -> None:
    reports = check_every_solver(width, 1200, objective)
    assert reports["cg"].cg == reports["subspace"].subspace == 1199
    assert reports["cholesky"].primal + reports["cholesky"].dual == 1199


@pytest.mark.parametrize("objective", LOSSES, ids=lambda o: o.loss)
@pytest.mark.parametrize("width", WIDTHS + LARGE)
def test_few_rows_in_the_given_basis(width: int, objective: AlsObjective) -> None:
    reports = check_every_solver(width, 4, objective)
    assert reports["cholesky"].primal == 3
