"""partial_fit of models with features: rows that changed are drawn to what their features say, the others stay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore.csr import Csr
from recocore.data import Interactions
from recocore.errors import InvalidArgumentError
from recocore.models import ALS

if TYPE_CHECKING:
    from recocore.ops.als import AlsPrior

USERS, ITEMS, GROUPS = 80, 60, 4
LOSSES = ("ials", "original", "explicit")


def one_hot(count: int) -> Any:
    rows = np.arange(count)
    return sp.csr_matrix((np.ones(count, np.float32), (rows, rows % GROUPS)), shape=(count, GROUPS))


def matrix(users: int, items: int, seed: int) -> Any:
    """Users like items of their own group; the last user and the last item have met nobody."""
    rng = np.random.default_rng(seed)
    own = np.arange(users)[:, None] % GROUPS == np.arange(items) % GROUPS
    met = rng.random((users, items)) < np.where(own, 0.5, 0.05)
    met[-1] = met[:, -1] = False
    return np.where(met, rng.uniform(0.5, 2, met.shape), 0).astype(np.float32)


@pytest.fixture(scope="module")
def old() -> Interactions:
    return Interactions.from_csr(sp.csr_matrix(matrix(USERS, ITEMS, 6)))


@pytest.fixture(scope="module")
def new(old: Interactions) -> Interactions:
    """User 3 met item 7 with another value; users 80 and 81 are new, the latter without a pair; so are items 60 and 61."""
    dense = np.zeros((USERS + 2, ITEMS + 2), np.float32)
    dense[:USERS, :ITEMS] = old.matrix.to_scipy().toarray()
    dense[3, 7] += 1
    dense[80, [0, 4, 8]] = 1
    dense[[1, 5, 80], 60] = 1
    return Interactions.from_csr(sp.csr_matrix(dense))


def fitted(old: Interactions, loss: str = "ials", **changes: Any) -> ALS:
    keywords = {"factors": 5, "iterations": 40, "solver": "cholesky", "regularization": 0.1, "loss": loss, **changes}
    if loss != "explicit":
        keywords = {"alpha0": 0.1, **keywords}
    return ALS(**keywords).fit(old, user_features=one_hot(USERS), item_features=one_hot(ITEMS))


def updated(model: ALS, new: Interactions, **changes: Any) -> ALS:
    given = {"user_features": one_hot(USERS + 2), "item_features": one_hot(ITEMS + 2), **changes}
    return model.partial_fit(new, **given)


def prior_of(model: ALS, side: Any) -> tuple[AlsPrior, Any]:
    """The weights of the features, and where they draw each row to."""
    prior = model._priors[side]
    return prior, prior.features.to_scipy().toarray().astype(np.float64) @ prior.weights.astype(np.float64)


def dense_item(model: ALS, data: Interactions, item: int, loss: str) -> Any:
    """What an item's unknowns are in float64, given the users and the prior."""
    _, drawn = prior_of(model, "items")
    users, values = data.by_item.row(item)
    v = values.astype(np.float64)
    regularization, alpha0 = model.regularization or 0.0, model.alpha0 or 0.0
    if loss == "explicit":
        x, ridge = model.user_factors[:, 1:].astype(np.float64), regularization * len(v)
        right = x[users].T @ (v - model.user_factors[users, 0])
        system = x[users].T @ x[users]
    else:
        x, ridge = model.user_factors.astype(np.float64), regularization * (len(v) + alpha0 * data.n_users)
        known = x[np.diff(data.matrix.indptr) > 0]
        right = x[users].T @ (v + (alpha0 if loss == "original" else 0))
        system = alpha0 * known.T @ known + (x[users].T * v) @ x[users]
    return np.linalg.solve(system + ridge * np.eye(len(right)), right + ridge * drawn[item])


@pytest.mark.parametrize("loss", LOSSES)
def test_what_changed_is_solved_with_its_features_and_the_rest_stays(
    old: Interactions, new: Interactions, loss: str
) -> None:
    model = fitted(old, loss)
    users, items = model.user_factors.copy(), model.item_factors.copy()
    weights = {side: model._priors[side].weights.copy() for side in ("users", "items")}
    updated(model, new)
    changed_users, changed_items = [1, 3, 5, 80, 81], [0, 4, 7, 8, 60, 61]
    stayed = np.setdiff1d(np.arange(USERS), changed_users)
    np.testing.assert_array_equal(model.user_factors[stayed], users[stayed])
    stayed = np.setdiff1d(np.arange(ITEMS), changed_items)
    np.testing.assert_array_equal(model.item_factors[stayed], items[stayed])
    for side, before in weights.items():
        np.testing.assert_array_equal(model._priors[side].weights, before)  # type: ignore[index]
    # Users fit the final items to the byte, and a stranger with the same entries and features is folded in alike.
    folded = model.fold_in_users(new.matrix.rows(changed_users), features=one_hot(USERS + 2)[changed_users])
    np.testing.assert_array_equal(model.user_factors[changed_users], folded)
    _, drawn = prior_of(model, "users")
    unknowns = model.user_factors[81, :-1] if loss == "explicit" else model.user_factors[81]
    mean = model.scorer.arrays()["objective"][2] if loss == "explicit" else 0
    np.testing.assert_allclose(unknowns, drawn[81] + mean * (np.arange(len(unknowns)) == 0), atol=1e-5)
    if loss != "explicit":  # ratings do not depend on groups here
        assert {item % GROUPS for item in model.recommend([81], k=5).ids[0].tolist()} == {81 % GROUPS}


