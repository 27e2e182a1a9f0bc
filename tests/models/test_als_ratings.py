"""ALS on ratings against dense float64 algebra and against other libraries."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from tests.real_data import data_set

from recocore import Index
from recocore.data import Interactions
from recocore.errors import InvalidArgumentError
from recocore.models import ALS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

USERS, ITEMS = 60, 45


@pytest.fixture(scope="module")
def ratings() -> Interactions:
    """Ratings of a known structure; user 59 and item 44 have none."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(0, 0.7, (USERS, 3)), rng.normal(0, 0.7, (ITEMS, 3))
    full = 3.5 + rng.normal(0, 0.5, (USERS, 1)) + rng.normal(0, 0.5, (1, ITEMS)) + x @ y.T
    full += rng.normal(0, 0.2, full.shape)
    rated = rng.random(full.shape) < 0.3
    rated[-1] = rated[:, -1] = False
    return Interactions.from_csr(sp.csr_matrix(np.where(rated, full, 0).astype(np.float32)))


def fitted(ratings: Interactions, **changes: Any) -> ALS:
    keywords = {
        "factors": 3,
        "regularization": 0.1,
        "iterations": 8,
        "solver": "cholesky",
        "loss": "explicit",
        **changes,
    }
    return ALS(**keywords).fit(ratings)


def parts(model: ALS) -> tuple[Any, Any, Any, Any, float]:
    users, items = model.user_factors.astype(np.float64), model.item_factors.astype(np.float64)
    mean = float(model.scorer.arrays()["objective"][2])
    assert (users[:, -1] == 1).all()
    assert (items[:, 0] == 1).all()
    return users[:, 1:-1], users[:, 0] - mean, items[:, 1:-1], items[:, -1], mean


def dense_objective(ratings: Interactions, model: ALS) -> float:
    x, user_bias, y, item_bias, mean = parts(model)
    dense = ratings.matrix.to_scipy().toarray().astype(np.float64)
    rated = dense != 0
    errors = dense - mean - user_bias[:, None] - item_bias - x @ y.T
    user_lambda = model.regularization * rated.sum(1) ** model.nu * rated.any(1)
    item_lambda = model.regularization * rated.sum(0) ** model.nu * rated.any(0)
    return float(
        (errors[rated] ** 2).sum()
        + user_lambda @ ((x**2).sum(1) + user_bias**2)
        + item_lambda @ ((y**2).sum(1) + item_bias**2)
    )


@pytest.mark.parametrize("nu", [0.0, 0.5, 1.0])
def test_the_objective_is_the_documented_one_and_never_rises(ratings: Interactions, nu: float) -> None:
    told: list[float] = []
    model = ALS(factors=3, regularization=0.1, nu=nu, iterations=12, solver="cholesky", loss="explicit")
    model.fit(ratings, on_epoch=lambda report: told.append(report.objective or 0), track_objective=True)
    assert told[-1] == pytest.approx(dense_objective(ratings, model), rel=1e-5)
    assert model.objective(ratings) == pytest.approx(told[-1], rel=1e-6)
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(told))


def test_users_are_the_exact_minimisers_and_the_mean_is_that_of_the_ratings(ratings: Interactions) -> None:
    model = fitted(ratings)
    x, user_bias, y, item_bias, mean = parts(model)
    assert mean == pytest.approx(ratings.matrix.values.mean(), rel=1e-6)
    for user in range(USERS):
        items, values = ratings.matrix.row(user)
        design = np.column_stack([np.ones(len(items)), y[items]])
        system = design.T @ design + 0.1 * len(items) * np.eye(4)
        expected = np.linalg.solve(system, design.T @ (values - mean - item_bias[items])) if len(items) else np.zeros(4)
        np.testing.assert_allclose(np.append(user_bias[user], x[user]), expected, atol=2e-5)


@pytest.mark.parametrize(("solver", "settings"), [("cg", {}), ("subspace", {"block_size": 16}), ("auto", {})])
def test_every_solver_comes_to_the_same_optimum(ratings: Interactions, solver: str, settings: dict[str, Any]) -> None:
    exact = fitted(ratings, iterations=300)
    other = fitted(ratings, iterations=300, solver=solver, **settings)
    assert dense_objective(ratings, other) == pytest.approx(dense_objective(ratings, exact), rel=1e-3)


