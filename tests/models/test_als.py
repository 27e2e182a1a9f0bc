"""ALS against dense float64 algebra."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore.data import Interactions
from recocore.errors import InvalidArgumentError, UnsupportedError
from recocore.models import ALS


@pytest.fixture(scope="module")
def data() -> Interactions:
    rng = np.random.default_rng(8)
    return Interactions.from_coo(rng.integers(0, 40, 700), rng.integers(0, 30, 700), rng.uniform(0.5, 3, 700))


def dense_objective(data: Interactions, x: Any, y: Any, model: ALS) -> float:
    weights = data.matrix.to_scipy().toarray().astype(np.float64)
    seen = weights > 0
    predicted = x.astype(np.float64) @ y.astype(np.float64).T
    n_users, n_items = weights.shape
    objective = model.objective_for(data)
    user_lambda = objective.regularization * (seen.sum(1) + objective.alpha0 * n_items) ** objective.nu
    item_lambda = objective.regularization * (seen.sum(0) + objective.alpha0 * n_users) ** objective.nu
    return float(
        (weights * (1 - predicted) ** 2)[seen].sum()
        + objective.alpha0 * (predicted**2).sum()
        + (user_lambda * (x.astype(np.float64) ** 2).sum(1)).sum()
        + (item_lambda * (y.astype(np.float64) ** 2).sum(1)).sum()
    )


@pytest.mark.parametrize("nu", [0.0, 0.5, 1.0])
def test_the_objective_is_the_documented_one(data: Interactions, nu: float) -> None:
    model = ALS(factors=5, iterations=2, regularization=0.05, alpha0=0.2, nu=nu).fit(data)
    expected = dense_objective(data, model.user_factors, model.item_factors, model)
    assert model.objective(data) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("factors", [1, 3, 16, 130])
def test_user_factors_are_the_exact_minimiser(data: Interactions, factors: int) -> None:
    model = ALS(factors=factors, iterations=3, solver="cholesky", alpha0=0.3, regularization=0.02).fit(data)
    y = model.item_factors.astype(np.float64)
    for user in range(data.n_users):
        items, weights = data.matrix.row(user)
        own = y[items]
        system = 0.3 * y.T @ y + (own.T * weights) @ own
        system += 0.02 * (len(items) + 0.3 * data.n_items) * np.eye(factors)
        np.testing.assert_allclose(model.user_factors[user], np.linalg.solve(system, own.T @ weights), atol=2e-4)


@pytest.mark.parametrize("solver", ["cholesky", "cg", "subspace"])
def test_more_epochs_lower_the_objective_to_the_same_value(data: Interactions, solver: str) -> None:
    values = []
    for iterations in (1, 4, 60):
        model = ALS(factors=8, iterations=iterations, solver=solver, regularization=0.05, alpha0=0.05).fit(data)
        values.append(dense_objective(data, model.user_factors, model.item_factors, model))
    assert values[0] > values[1] > values[2]
    exact = ALS(factors=8, iterations=60, solver="cholesky", regularization=0.05, alpha0=0.05).fit(data)
    assert values[2] == pytest.approx(dense_objective(data, exact.user_factors, exact.item_factors, exact), rel=0.01)


@pytest.mark.parametrize(("solver", "setting"), [("cg", {"cg_steps": 12}), ("subspace", {"block_size": 8})])
def test_settings_of_a_solver_reach_it(data: Interactions, solver: str, setting: dict[str, Any]) -> None:
    plain = ALS(factors=40, iterations=1, solver=solver, regularization=0.05, alpha0=0.05).fit(data)
    other = ALS(factors=40, iterations=1, solver=solver, regularization=0.05, alpha0=0.05, **setting).fit(data)
    assert (plain.user_factors != other.user_factors).any()
    if solver == "cg":  # more steps come closer to the exact solution
        exact = ALS(factors=40, iterations=1, solver="cholesky", regularization=0.05, alpha0=0.05).fit(data)
        assert abs(other.objective(data) - exact.objective(data)) < abs(plain.objective(data) - exact.objective(data))


def test_explanations_sum_to_the_score(data: Interactions) -> None:
    model = ALS(factors=8, iterations=5, solver="cholesky", regularization=0.02, alpha0=0.05).fit(data)
    for user in (0, 7, 39):
        items = np.arange(data.n_items)
        own, _ = data.matrix.row(user)
        every = model.scorer.explain(user, items.astype(np.int32), limit=len(own))
        scores = model.score([user], items)[0]
        y, objective = model.item_factors.astype(np.float64), (0.02, 0.05)
        weights = data.matrix.row(user)[1]
        system = objective[1] * y.T @ y + (y[own].T * weights) @ y[own]
        system += objective[0] * (len(own) + objective[1] * data.n_items) * np.eye(8)
        for item, reasons in zip(items, every, strict=True):
            terms = weights * (y[own] @ np.linalg.solve(system, y[item]))
            assert terms.sum() == pytest.approx(scores[item], abs=1e-3)
            assert sum(r.weight for r in reasons) == pytest.approx(terms[terms > 0].sum(), abs=1e-3)


def test_another_seed_gives_other_factors(data: Interactions) -> None:
    first, second = (ALS(factors=4, iterations=1, seed=seed).fit(data) for seed in (0, 1))
    assert (first.user_factors != second.user_factors).any()


def test_users_and_items_without_interactions_are_zero() -> None:
    data = Interactions.from_coo([0, 1, 3], [0, 0, 2])
    padded = Interactions.from_csr(data.matrix.to_scipy())
    model = ALS(factors=3, iterations=2).fit(padded)
    assert not np.isnan(model.user_factors).any()
    assert not np.isnan(model.item_factors).any()


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"factors": 0}, InvalidArgumentError, "factors: expected an integer from 1 to 2048, got 0"),
        ({"factors": 5000}, InvalidArgumentError, "factors: expected an integer from 1 to 2048, got 5000"),
        ({"regularization": -1}, InvalidArgumentError, "regularization: expected a finite number >= 0, got -1"),
        ({"alpha0": float("nan")}, InvalidArgumentError, "alpha0: expected a finite number >= 0, got nan"),
        ({"nu": float("inf")}, InvalidArgumentError, "nu: expected a finite number >= 0, got inf"),
        ({"iterations": 0}, InvalidArgumentError, "iterations: expected an integer of at least 1, got 0"),
        ({"solver": "lu"}, InvalidArgumentError, "solver: expected one of auto, cholesky, cg, subspace, got 'lu'"),
        ({"loss": "bpr"}, InvalidArgumentError, "loss: expected one of ials, original, explicit, got 'bpr'"),
        ({"cg_steps": 0}, InvalidArgumentError, "cg_steps: expected an integer from 1 to 2048, got 0"),
        ({"block_size": 2049}, InvalidArgumentError, "block_size: expected an integer from 1 to 2048, got 2049"),
        ({"factors": 2.5}, InvalidArgumentError, "factors: expected an integer from 1 to 2048, got 2.5"),
        ({"factors": True}, InvalidArgumentError, "factors: expected an integer from 1 to 2048, got True"),
        ({"regularization": "some"}, InvalidArgumentError, "regularization: expected a real number, got 'some'"),
        ({"iterations": None}, InvalidArgumentError, "iterations: expected an integer of at least 1, got None"),
        ({"seed": -1}, InvalidArgumentError, "seed: expected an integer of at least 0, got -1"),
        ({"num_threads": 1.5}, InvalidArgumentError, r"num_threads: expected 0 \(one for each core\) to 1024, got 1.5"),
        ({"device": "tpu"}, InvalidArgumentError, "device: expected one of cpu, cuda, got 'tpu'"),
        ({"device": "cuda"}, UnsupportedError, "no CUDA operations; build them with"),
    ],
)
def test_bad_parameters_are_refused_at_once(parameters: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ALS(**parameters)


def test_a_singular_system_says_what_to_change(data: Interactions) -> None:
    with pytest.raises(InvalidArgumentError, match="is singular; raise regularization or alpha0, or use fewer factors"):
        ALS(factors=64, regularization=0.0, alpha0=0.0).fit(data)


@pytest.mark.parametrize("solver", ["cholesky", "cg", "subspace"])
def test_what_float32_cannot_hold_is_refused_and_not_returned_as_nan(data: Interactions, solver: str) -> None:
    with pytest.raises(InvalidArgumentError, match="beyond float32; lower these or the weights"):
        ALS(factors=8, iterations=3, solver=solver, regularization=0.002, alpha0=0.05, nu=50).fit(data)


@pytest.mark.parametrize("loss", ["ials", "original"])
def test_a_dislike_lowers_the_score_of_its_pair(loss: str) -> None:
    liked: Any = sp.random(40, 30, 0.4, format="csr", random_state=2, dtype=np.float32)
    liked.data[:] = 1
    pair = (7, int(liked[7].indices[0]))
    disliked = liked.copy()
    disliked[pair] = -5
    scores = [
        ALS(factors=8, regularization=0.002, alpha0=0.1, loss=loss)
        .fit(Interactions.from_csr(m))
        .score([pair[0]], [pair[1]])[0, 0]
        for m in (liked, disliked)
    ]
    assert scores[1] < 0.2 < scores[0]


@pytest.mark.parametrize("loss", ["ials", "original"])
def test_folding_in_gives_the_fitted_factors_again(data: Interactions, loss: str) -> None:
    model = ALS(factors=8, iterations=5, solver="cholesky", loss=loss).fit(data)
    np.testing.assert_allclose(model.fold_in_users(data.matrix), model.user_factors, atol=2e-5)
    items = ALS(factors=8, iterations=60, solver="cholesky", loss=loss, regularization=0.05).fit(data)
    np.testing.assert_allclose(items.fold_in_items(data.by_item), items.item_factors, atol=5e-3)


def test_folding_in_needs_the_columns_of_the_fit(data: Interactions) -> None:
    model = ALS(factors=8, iterations=1).fit(data)
    with pytest.raises(InvalidArgumentError, match=r"interactions: expected 30 columns, the items .*, got 40"):
        model.fold_in_users(data.by_item)


def test_reports_say_how_rows_were_solved(data: Interactions) -> None:
    model = ALS(factors=8, iterations=3)
    assert model.reports == ()
    reports = model.fit(data).reports
    assert len(reports) == 6
    assert [r.primal + r.dual + r.empty for r in reports[:2]] == [30, 40]