@pytest.mark.parametrize("loss", LOSSES)
def test_items_solve_their_equations_for_the_users_of_the_step_before(
    old: Interactions, new: Interactions, loss: str
) -> None:
    """Where users hardly change any more between the steps, items are the float64 minimisers of what is there."""
    model = fitted(old, loss)
    updated(model, new)
    for _ in range(15):  # rows that did not change are not solved, so user 80 changes a little, back and forth
        updated(model, replace_value(new, 0.001))
        updated(model, new)
    for item in (0, 60):
        solved = model.item_factors[item, 1:] if loss == "explicit" else model.item_factors[item]
        expected = dense_item(model, new, item, loss)
        np.testing.assert_allclose(solved, expected, atol=0.02 * abs(expected).max())


def replace_value(data: Interactions, more: float) -> Interactions:
    values = data.matrix.values.copy()
    values[data.matrix.indptr[80] : data.matrix.indptr[81]] += np.float32(more)
    return data.with_matrix(replace(data.matrix, values=values))


def test_other_features_move_a_row_without_entries(old: Interactions) -> None:
    model = fitted(old)
    before = model.item_factors.copy()
    moved = one_hot(ITEMS).tolil()
    last = ITEMS - 1
    moved[last] = 0
    moved[last, 0] = 1
    model.partial_fit(old, user_features=one_hot(USERS), item_features=sp.csr_matrix(moved))
    assert np.flatnonzero((model.item_factors != before).any(axis=1)).tolist() == [last]
    _, drawn = prior_of(model, "items")
    np.testing.assert_allclose(model.item_factors[last], drawn[0], atol=1e-6)
    again = model.fold_in_items(features=one_hot(1))
    np.testing.assert_allclose(again[0], model.item_factors[last], atol=1e-6)


def test_a_row_that_lost_its_entries_is_where_its_features_say(old: Interactions) -> None:
    model = fitted(old)
    rows = old.rows()
    gone = old.where((rows != 2) & (old.matrix.indices != 9))
    model.partial_fit(gone, user_features=one_hot(USERS), item_features=one_hot(ITEMS))
    np.testing.assert_allclose(model.user_factors[2], prior_of(model, "users")[1][2], atol=1e-6)
    np.testing.assert_allclose(model.item_factors[9], prior_of(model, "items")[1][9], atol=1e-6)


def test_it_comes_close_to_a_fit(old: Interactions, new: Interactions) -> None:
    features: dict[str, Any] = {"user_features": one_hot(USERS + 2), "item_features": one_hot(ITEMS + 2)}
    model = updated(fitted(old), new)
    whole = ALS(factors=5, iterations=40, solver="cholesky", regularization=0.1, alpha0=0.1).fit(new, **features)
    assert model.objective(new) < 1.02 * whole.objective(new)


def test_rows_may_be_renumbered_and_leave(old: Interactions) -> None:
    model = fitted(old)
    users = model.user_factors.copy()
    keep = np.setdiff1d(np.arange(USERS), [0, 11])
    numbers = np.full(USERS, -1)
    numbers[keep] = np.arange(len(keep))
    fewer = Interactions.from_csr(sp.csr_matrix(old.matrix.to_scipy()[keep]))
    model.partial_fit(fewer, numbers, user_features=one_hot(USERS)[keep], item_features=one_hot(ITEMS))
    np.testing.assert_array_equal(model.user_factors, users[keep])
    assert model._priors["users"].features.shape == (len(keep), GROUPS)


def test_features_of_one_side_alone(old: Interactions, new: Interactions) -> None:
    model = ALS(factors=5, iterations=10, solver="cholesky").fit(old, item_features=one_hot(ITEMS))
    model.partial_fit(new, item_features=one_hot(ITEMS + 2))
    assert not model.user_factors[81].any()
    np.testing.assert_allclose(model.item_factors[61], prior_of(model, "items")[1][61], atol=1e-6)
    csr = Csr.from_scipy(one_hot(ITEMS + 2))
    model.partial_fit(new, item_features=csr)
    assert model._priors["items"].features is csr


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"user_features": None}, "user_features: expected those of all 82 users, got None; fit and partial_fit"),
        (
            {"item_features": one_hot(ITEMS)},
            r"item_features: expected \[62, 4\], all items as they are now .*, got \[60, 4\]",
        ),
        ({"item_features": one_hot(ITEMS + 2)[:, :3]}, r"item_features: expected \[62, 4\].*, got \[62, 3\]"),
        ({"item_features": one_hot(ITEMS + 2) * np.nan}, "item_features"),
        ({"item_features": np.ones((62, 4))}, "item_features: expected a SciPy sparse"),
    ],
)
def test_features_that_do_not_fit_are_refused(
    old: Interactions, new: Interactions, given: dict[str, Any], message: str
) -> None:
    model = fitted(old, iterations=1)
    before = model.user_factors.tobytes()
    with pytest.raises(InvalidArgumentError, match=message):
        updated(model, new, **given)
    assert model.user_factors.tobytes() == before
    assert model.scorer.interactions is old.matrix
    plain = ALS(factors=3, iterations=1).fit(old)
    with pytest.raises(InvalidArgumentError, match="item_features: expected None, as the model was not fitted to any"):
        plain.partial_fit(new, item_features=one_hot(ITEMS + 2))
