"""Neighbourhood models against dense algebra written from their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recocore.data import Interactions
from recocore.errors import InvalidArgumentError
from recocore.models import ItemKNN, UserKNN


@pytest.fixture(scope="module")
def data() -> Interactions:
    rng = np.random.default_rng(4)
    return Interactions.from_coo(rng.integers(0, 40, 500), rng.integers(0, 25, 500), rng.integers(1, 4, 500))


def nearest(rows: Any, k: int) -> Any:
    """Dense float64 cosine between rows, self left out, the k best of each row kept with ties by index."""
    norms = np.linalg.norm(rows, axis=1)
    cosine = rows @ rows.T / np.outer(norms, norms)
    np.fill_diagonal(cosine, -np.inf)
    kept = np.zeros_like(cosine)
    for row in range(len(rows)):
        best = np.lexsort((np.arange(len(rows)), -cosine[row].astype(np.float32)))[:k]
        kept[row, best] = cosine[row, best]
    kept[~np.isfinite(kept)] = 0
    return kept


@pytest.mark.parametrize("k", [3, 10, 100])
def test_item_knn_sums_the_similarity_to_the_users_items(data: Interactions, k: int) -> None:
    dense = data.matrix.to_scipy().toarray().astype(np.float64)
    neighbors = nearest(dense.T, k)
    model = ItemKNN(k=k).fit(data)
    np.testing.assert_allclose(
        model.score(np.arange(data.n_users), np.arange(data.n_items)), dense @ neighbors.T, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("k", [3, 10, 100])
def test_user_knn_sums_the_weights_of_similar_users(data: Interactions, k: int) -> None:
    dense = data.matrix.to_scipy().toarray().astype(np.float64)
    model = UserKNN(k=k).fit(data)
    np.testing.assert_allclose(
        model.score(np.arange(data.n_users), np.arange(data.n_items)), nearest(dense, k) @ dense, rtol=1e-5, atol=1e-6
    )


def test_similar_items_are_the_neighbours(data: Interactions) -> None:
    dense = data.matrix.to_scipy().toarray().astype(np.float64)
    neighbors = nearest(dense.T, 100)
    for model in (ItemKNN(k=100).fit(data), UserKNN(k=5).fit(data)):
        found = model.similar_items(np.arange(data.n_items), k=5)
        np.testing.assert_allclose(found.scores, -np.sort(-neighbors, axis=1)[:, :5], rtol=1e-5)


@pytest.mark.parametrize("model", [ItemKNN(k=100), UserKNN(k=100)])
def test_explanations_sum_to_the_score(data: Interactions, model: Any) -> None:
    model.fit(data)
    for user in (0, 11, 39):
        items = model.recommend([user], k=4).ids[0]
        scores = model.score([user], items)[0]
        own = data.matrix.row(user)[0]
        for score, reasons in zip(scores, model.explain(user, items, limit=len(own)), strict=True):
            assert sum(reason.weight for reason in reasons) == pytest.approx(score, rel=1e-5)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"similarity": "euclid"}, "similarity: expected one of .*cosine.*, got 'euclid'"),
        ({"k": 0}, "k: expected an integer of at least 1, got 0"),
        ({"k": "5"}, "k: expected an integer of at least 1, got '5'"),
        ({"similarity": ["x"]}, "similarity: expected one of"),
        ({"num_threads": -2}, "num_threads: expected 0"),
        ({"shrinkage": -1.0}, "shrinkage: expected a finite number >= 0, got -1.0"),
        ({"shrinkage": float("nan")}, "shrinkage: expected a finite number >= 0, got nan"),
    ],
)
@pytest.mark.parametrize("kind", [ItemKNN, UserKNN])
def test_bad_parameters_are_refused_at_once(kind: Any, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        kind(**parameters)
