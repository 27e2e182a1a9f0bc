"""Parameters from the data: their formula, and what must not change them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore.data import Interactions
from recocore.errors import InvalidArgumentError
from recocore.models import ALS


def made(weight: float = 1.0, empty: int = 0, density: float = 0.2) -> Interactions:
    """60 users, 40 items, each with an entry."""
    rng = np.random.default_rng(5)
    entries = rng.random((60, 40)) < density
    entries[np.arange(60), np.arange(60) % 40] = True
    padded: Any = np.zeros((60 + empty, 40 + empty), np.float32)
    padded[:60, :40] = entries * np.float32(weight)
    return Interactions.from_csr(sp.csr_matrix(padded))


def thin() -> Interactions:
    """300 users, 200 items at a density of 1 %."""
    rng = np.random.default_rng(6)
    users = np.concatenate([np.arange(300), rng.integers(0, 300, 300)])
    return Interactions.from_coo(
        users, np.concatenate([np.arange(300) % 200, rng.integers(0, 200, 300)]), duplicates="max"
    )


def test_the_defaults_are_the_documented_ones() -> None:
    data = thin()
    found = ALS().objective_for(data)
    assert found.alpha0 == pytest.approx(15 * data.nnz / (300 * 200), rel=1e-12)
    assert found.regularization == pytest.approx(5 * (300**-0.5 + 200**-0.5) / 16, rel=1e-12)


def test_on_dense_data_the_bar_is_three_quarters_of_the_noise() -> None:
    data = made()
    density = data.nnz / (60 * 40)
    bar = 0.75 * density**0.5 * (60**0.5 + 40**0.5)
    # Under nu = 1 the mean masses are 16 times the mean entries.
    assert ALS().objective_for(data).regularization == pytest.approx(bar / (16 * density * (60 * 40) ** 0.5), rel=1e-12)


@pytest.mark.parametrize("nu", [0.0, 0.5, 1.0])
def test_the_pull_on_users_and_items_is_the_same_at_every_nu(nu: float) -> None:
    data = made()
    found = ALS(nu=nu).objective_for(data)
    mean_lambdas = [
        (found.regularization * (np.diff(side.indptr) + found.alpha0 * others) ** nu).mean()
        for side, others in ((data.matrix, 40), (data.by_item, 60))
    ]
    expected = 0.75 * (data.nnz / (60 * 40)) ** 0.5 * (60**0.5 + 40**0.5)
    assert np.sqrt(mean_lambdas[0] * mean_lambdas[1]) == pytest.approx(expected, rel=1e-9)


def test_weights_in_another_unit_give_the_same_rankings() -> None:
    one, three = ALS(factors=8, nu=0.0), ALS(factors=8, nu=0.0)
    one.fit(made())
    three.fit(made(3.0))
    assert three.objective_for(made(3.0)).regularization == pytest.approx(3 * one.objective_for(made()).regularization)
    np.testing.assert_allclose(one.score(range(60), range(40)), three.score(range(60), range(40)), atol=1e-4)


def test_users_and_items_without_entries_change_nothing_that_is_learned() -> None:
    plain, padded = ALS(nu=0.0).objective_for(made()), ALS(nu=0.0).objective_for(made(empty=500))
    assert (padded.alpha0, padded.regularization) == pytest.approx((plain.alpha0, plain.regularization))


def test_what_is_given_stays_and_the_rest_follows() -> None:
    data = thin()
    given = ALS(alpha0=0.5).objective_for(data)
    unseen = 0.5 / (data.nnz / (300 * 200))
    assert given.alpha0 == 0.5
    assert given.regularization == pytest.approx(5 * (300**-0.5 + 200**-0.5) / (1 + unseen), rel=1e-12)
    assert ALS(regularization=0.25).objective_for(data).regularization == 0.25


def test_a_fitted_model_folds_in_by_what_it_was_fitted_to() -> None:
    data = made()
    model = ALS(factors=5, solver="cholesky").fit(data)
    assert model.params()["alpha0"] is None
    np.testing.assert_allclose(model.fold_in_users(data.matrix.rows([3, 7])), model.user_factors[[3, 7]], atol=1e-5)
    assert model.scorer.arrays()["objective"][1] == model.objective_for(data).alpha0


@pytest.mark.parametrize("given", [{}, {"alpha0": 0.1, "regularization": 0.1}], ids=["default", "given"])
def test_values_that_weigh_nothing_are_refused_by_name(given: dict[str, Any]) -> None:
    data = made()
    zeros = data.with_matrix(replace(data.matrix, values=np.zeros_like(data.matrix.values)))
    with pytest.raises(InvalidArgumentError, match="interactions: expected a value that is not 0, got zeros alone"):
        ALS(factors=4, **given).fit(zeros)


def test_a_nu_beyond_float64_is_refused() -> None:
    data = made()
    with pytest.raises(
        InvalidArgumentError, match="nu: a row's entries to the power of 1000 are beyond float64; lower it"
    ):
        ALS(factors=4, nu=1000).fit(data)
    with pytest.raises(InvalidArgumentError, match=r"nu = 1000\.0+ is beyond float32; lower these"):
        ALS(factors=4, nu=1000, regularization=0.1).fit(data)
