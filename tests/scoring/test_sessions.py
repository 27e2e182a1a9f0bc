"""Sessions in scorers: the same as fitting, or folding in, the row that they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore.csr import Csr
from recocore.data import Interactions
from recocore.models import ALS, ItemKNN, UserKNN
from recocore.scoring import SCORERS, Events, FactorScorer

if TYPE_CHECKING:
    from recocore.scoring import Scorer
    from recocore.types import AnyArray

NO_LISTS: Any = {"exclude": [], "block": None, "allow": None}


def shop(seed: int = 0, *, ratings: bool = False) -> Interactions:
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, 60, 700), rng.integers(0, 40, 700)
    weights = rng.integers(1, 6, 700).astype(float)
    if not ratings:
        weights[rng.random(700) < 0.1] *= -1
    return Interactions.from_coo(users, items, weights, duplicates="last")


def added(matrix: Csr, user: int, events: Events, *, replaces: bool = False) -> Any:
    """The row of a user with events, dense, and where it has entries."""
    row, entries = np.zeros(matrix.shape[1]), np.zeros(matrix.shape[1], bool)
    if user >= 0:
        items, weights = matrix.row(user)
        row[items], entries[items] = weights, True
    for item, weight in zip(events.items.tolist(), events.weights.tolist(), strict=True):
        row[item] = weight if replaces else row[item] + weight
        entries[item] = True
    return row, entries


def as_rows(rows: list[Any]) -> Csr:
    """Rows with their entries, also where they add up to 0."""
    indptr = np.cumsum([0, *(entries.sum() for _, entries in rows)]).astype(np.int64)
    indices = np.concatenate([np.flatnonzero(entries) for _, entries in rows]).astype(np.int32)
    values = np.concatenate([row[entries] for row, entries in rows]).astype(np.float32)
    return Csr(indptr, indices, values, (len(rows), len(rows[0][0])))


def dense(scorer: Scorer, users: AnyArray, events: Events | None) -> AnyArray:
    """The score of every item, -inf where there is none."""
    profiles = scorer.profiles(users, events)
    m = scorer.interactions.shape[1]
    ranked = profiles.rank(np.arange(len(users), dtype=np.int32), m, NO_LISTS)
    found = np.full((len(users), m), -np.inf, np.float32)
    for row, (ids, scores) in enumerate(zip(ranked.ids, ranked.scores, strict=True)):
        found[row, ids[ids >= 0]] = scores[ids >= 0]
    return found


@pytest.mark.parametrize("loss", ["ials", "original", "explicit"])
@pytest.mark.parametrize("nu", [0.0, 1.0])
def test_factors_are_those_of_folding_in(loss: str, nu: float) -> None:
    data = shop(ratings=loss == "explicit")
    model = ALS(factors=8, iterations=4, loss=loss, nu=nu, solver="cholesky").fit(data)
    events = Events(np.array([3, 17, 5, 3], np.int32), np.array([2.0, 1.0, 4.0, 3.0], np.float32))
    users = np.array([-1, 0, 7, 59], np.int32)
    rows = as_rows([added(data.matrix, user, events, replaces=loss == "explicit") for user in users])
    wanted = model.fold_in_users(rows) @ model.item_factors.T
    np.testing.assert_allclose(dense(model.scorer, users, events), wanted, rtol=1e-3, atol=2e-5)


def test_items_that_only_features_place_are_not_asked_about() -> None:
    data = shop()
    some = Interactions.from_csr(sp.csr_matrix(np.pad(data.matrix.to_scipy().toarray(), ((0, 0), (0, 5)))))
    colors = sp.csr_matrix(np.eye(3, dtype=np.float32)[np.arange(45) % 3])
    model = ALS(factors=6, iterations=4, solver="cholesky").fit(some, item_features=colors)
    assert np.abs(model.item_factors[40:]).max() > 0
    events = Events(np.array([2, 30], np.int32), np.array([1.0, 2.0], np.float32))
    wanted = model.fold_in_users(as_rows([added(some.matrix, 4, events)])) @ model.item_factors.T
    found = dense(model.scorer, np.array([4], np.int32), events)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=2e-5)


def test_what_folding_in_takes_is_stored_and_computed_where_it_is_not() -> None:
    data = shop()
    model = ALS(factors=8, iterations=2).fit(data)
    events = Events(np.array([2, 30], np.int32), np.array([1.0, 2.0], np.float32))
    arrays = model.scorer.arrays()
    assert arrays["item_gram"].shape == (8, 8)
    older = {name: array for name, array in arrays.items() if name != "item_gram"}
    users = np.array([-1, 3], np.int32)
    wanted = dense(model.scorer, users, events)
    for stored in (arrays, older):
        again = SCORERS["factors"].from_arrays(data.matrix, stored)
        np.testing.assert_array_equal(dense(again, users, events), wanted)


def test_a_system_without_one_solution_has_the_shortest() -> None:
    data = shop()
    items = np.random.default_rng(1).normal(size=(40, 8)).astype(np.float32)
    scorer = FactorScorer(data.matrix, np.zeros((60, 8), np.float32), items, np.array([0.0, 0.0, 0.0]))
    events = Events(np.array([2, 30], np.int32), np.ones(2, np.float32))
    found = dense(scorer, np.array([-1], np.int32), events)
    np.testing.assert_allclose(found[0, [2, 30]], 1, rtol=1e-4)


def test_factors_without_an_objective_pass_events_over() -> None:
    data = shop()
    rng = np.random.default_rng(1)
    of_users, of_items = (rng.normal(size=(n, 4)).astype(np.float32) for n in (60, 40))
    scorer = FactorScorer(data.matrix, of_users, of_items, np.empty(0))
    events = Events(np.array([2], np.int32), np.ones(1, np.float32))
    assert scorer.knows(np.array([-1, 3], np.int32), events).tolist() == [False, True]
    users = np.array([3], np.int32)
    np.testing.assert_array_equal(dense(scorer, users, events), dense(scorer, users, None))


@pytest.mark.parametrize("model", [ItemKNN(similarity="cosine", k=7), UserKNN(similarity="cosine", k=9)])
def test_a_visitor_who_does_what_a_user_did_is_ranked_by_the_same_formula(model: Any) -> None:
    data = shop()
    positive = Interactions.from_csr(abs(data.matrix.to_scipy()))
    scorer = model.fit(positive).scorer
    matrix = positive.matrix.to_scipy().toarray().astype(float)
    similarity = scorer.similarity.to_scipy().toarray().astype(float)
    for user in (0, 5, 33):
        items, weights = positive.matrix.row(user)
        events = Events(items[::-1].copy(), weights[::-1].copy())
        found = dense(scorer, np.array([-1], np.int32), events)[0]
        if isinstance(model, ItemKNN):
            wanted = similarity @ matrix[user]
        else:  # who meets the user first, and of the user's neighbours all but the last
            met = np.argsort(-similarity[user], kind="stable")[:8]
            wanted = matrix[user] + similarity[user, met] @ matrix[met]
        np.testing.assert_allclose(np.where(np.isinf(found), 0, found), wanted, rtol=1e-4, atol=1e-5)


def test_a_user_is_no_neighbour_of_themself() -> None:
    data = Interactions.from_csr(abs(shop().matrix.to_scipy()))
    scorer = UserKNN(similarity="cosine", k=9).fit(data).scorer
    items, _ = data.matrix.row(3)
    nothing = Events(items[:1], np.full(1, 1e-9, np.float32))
    users = np.array([3], np.int32)
    np.testing.assert_allclose(dense(scorer, users, nothing), dense(scorer, users, None), rtol=1e-4, atol=1e-5)


def test_popularity_pays_no_heed() -> None:
    data = shop()
    scorer = SCORERS["popularity"].from_arrays(data.matrix, {"popularity": np.arange(40, dtype=np.float32)})
    events = Events(np.array([2], np.int32), np.ones(1, np.float32))
    assert scorer.knows(np.array([-1, 3], np.int32), events).tolist() == [False, True]
    np.testing.assert_array_equal(dense(scorer, np.array([3], np.int32), events)[0], np.arange(40))
