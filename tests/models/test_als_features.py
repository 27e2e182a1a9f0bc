"""ALS with features of users and items: against dense float64 algebra, and on items that nobody has met."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from tests.real_data import data_set

from recocore import Index
from recocore.csr import Csr
from recocore.data import Interactions
from recocore.errors import InvalidArgumentError
from recocore.models import ALS
from recocore.models.feature_prior import FeaturePrior

if TYPE_CHECKING:
    from pathlib import Path

USERS, ITEMS, GROUPS = 80, 60, 4


def one_hot(groups: Any) -> Any:
    rows = np.arange(len(groups))
    return sp.csr_matrix((np.ones(len(groups), np.float32), (rows, groups)), shape=(len(groups), GROUPS))


USER_FEATURES, ITEM_FEATURES = one_hot(np.arange(USERS) % GROUPS), one_hot(np.arange(ITEMS) % GROUPS)


@pytest.fixture(scope="module")
def data() -> Interactions:
    """Users like items of their own group; the last 4 users and the last 4 items, one of each group, have met nobody."""
    rng = np.random.default_rng(6)
    own = np.arange(USERS)[:, None] % GROUPS == np.arange(ITEMS) % GROUPS
    met = rng.random((USERS, ITEMS)) < np.where(own, 0.5, 0.05)
    met[-GROUPS:] = met[:, -GROUPS:] = False
    return Interactions.from_csr(sp.csr_matrix(np.where(met, rng.uniform(0.5, 2, met.shape), 0).astype(np.float32)))


def fitted(data: Interactions, **changes: Any) -> ALS:
    keywords = {"factors": 5, "iterations": 10, "solver": "cholesky", "regularization": 0.05, "alpha0": 0.1, **changes}
    return ALS(**keywords).fit(data, user_features=USER_FEATURES, item_features=ITEM_FEATURES)


def ridge(features: Any, rows: Any, lambdas: Any, strength: float) -> tuple[Any, float]:
    """The best weights and what they cost, in float64 and from the definition."""
    f, known = features.toarray().astype(np.float64), lambdas > 0
    penalty = strength * lambdas[known].mean()
    weights = np.linalg.solve(
        f.T @ (lambdas[:, None] * f) + penalty * np.eye(f.shape[1]), f.T @ (lambdas[:, None] * rows)
    )
    cost = (lambdas * ((rows - f @ weights) ** 2).sum(1)).sum() + penalty * (weights**2).sum()
    return weights, cost


def dense_objective(data: Interactions, model: ALS) -> float:
    values = data.matrix.to_scipy().toarray().astype(np.float64)
    objective = model.objective_for(data)
    alpha0, nu = objective.alpha0, objective.nu
    met = values > 0
    users, items = met.any(1), met.any(0)
    x, y = model.user_factors.astype(np.float64), model.item_factors.astype(np.float64)
    predicted = x @ y.T
    loss = (values * (1 - predicted) ** 2)[met].sum() + alpha0 * (predicted[users][:, items] ** 2).sum()
    user_lambdas = users * objective.regularization * (met.sum(1) + alpha0 * ITEMS) ** nu
    item_lambdas = items * objective.regularization * (met.sum(0) + alpha0 * USERS) ** nu
    loss += ridge(USER_FEATURES, x, user_lambdas, model.feature_regularization)[1]
    loss += ridge(ITEM_FEATURES, y, item_lambdas, model.feature_regularization)[1]
    return float(loss)


@pytest.mark.parametrize("strength", [0.1, 1.0])
def test_the_objective_is_the_documented_one_and_never_rises(data: Interactions, strength: float) -> None:
    told: list[float] = []
    model = ALS(factors=5, iterations=15, solver="cholesky", regularization=0.05, feature_regularization=strength)
    model.fit(
        data,
        on_epoch=lambda report: told.append(report.objective or 0),
        track_objective=True,
        user_features=USER_FEATURES,
        item_features=ITEM_FEATURES,
    )
    assert told[-1] == pytest.approx(dense_objective(data, model), rel=1e-5)
    assert model.objective(data) == pytest.approx(told[-1], rel=1e-5)
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(told))


def test_at_the_optimum_every_row_and_every_weight_is_the_minimiser(data: Interactions) -> None:
    model = fitted(data, iterations=400)
    x, y = model.user_factors.astype(np.float64), model.item_factors.astype(np.float64)
    met = np.diff(data.by_item.indptr) > 0
    lambdas = met * 0.05 * (np.diff(data.by_item.indptr) + 0.1 * USERS)
    prior = ITEM_FEATURES.toarray() @ ridge(ITEM_FEATURES, y, lambdas, 1.0)[0]
    gram = 0.1 * x[np.diff(data.matrix.indptr) > 0].T @ x[np.diff(data.matrix.indptr) > 0]
    for item in range(ITEMS):
        users, weights = data.by_item.row(item)
        if len(users) == 0:
            np.testing.assert_allclose(y[item], prior[item], atol=1e-5)
            continue
        system = gram + (x[users].T * weights) @ x[users] + lambdas[item] * np.eye(5)
        np.testing.assert_allclose(
            y[item], np.linalg.solve(system, x[users].T @ weights + lambdas[item] * prior[item]), atol=1e-3
        )


@pytest.mark.parametrize("solver", ["cg", "subspace", "auto"])
@pytest.mark.parametrize("loss", ["ials", "original", "explicit"])
def test_every_solver_and_loss_comes_to_the_same_optimum(data: Interactions, solver: str, loss: str) -> None:
    exact = fitted(data, iterations=150, loss=loss, regularization=0.2)
    other = fitted(data, iterations=150, loss=loss, regularization=0.2, solver=solver)
    assert other.objective(data) == pytest.approx(exact.objective(data), rel=1e-3)


@pytest.mark.parametrize("loss", ["ials", "original", "explicit"])
def test_who_and_what_nobody_met_is_ranked_by_the_group(data: Interactions, loss: str) -> None:
    model = fitted(data, loss=loss, iterations=30)
    own = np.arange(USERS)[:, None] % GROUPS == np.arange(ITEMS) % GROUPS
    scores = model.score(range(USERS), range(ITEMS))
    if loss == "explicit":  # all values come from one distribution: no group is better
        assert np.isfinite(scores).all()
        return
    cold = scores[:-GROUPS, -GROUPS:]
    assert (cold.argmax(1) == np.arange(USERS - GROUPS) % GROUPS).mean() > 0.95
    cold = scores[-GROUPS:, :-GROUPS]
    assert own[-GROUPS:, :-GROUPS][np.arange(GROUPS), cold.argmax(1)].all()
    plain = ALS(factors=5, iterations=10, loss=loss).fit(data)
    assert not plain.score(range(USERS), range(ITEMS))[:, -GROUPS:].any(), "without features there is nothing to go by"


def test_new_items_and_users_are_folded_in_by_features_and_interactions(data: Interactions) -> None:
    model = fitted(data, iterations=400)
    both = model.fold_in_items(data.by_item, features=ITEM_FEATURES)
    np.testing.assert_allclose(both, model.item_factors, atol=2e-3)
    np.testing.assert_allclose(model.fold_in_users(data.matrix, USER_FEATURES), model.user_factors, atol=2e-3)
    new = model.fold_in_items(features=ITEM_FEATURES[:GROUPS])
    np.testing.assert_allclose(new, model.item_factors[-GROUPS:], atol=1e-6)
    assert model.fold_in_users(features=USER_FEATURES[:2]).shape == (2, 5)
    few = data.by_item.rows([0, 1])
    drawn, free = model.fold_in_items(few, ITEM_FEATURES[:2]), model.fold_in_items(few)
    assert np.linalg.norm(drawn - new[:2]) < np.linalg.norm(free - new[:2]), "features draw to the prior"
    alone = model.fold_in_items(data.by_item.rows([1]), ITEM_FEATURES[1:2])
    np.testing.assert_allclose(alone[0], drawn[1], atol=1e-6)


def test_cold_rows_count_for_nobody(data: Interactions) -> None:
    smaller = Interactions.from_csr(data.matrix.to_scipy()[:-GROUPS, :-GROUPS])
    keywords: dict[str, Any] = {"factors": 5, "iterations": 5, "solver": "cholesky", "nu": 0.0}
    model = ALS(**keywords)
    first = model._first_rows(model._equations_for(data, None), USERS, ITEMS)
    without = ALS(**keywords)
    without._first_rows = lambda *_: (first[0][:-GROUPS].copy(), first[1][:-GROUPS].copy())  # type: ignore[method-assign]
    model.fit(data, item_features=ITEM_FEATURES, user_features=USER_FEATURES)
    without.fit(smaller, item_features=ITEM_FEATURES[:-GROUPS], user_features=USER_FEATURES[:-GROUPS])
    np.testing.assert_allclose(model.item_factors[:-GROUPS], without.item_factors, atol=1e-3)


def test_features_beside_which_float64_loses_the_ridge_are_solved_all_the_same() -> None:
    """Two columns of 1e30 that are alike have no Cholesky factor; their weights share what one would have."""
    twice: Any = sp.csr_matrix(np.full((20, 2), 1e30, np.float32))
    factors = np.random.default_rng(3).normal(size=(20, 3)).astype(np.float32)
    prior = FeaturePrior.make(twice, np.ones(20), 1.0, "item_features")
    np.testing.assert_allclose(
        1e30 * prior.weights(factors).astype(np.float64), [factors.mean(0) / 2] * 2, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("features", [10, 3000])  # the normal equations are factored, or too many
def test_the_weights_are_those_of_ridge_regression(features: int) -> None:
    matrix: Any = sp.random(500, features, 0.02, format="csr", random_state=1, dtype=np.float32)
    lambdas = np.random.default_rng(2).uniform(0, 2, 500)
    lambdas[::5] = 0
    factors = np.random.default_rng(3).normal(size=(500, 3)).astype(np.float32)
    prior = FeaturePrior.make(matrix, lambdas, 0.5, "item_features")
    dense = matrix.toarray().astype(np.float64)
    system = dense.T @ (lambdas[:, None] * dense) + 0.5 * lambdas[lambdas > 0].mean() * np.eye(features)
    expected = np.linalg.solve(system, dense.T @ (lambdas[:, None] * factors))
    np.testing.assert_allclose(prior.weights(factors), expected, atol=1e-5)


def test_the_same_bytes_at_every_thread_count_and_after_a_checkpoint(data: Interactions, tmp_path: Path) -> None:
    found = {fitted(data, num_threads=n).item_factors.tobytes() for n in (1, 2, 7)}
    assert len(found) == 1
    keywords: dict[str, Any] = {"factors": 5, "solver": "cholesky", "regularization": 0.05, "alpha0": 0.1}
    given: dict[str, Any] = {
        "user_features": USER_FEATURES,
        "item_features": ITEM_FEATURES,
        "checkpoint": tmp_path / "c",
    }
    ALS(iterations=4, **keywords).fit(data, **given)
    resumed = ALS(iterations=10, **keywords).fit(data, **given)
    assert resumed.item_factors.tobytes() in found
    other = {**given, "item_features": ITEM_FEATURES[::-1]}
    with pytest.raises(InvalidArgumentError, match="item_features"):
        ALS(iterations=10, **keywords).fit(data, **other)


def test_an_index_serves_cold_items(data: Interactions, tmp_path: Path) -> None:
    model = fitted(data)
    Index.build(model, data).save(tmp_path / "index")
    index = Index.load(tmp_path / "index")
    [answer] = index.recommend([1], k=1, allow=list(range(ITEMS - GROUPS, ITEMS)), explain=3)
    assert answer.items[0].item_id == ITEMS - GROUPS + 1
    assert answer.items[0].source == "model"
    [cold_user] = index.recommend([USERS - 1], k=3)  # who has met nobody, and is of the last group
    assert cold_user.fallback_used == "none"
    assert {item.item_id % GROUPS for item in cold_user.items} == {GROUPS - 1}
    np.testing.assert_array_equal(index.score(1, [ITEMS - 1]).scores, model.score([1], [ITEMS - 1])[0])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (ITEM_FEATURES[:-1], r"item_features: expected \[60, p\] with at least one feature, got \[59, 4\]"),
        (sp.csr_matrix(np.zeros((60, 0), np.float32)), r"item_features: expected \[60, p\] with at least one feature"),
        (ITEM_FEATURES * np.nan, "item_features"),
        (np.ones((60, 4)), "item_features: expected a SciPy sparse"),
    ],
)
def test_bad_features_are_refused(data: Interactions, features: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        ALS(factors=3, iterations=1).fit(data, item_features=features)


def test_what_features_cannot_do_is_refused(data: Interactions) -> None:
    model = fitted(data, iterations=1)
    with pytest.raises(InvalidArgumentError, match=r"features: expected 4 columns, got \[1, 3\]"):
        model.fold_in_items(features=sp.csr_matrix(np.zeros((1, 3), np.float32)))
    with pytest.raises(InvalidArgumentError, match="interactions: expected these, features or both, got neither"):
        model.fold_in_items()
    with pytest.raises(InvalidArgumentError, match="features: expected a row for each of 60 rows, got 1"):
        model.fold_in_items(data.by_item, ITEM_FEATURES[:1])
    plain = ALS(factors=3, iterations=1).fit(data)
    with pytest.raises(InvalidArgumentError, match="features: expected none, as the model was not fitted to any"):
        plain.fold_in_items(features=ITEM_FEATURES)
    with pytest.raises(InvalidArgumentError, match="regularization: expected above 0 with item_features"):
        ALS(factors=3, regularization=0).fit(data, item_features=ITEM_FEATURES)


def beauty() -> tuple[Interactions, Any, Any, Any]:
    """Purchases without a tenth of the items, the items' attributes, the items left out, and who bought those."""
    data = data_set("amazon-beauty")
    bought, described = pq.read_table(data / "sequences.parquet"), pq.read_table(data / "item_attributes.parquet")
    users, items = bought["user"].to_numpy(), bought["item"].to_numpy()
    of_item, attribute = described["item"].to_numpy(), described["attribute"].to_numpy()
    shape = (int(users.max()) + 1, int(items.max()) + 1)
    matrix: Any = sp.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=shape)
    features: Any = sp.csr_matrix((np.ones(len(of_item), np.float32), (of_item, attribute)), shape=(shape[1], 638))
    cold = (np.random.default_rng(0).random(shape[1]) < 0.1) & (np.diff(features.indptr) > 0)
    warm = sp.csr_matrix(matrix.multiply(~cold), dtype=np.float32)
    warm.eliminate_zeros()
    return Interactions.from_csr(warm), features, np.flatnonzero(cold), sp.csr_matrix(matrix[:, cold])