def test_scores_are_predicted_ratings_and_rank(ratings: Interactions) -> None:
    model = fitted(ratings)
    x, user_bias, y, item_bias, mean = parts(model)
    predicted = mean + user_bias[:, None] + item_bias + x @ y.T
    np.testing.assert_allclose(model.score(range(USERS), range(ITEMS)), predicted, atol=1e-5)
    assert predicted[-1] == pytest.approx(mean + item_bias), "nothing is known of the last user"
    ranked = model.recommend([0, USERS - 1], k=5, exclude_seen=False)
    for row, user in enumerate((0, USERS - 1)):
        np.testing.assert_array_equal(ranked.ids[row], np.argsort(-predicted[user], kind="stable")[:5])
    cosine = y @ y.T / np.maximum(np.linalg.norm(y, axis=1)[:, None] * np.linalg.norm(y, axis=1), 1e-12)
    np.fill_diagonal(cosine, -np.inf)
    similar = model.similar_items([3], k=4)
    np.testing.assert_array_equal(similar.ids[0], np.argsort(-cosine[3], kind="stable")[:4])
    np.testing.assert_allclose(similar.scores[0], np.sort(cosine[3])[::-1][:4], atol=1e-5)


def test_explanations_are_what_ratings_add(ratings: Interactions) -> None:
    model = fitted(ratings)
    _, _, y, item_bias, mean = parts(model)
    own, values = ratings.matrix.row(7)
    design = np.column_stack([np.ones(ITEMS), y])
    system = design[own].T @ design[own] + 0.1 * len(own) * np.eye(4)
    terms = (values - mean - item_bias[own]) * (design @ np.linalg.solve(system, design[own].T))
    np.testing.assert_allclose(terms.sum(1) + mean + item_bias, model.score([7], range(ITEMS))[0], atol=1e-4)
    for item, reasons in enumerate(model.explain(7, range(ITEMS), limit=len(own))):
        assert sum(reason.weight for reason in reasons) == pytest.approx(terms[item][terms[item] > 0].sum(), abs=1e-4)


def test_folding_in_gives_the_fitted_rows_again(ratings: Interactions) -> None:
    model = fitted(ratings, iterations=200)
    np.testing.assert_allclose(model.fold_in_users(ratings.matrix), model.user_factors, atol=2e-5)
    np.testing.assert_allclose(model.fold_in_items(ratings.by_item), model.item_factors, atol=5e-3)
    cg = fitted(ratings, iterations=200, solver="cg")
    np.testing.assert_allclose(cg.fold_in_users(ratings.matrix), cg.user_factors, atol=1e-3)


def test_partial_fit_learns_of_new_users_and_items(ratings: Interactions) -> None:
    model = fitted(ratings, iterations=100)
    dense = ratings.matrix.to_scipy().toarray()
    grown = np.zeros((USERS + 2, ITEMS + 1), np.float32)
    grown[:USERS, :ITEMS] = dense
    grown[USERS, :ITEMS] = dense[3]
    grown[:10, ITEMS] = 5
    now = Interactions.from_csr(sp.csr_matrix(grown))
    model.partial_fit(now)
    scores = model.score(range(USERS + 2), range(ITEMS + 1))
    assert scores[USERS, :ITEMS] == pytest.approx(model.score([3], range(ITEMS))[0], abs=0.3)
    mean = float(model.scorer.arrays()["objective"][2])
    assert scores[USERS + 1] == pytest.approx(mean + model.item_factors[:, -1], abs=1e-5), "who has rated nothing"
    assert scores[:10, ITEMS].mean() > 4


def test_saved_and_loaded_it_answers_the_same(ratings: Interactions, tmp_path: Path) -> None:
    model = fitted(ratings)
    index = Index.build(model, ratings)
    index.save(tmp_path / "index")
    loaded = Index.load(tmp_path / "index")
    assert loaded.version == index.version
    users = list(range(5))
    assert loaded.recommend(users, k=3, explain=2) == index.recommend(users, k=3, explain=2)
    assert loaded.similar_items([4], k=3) == index.similar_items([4], k=3)
    np.testing.assert_array_equal(loaded.score(0, users).scores, model.score([0], users)[0])


