"""Folding in and partial_fit: rows that changed are solved anew, the others stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recocore.csr import Csr
from recocore.data import Interactions
from recocore.errors import CancelledError, InvalidArgumentError, NotFittedError
from recocore.models import ALS


def log(n_users: int, n_items: int, entries: int, seed: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, n_users, entries), rng.integers(0, n_items, entries), rng.uniform(0.5, 3, entries)


@pytest.fixture(scope="module")
def old() -> Interactions:
    users, items, weights = log(60, 40, 900, 3)
    return Interactions.from_coo(2 * users, 2 * items, weights)


@pytest.fixture(scope="module")
def new(old: Interactions) -> Interactions:
    """Users 3 and 7 have one more pair each, one of them with a new item; 7 also met another pair again; 41 is new."""
    users = np.concatenate([np.array(old.users.ids_of(old.rows())), [6, 14, 14, 41, 41]])
    items = np.concatenate([np.array(old.items.ids_of(old.matrix.indices)), [33, 0, 2, 33, 4]])
    return Interactions.from_coo(users, items, np.concatenate([old.matrix.values, [1, 2, 1.5, 1, 1]]))


def numbers(old: Any, new: Any) -> Any:
    return new.indices_of(old.ids_of(range(len(old))))


def dense_row(model: ALS, row: tuple[Any, Any], fixed: Any, others: int) -> Any:
    """The minimiser of one row in float64."""
    columns, weights = row
    own = fixed[columns].astype(np.float64)
    regularization, alpha0, nu, _ = model.scorer.arrays()["objective"]
    system = alpha0 * fixed.T.astype(np.float64) @ fixed + (own.T * weights) @ own
    system += regularization * (len(columns) + alpha0 * others) ** nu * np.eye(model.factors)
    return np.linalg.solve(system, own.T @ weights)


@pytest.mark.parametrize("solver", ["auto", "cholesky", "cg", "subspace"])
def test_folding_in_reaches_the_minimum_by_any_solver(old: Interactions, solver: str) -> None:
    model = ALS(factors=24, iterations=3, solver=solver, block_size=16, regularization=0.05, alpha0=0.05).fit(old)
    strangers = Csr.from_coo(*log(12, old.n_items, 150, 9), (12, old.n_items))
    folded = model.fold_in_users(strangers)
    assert (folded == model.fold_in_users(strangers.to_scipy())).all()
    for user in range(12):
        expected = dense_row(model, strangers.row(user), model.item_factors, old.n_items)
        np.testing.assert_allclose(folded[user], expected, atol=2e-4)
        alone = model.fold_in_users(strangers.rows([user]))
        np.testing.assert_allclose(alone[0], folded[user], atol=1e-5)


def test_folding_in_refuses_what_does_not_fit(old: Interactions) -> None:
    model = ALS(factors=4, iterations=1)
    row = old.matrix.rows([0])
    with pytest.raises(NotFittedError):
        model.fold_in_users(row)
    model.fit(old)
    with pytest.raises(InvalidArgumentError, match="interactions: expected 60 columns, the users"):
        model.fold_in_items(row)
    with pytest.raises(InvalidArgumentError, match="interactions: expected a SciPy sparse matrix, got list"):
        model.fold_in_users([[1.0] * 40])
    broken = Csr(row.indptr, row.indices, np.full_like(row.values, np.nan), row.shape)
    with pytest.raises(InvalidArgumentError, match="expected finite values, got nan in row 0"):
        model.fold_in_users(broken)
    assert model.fold_in_users(old.matrix.rows([])).shape == (0, 4)


@pytest.mark.parametrize("solver", ["auto", "cg"])
def test_partial_fit_solves_what_changed_and_keeps_the_rest(old: Interactions, new: Interactions, solver: str) -> None:
    model = ALS(factors=12, iterations=5, solver=solver).fit(old)
    before = model.user_factors.copy(), model.item_factors.copy()
    users, items = numbers(old.users, new.users), numbers(old.items, new.items)
    assert model.partial_fit(new, users, items) is model
    changed_users = new.users.indices_of([6, 14, 41])
    changed_items = new.items.indices_of([0, 2, 4, 33])
    kept_users = np.setdiff1d(users, changed_users)
    kept_items = np.setdiff1d(items, changed_items)
    assert (model.user_factors[kept_users] == before[0][np.searchsorted(users, kept_users)]).all()
    assert (model.item_factors[kept_items] == before[1][np.searchsorted(items, kept_items)]).all()
    # Users fit the final items to the byte; items were solved with the users of one step before.
    assert (model.user_factors[changed_users] == model.fold_in_users(new.matrix.rows(changed_users))).all()
    assert model.item_factors[changed_items].any(axis=1).all()
    assert model.scorer.interactions is new.matrix


def test_partial_fit_comes_close_to_a_fit(old: Interactions, new: Interactions) -> None:
    model = ALS(factors=12, iterations=20, regularization=0.02).fit(old)
    stale_users = np.zeros((new.n_users, 12), np.float32)
    stale_users[numbers(old.users, new.users)] = model.user_factors
    model.partial_fit(new, numbers(old.users, new.users), numbers(old.items, new.items))
    updated = model.objective(new)
    refitted = ALS(factors=12, iterations=20, regularization=0.02).fit(new).objective(new)
    assert updated < 1.02 * refitted


def test_norms_and_gram_are_those_of_the_new_factors(old: Interactions, new: Interactions) -> None:
    model = ALS(factors=12, iterations=5).fit(old)
    model.similar_items([0], k=3)  # fills what a stale model would keep
    model.explain(0, [1])
    model.partial_fit(new, numbers(old.users, new.users), numbers(old.items, new.items))
    y = model.item_factors.astype(np.float64)
    directions = y / np.linalg.norm(y, axis=1, keepdims=True)
    found = model.similar_items(range(new.n_items), k=5)
    for item, (ids, scores) in enumerate(zip(found.ids, found.scores, strict=True)):
        np.testing.assert_allclose(scores, directions[ids] @ directions[item], atol=1e-5)
    user = new.users.index_of(41)
    items = np.arange(new.n_items)
    explained = model.explain(user, items, limit=2)  # of the user's two items those that add something
    whole = [item for item in items if len(explained[item]) == 2]
    assert len(whole) > 5
    shares = [sum(reason.weight for reason in explained[item]) for item in whole]
    np.testing.assert_allclose(shares, model.score([user], whole)[0], atol=1e-4)


def test_gone_users_and_items_leave(old: Interactions) -> None:
    fewer = Interactions.from_coo(
        np.array(old.users.ids_of(old.rows()))[100:], np.array(old.items.ids_of(old.matrix.indices))[100:]
    )
    model = ALS(factors=6, iterations=3).fit(old)
    model.partial_fit(fewer, numbers(old.users, fewer.users), numbers(old.items, fewer.items))
    assert model.user_factors.shape == (fewer.n_users, 6)
    assert (model.recommend([0], k=3).ids >= 0).all()


def test_without_indices_newcomers_come_last() -> None:
    model = ALS(factors=4, iterations=3).fit(Interactions.from_coo([0, 0, 1, 1], [0, 1, 1, 2]))
    kept = model.user_factors[0].copy()
    model.partial_fit(Interactions.from_coo([0, 0, 1, 1, 2, 2], [0, 1, 1, 2, 1, 3]))
    assert (model.user_factors[0] == kept).all()
    assert model.item_factors[3].any()
    assert model.user_factors[2].any()


def test_a_partial_fit_that_fails_leaves_the_model_as_it_was(old: Interactions, new: Interactions) -> None:
    model = ALS(factors=4, iterations=1)
    with pytest.raises(NotFittedError):
        model.partial_fit(new)
    model.fit(old)
    before = model.user_factors.tobytes()

    def stop(fraction: float) -> None:
        raise CancelledError("enough")

    users, items = numbers(old.users, new.users), numbers(old.items, new.items)
    with pytest.raises(CancelledError):
        model.partial_fit(new, users, items, progress=stop)
    with pytest.raises(
        InvalidArgumentError, match="user_indices: expected indices that rise, as those of sorted ids do"
    ):
        model.partial_fit(new, users[::-1], items)
    with pytest.raises(InvalidArgumentError, match="item_indices: expected an integer for each of the 40 fitted"):
        model.partial_fit(new, users, items[1:])
    assert model.user_factors.tobytes() == before
    assert model.scorer.interactions is old.matrix