def recall_at_20(scores: Any, relevant: Any) -> float:
    top = np.argsort(-scores, axis=1, kind="stable")[:, :20]
    hits = np.take_along_axis(relevant.toarray() > 0, top, axis=1).sum(1)
    return float((hits / np.minimum(np.diff(relevant.indptr), 20)).mean())


def test_on_amazon_beauty_cold_items_are_found_by_their_attributes() -> None:
    data, features, cold, bought = beauty()
    model = ALS(factors=48, iterations=10).fit(data, item_features=features)
    asked = np.flatnonzero((np.diff(bought.indptr) > 0) & (np.diff(data.matrix.indptr) > 0))[::4]
    relevant = bought[asked]
    found = recall_at_20(model.score(asked, cold), relevant)
    sales = features.T @ np.bincount(data.matrix.indices, minlength=features.shape[0])
    popular = recall_at_20(np.tile(features[cold] @ sales, (len(asked), 1)), relevant)
    chance = recall_at_20(np.random.default_rng(1).random((len(asked), len(cold))), relevant)
    print(
        f"recall@20 of cold items: by features {found:.4f}, by sales of their attributes {popular:.4f}, {chance:.4f} by chance"
    )
    assert found > 4 * popular
    assert popular > chance


def test_csr_features_are_taken_as_they_are(data: Interactions) -> None:
    given = ALS(factors=3, iterations=2).fit(data, item_features=Csr.from_scipy(ITEM_FEATURES))
    scipy = ALS(factors=3, iterations=2).fit(data, item_features=ITEM_FEATURES)
    assert given.item_factors.tobytes() == scipy.item_factors.tobytes()