def test_the_same_bytes_at_every_thread_count(ratings: Interactions) -> None:
    found = {fitted(ratings, num_threads=n).user_factors.tobytes() for n in (1, 2, 7)}
    assert len(found) == 1


def test_without_regularization_few_ratings_are_singular(ratings: Interactions) -> None:
    with pytest.raises(InvalidArgumentError, match="singular; raise regularization"):
        fitted(ratings, factors=30, regularization=0)


def movielens() -> tuple[Interactions, Interactions]:
    """Ratings to learn from and ratings to predict, of users and items that are known."""
    table = pq.read_table(data_set("ml-latest-small") / "ratings.parquet")
    log = Interactions.from_coo(*(table[name].to_numpy() for name in ("user", "item", "rating")))
    held_out = np.random.default_rng(0).random(log.nnz) < 0.1
    learned = log.where(~held_out)
    known = np.bincount(learned.matrix.indices, minlength=log.n_items)[log.matrix.indices] > 0
    known &= np.diff(learned.matrix.indptr)[log.rows()] > 0
    return learned, log.where(held_out & known)


def rmse(predicted: Any, test: Interactions) -> float:
    return float(np.sqrt(np.mean((np.clip(predicted, 0.5, 5) - test.matrix.values) ** 2)))


def cmfrec_rmse(learned: Interactions, test: Interactions) -> float:
    """Of its best of three regularisations."""
    cmfrec = pytest.importorskip("cmfrec", reason="cmfrec is not installed: pip install cmfrec")
    found = []
    for strength in (5.0, 8.0, 12.0):
        model = cmfrec.CMF(k=20, lambda_=strength, niter=10, nthreads=1, verbose=False, use_cg=True, random_state=1)
        model.fit(learned.matrix.to_scipy().tocoo())
        found.append(rmse(model.predict(test.rows(), test.matrix.indices), test))
    return min(found)


def lenskit_rmse(learned: Interactions, test: Interactions) -> float:
    """Of its best of two regularisations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        als = pytest.importorskip("lenskit.als", reason="lenskit is not installed: pip install lenskit")
        data = pytest.importorskip("lenskit.data")
        training = pytest.importorskip("lenskit.training")
        pandas = pytest.importorskip("pandas")
        columns = {"user_id": learned.rows(), "item_id": learned.matrix.indices, "rating": learned.matrix.values}
        table = data.from_interactions_df(pandas.DataFrame(columns))
        found = []
        for strength in (0.1, 0.2):
            model = als.BiasedMFScorer(embedding_size=20, epochs=20, regularization=strength)
            model.train(table, training.TrainingOptions(rng=1))
            predicted = np.zeros(test.nnz)
            for user in np.unique(test.rows()).tolist():
                of_user = slice(*test.matrix.indptr[user : user + 2])
                items = data.ItemList(item_ids=test.matrix.indices[of_user])
                predicted[of_user] = model(data.RecQuery(user_id=user), items).scores()
            found.append(rmse(predicted, test))
    return min(found)


@pytest.mark.parametrize("peer", [cmfrec_rmse, lenskit_rmse])
def test_movielens_is_predicted_at_least_as_well_as_by_a_peer(peer: Callable[..., float]) -> None:
    learned, test = movielens()
    model = ALS(factors=20, regularization=0.15, iterations=20, loss="explicit").fit(learned)
    predicted = np.einsum("ij,ij->i", model.user_factors[test.rows()], model.item_factors[test.matrix.indices])
    ours, constant = rmse(predicted, test), rmse(np.full(test.nnz, learned.matrix.values.mean()), test)
    assert ours < 0.85 * constant
    theirs = peer(learned, test)
    print(f"rmse: {ours:.4f}, {peer.__name__} {theirs:.4f}, the mean alone {constant:.4f}")
    assert ours <= theirs


def test_ratings_that_are_all_the_same_can_be_fitted() -> None:
    same = Interactions.from_coo([0, 0, 1, 2, 2], [0, 1, 1, 0, 2], [5.0] * 5)
    model = ALS(factors=4, iterations=3, loss="explicit").fit(same)
    np.testing.assert_allclose(model.score([0, 1, 2], [0, 1, 2]), 5.0, atol=1e-3)
