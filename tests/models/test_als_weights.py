"""A weight for each interaction, and dislikes: against dense float64 algebra, one row at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore import Index
from recocore.csr import Csr
from recocore.data import Interactions, MappedInteractions, hold_out
from recocore.errors import InvalidArgumentError
from recocore.models import (
    ALS,
    AlsObjective,
    ImplicitParameters,
    IrspackParameters,
    SearchSpace,
    convert_parameters,
    popularity_weights,
    tune,
)
from recocore.models.als_scale import rating_mean, rating_regularization

if TYPE_CHECKING:
    from pathlib import Path

USERS, ITEMS = 50, 40
LOSSES = ("ials", "original", "explicit")
PREFERENCES = [("ials", 0.0), ("ials", -1.0), ("original", 0.0), ("original", -1.0), ("explicit", 0.0)]


@pytest.fixture(scope="module")
def data() -> Interactions:
    """Values of 0.5 to 4; user 49 and item 39 have none."""
    rng = np.random.default_rng(3)
    met = rng.random((USERS, ITEMS)) < 0.35
    met[-1] = met[:, -1] = False
    return Interactions.from_csr(sp.csr_matrix(np.where(met, rng.uniform(0.5, 4, met.shape), 0).astype(np.float32)))


@pytest.fixture(scope="module")
def weights(data: Interactions) -> Any:
    """From 0 to 3, a tenth of them 0."""
    found = np.random.default_rng(4).uniform(0, 3, data.nnz).astype(np.float32)
    found[::10] = 0
    return found


def with_dislikes(data: Interactions) -> Interactions:
    signs = np.where(np.random.default_rng(5).random(data.nnz) < 0.25, -1, 1)
    return data.with_matrix(replace(data.matrix, values=(data.matrix.values * signs).astype(np.float32)))


def likes_and_dislikes(data: Interactions, loss: str) -> Interactions:
    return data if loss == "explicit" else with_dislikes(data)


def weighing(data: Interactions, weights: Any) -> Interactions:
    return data.with_matrix(replace(data.matrix, values=weights))


def fitted(data: Interactions, weights: Any, loss: str = "ials", **changes: Any) -> ALS:
    keywords = {"factors": 6, "iterations": 4, "solver": "cholesky", "loss": loss, "regularization": 0.05, **changes}
    if loss != "explicit":
        keywords = {"alpha0": 0.1, **keywords}
    return ALS(**keywords).fit(data, weights=weights)


def dense_user(model: ALS, items: Any, values: Any, own: Any, mean: float) -> Any:
    """A user's row in float64, as `user_factors` has it."""
    v, u = values.astype(np.float64), own.astype(np.float64)
    regularization, alpha0 = model.regularization or 0.0, model.alpha0 or 0.0
    if model.loss == "explicit":
        y = model.item_factors[:, :-1].astype(np.float64)
        design = y[items]
        system = (design.T * u) @ design + regularization * len(v) ** model.nu * np.eye(y.shape[1])
        solved = np.linalg.solve(system, design.T @ (u * (v - mean - model.item_factors[items, -1])))
        return np.append(solved + mean * (np.arange(len(solved)) == 0), 1.0)
    y = model.item_factors.astype(np.float64)
    w = u * abs(v)
    pulls = np.where(v < 0, model.negative_preference, 1) * (w + (alpha0 if model.loss == "original" else 0))
    ridge = regularization * (len(v) + alpha0 * len(y)) ** model.nu
    system = alpha0 * y.T @ y + (y[items].T * w) @ y[items] + ridge * np.eye(y.shape[1])
    return np.linalg.solve(system, y[items].T @ pulls)


def weighted_mean(data: Interactions, weights: Any) -> float:
    return float(np.average(data.matrix.values.astype(np.float64), weights=weights.astype(np.float64)))


@pytest.mark.parametrize(
    ("solver", "settings", "atol"),
    [
        ("cholesky", {}, 5e-5),
        ("auto", {}, 5e-5),
        ("cg", {"iterations": 200, "cg_steps": 6}, 2e-3),
        ("subspace", {"iterations": 200}, 2e-3),
    ],
)
@pytest.mark.parametrize(("loss", "preference"), PREFERENCES)
def test_every_row_is_the_minimiser(
    data: Interactions, weights: Any, loss: str, preference: float, solver: str, settings: dict[str, Any], atol: float
) -> None:
    data = likes_and_dislikes(data, loss)
    model = fitted(data, weights, loss, negative_preference=preference, solver=solver, **settings)
    mean = weighted_mean(data, weights)
    for user in range(USERS - 1):
        some = slice(*data.matrix.indptr[user : user + 2])
        expected = dense_user(model, data.matrix.indices[some], data.matrix.values[some], weights[some], mean)
        np.testing.assert_allclose(model.user_factors[user], expected, atol=atol)


@pytest.mark.parametrize(("loss", "preference"), PREFERENCES)
def test_folding_in_with_weights_gives_the_fitted_rows_again(
    data: Interactions, weights: Any, loss: str, preference: float
) -> None:
    data = likes_and_dislikes(data, loss)
    model = fitted(data, weights, loss, negative_preference=preference, iterations=600)
    np.testing.assert_allclose(model.fold_in_users(data.matrix, weights=weights), model.user_factors, atol=5e-5)
    by_item = weighing(data, weights).by_item
    np.testing.assert_allclose(model.fold_in_items(data.by_item, weights=by_item), model.item_factors, atol=5e-3)
    unweighted = model.fold_in_users(data.matrix)
    assert abs(unweighted - model.user_factors).max() > 0.05
    few = data.matrix.rows([3, 0])
    own = replace(data.matrix, values=weights).rows([3, 0]).to_scipy()
    np.testing.assert_allclose(model.fold_in_users(few, weights=own), model.user_factors[[3, 0]], atol=5e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_may_come_in_any_form_and_ones_are_none(data: Interactions, weights: Any, loss: str) -> None:
    forms = (
        weights.astype(np.float64),
        weighing(data, weights),
        replace(data.matrix, values=weights),
        sp.csc_matrix(replace(data.matrix, values=weights).to_scipy()),
    )
    found = {fitted(data, form, loss, regularization=None).user_factors.tobytes() for form in forms}
    assert found == {fitted(data, weights, loss, regularization=None).user_factors.tobytes()}
    ones = fitted(data, np.ones(data.nnz), loss).user_factors
    np.testing.assert_array_equal(ones, fitted(data, None, loss).user_factors)


@pytest.mark.parametrize("loss", ["ials", "original"])
def test_a_weight_multiplies_the_value(data: Interactions, weights: Any, loss: str) -> None:
    positive = weights + 0.1
    values = fitted(weighing(data, data.matrix.values * positive), None, loss, regularization=None, alpha0=None)
    given = fitted(data, positive, loss, regularization=None, alpha0=None)
    np.testing.assert_allclose(given.user_factors, values.user_factors, atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_by_default_only_the_ratios_of_weights_count(data: Interactions, weights: Any, loss: str) -> None:
    keywords: dict[str, Any] = {"regularization": None, "alpha0": None, "nu": 0.0}
    once, twice = (fitted(data, times * weights, loss, **keywords) for times in (1, 2))
    np.testing.assert_allclose(once.user_factors, twice.user_factors, atol=5e-4)


def test_the_scale_of_ratings_is_that_of_repeated_ratings() -> None:
    counts = np.array([1, 3, 2], np.float32)
    ratings = Csr.from_coo([0, 0, 1], [0, 1, 1], [1.0, 4.0, 2.0], (2, 2))
    repeated = np.repeat(ratings.values, counts.astype(int))
    assert rating_mean(ratings, counts) == pytest.approx(repeated.mean())
    assert rating_regularization(ratings, 1.0, counts) == pytest.approx(0.12 * repeated.std() * 2)


def test_a_rating_of_no_weight_is_not_asked_about(data: Interactions) -> None:
    """Only nu sees that it is there."""
    kept = np.random.default_rng(2).random(data.nnz) < 0.7
    keywords: dict[str, Any] = {"nu": 0.0, "iterations": 60}
    weighted = fitted(data, kept.astype(np.float32), "explicit", **keywords)
    fewer = fitted(data.where(kept), None, "explicit", **keywords)
    np.testing.assert_allclose(
        weighted.score(range(USERS), range(ITEMS)), fewer.score(range(USERS), range(ITEMS)), atol=2e-3
    )


def test_a_dislike_is_drawn_to_its_preference(data: Interactions) -> None:
    disliked = with_dislikes(data)
    pairs = disliked.matrix.values < 0
    rows, columns = disliked.rows()[pairs], disliked.matrix.indices[pairs]
    at = {
        preference: fitted(disliked, None, factors=30, regularization=1e-3, negative_preference=preference)
        .score(range(USERS), range(ITEMS))[rows, columns]
        .mean()
        for preference in (0.0, -0.5, -1.0)
    }
    assert at[0.0] == pytest.approx(0, abs=0.1)
    assert at[-0.5] == pytest.approx(-0.5, abs=0.15)
    assert at[-1.0] == pytest.approx(-1, abs=0.2)


@pytest.mark.parametrize(("loss", "preference"), PREFERENCES)
def test_a_saved_index_explains_and_folds_in_with_weights(
    data: Interactions, weights: Any, loss: str, preference: float, tmp_path: Path
) -> None:
    data = likes_and_dislikes(data, loss)
    model = fitted(data, weights, loss, negative_preference=preference)
    Index.build(model, data).save(tmp_path / "index")
    loaded = Index.load(tmp_path / "index")
    users, items = np.arange(USERS - 1, dtype=np.int32), np.arange(ITEMS, dtype=np.int32)
    assert loaded.recommend(users[:5].tolist(), k=3, explain=3) == Index.build(model, data).recommend(
        users[:5].tolist(), k=3, explain=3
    )
    scorer = model.scorer
    for user in (0, 7):
        solved = scorer._solved(scorer._row(user, None))  # type: ignore[attr-defined]  # what a server folds in by
        np.testing.assert_allclose(solved, model.user_factors[user], atol=5e-5)
        shares = [sum(reason.weight for reason in each) for each in model.explain(user, items, limit=ITEMS)]
        design, pulls, system = scorer._equations(scorer._row(user, None))  # type: ignore[attr-defined]
        terms = pulls * (np.linalg.solve(system, scorer._targets(items)).T @ design.T)  # type: ignore[attr-defined]
        np.testing.assert_allclose(shares, np.where(terms > 0, terms, 0).sum(1), atol=1e-5)
        total = model.score([user], items)[0]
        if loss == "explicit":
            total = total - weighted_mean(data, weights) - model.item_factors[:, -1]
        np.testing.assert_allclose(terms.sum(1), total, atol=2e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_same_bytes_at_every_thread_count(data: Interactions, weights: Any, loss: str) -> None:
    found = {fitted(data, weights, loss, solver="auto", num_threads=n).user_factors.tobytes() for n in (1, 2, 7)}
    assert len(found) == 1


@pytest.mark.parametrize("loss", ["ials", "explicit"])
def test_mapped_weights_stay_in_their_files(data: Interactions, weights: Any, loss: str, tmp_path: Path) -> None:
    def mapped(name: str, values: Any) -> MappedInteractions:
        chunk = (data.rows(), data.matrix.indices, values)
        return MappedInteractions.write(tmp_path / name, [chunk], USERS, ITEMS)

    values, own = mapped("values", data.matrix.values), mapped("weights", weights)
    model = fitted(values, own, loss, regularization=None)
    assert model.user_factors.tobytes() == fitted(data, weights, loss, regularization=None).user_factors.tobytes()
    assert model.user_factors.tobytes() == fitted(values, weights, loss, regularization=None).user_factors.tobytes()


@pytest.mark.parametrize("loss", ["ials", "explicit"])
def test_a_checkpoint_knows_its_weights(data: Interactions, weights: Any, loss: str, tmp_path: Path) -> None:
    keywords: dict[str, Any] = {"factors": 6, "loss": loss}
    whole = ALS(iterations=6, **keywords).fit(data, weights=weights)
    ALS(iterations=3, **keywords).fit(data, weights=weights, checkpoint=tmp_path / "c")
    resumed = ALS(iterations=6, **keywords).fit(data, weights=weights, checkpoint=tmp_path / "c")
    assert resumed.item_factors.tobytes() == whole.item_factors.tobytes()
    for other in (None, weights[::-1]):
        with pytest.raises(InvalidArgumentError, match="is of another fit: weights was"):
            ALS(iterations=6, **keywords).fit(data, weights=other, checkpoint=tmp_path / "c")


@pytest.mark.parametrize("loss", ["ials", "explicit"])
def test_partial_fit_solves_what_has_another_weight(data: Interactions, weights: Any, loss: str) -> None:
    model = fitted(data, weights, loss)
    users, items = model.user_factors.copy(), model.item_factors.copy()
    changed = weights.copy()
    entry = int(data.matrix.indptr[5])
    changed[entry] += 2
    model.partial_fit(data, weights=changed)
    assert np.flatnonzero((model.user_factors != users).any(axis=1)).tolist() == [5]
    assert np.flatnonzero((model.item_factors != items).any(axis=1)).tolist() == [data.matrix.indices[entry]]
    some = slice(*data.matrix.indptr[5:7])
    expected = model.fold_in_users(data.matrix.rows([5]), weights=changed[some])
    np.testing.assert_array_equal(model.user_factors[5], expected[0])
    before = model.user_factors.copy()
    model.partial_fit(data)  # without weights all count one
    assert (model.user_factors[:-1] != before[:-1]).any(axis=1).all()
    assert model.scorer.weights is None  # type: ignore[attr-defined]


def test_tuning_takes_weights_with_it(data: Interactions, weights: Any) -> None:
    split = hold_out(data, 0.1)
    places = split.train.matrix.to_scipy().nonzero()
    train_weights = np.asarray(weighing(data, weights).matrix.to_scipy()[places]).ravel()
    settings: dict[str, Any] = {"space": SearchSpace(factors=(4, 6)), "trials": 3, "iterations": 4}
    whole = tune(data, weights=weights, **settings)
    given = tune(split.train, validation=split.test, weights=train_weights, **settings)
    assert [trial.value for trial in whole.trials] == [trial.value for trial in given.trials]
    unweighted = tune(data, **settings)
    assert [trial.value for trial in unweighted.trials] != [trial.value for trial in whole.trials]


@pytest.mark.parametrize("power", [0.0, 0.3, 1.0])
def test_popularity_weights_fall_with_how_many_met_an_item(data: Interactions, power: float) -> None:
    found = popularity_weights(data, power)
    dense = data.matrix.to_scipy().toarray() > 0
    counts = np.broadcast_to(dense.sum(0), dense.shape)[dense].astype(np.float64)
    np.testing.assert_allclose(found, counts**-power / (counts**-power).mean(), rtol=1e-6)
    assert fitted(data, found).user_factors.shape == (USERS, 6)
    with pytest.raises(InvalidArgumentError, match="power: expected a finite number >= 0, got -1"):
        popularity_weights(data, -1)
    with pytest.raises(InvalidArgumentError, match="interactions: expected at least one"):
        popularity_weights(data.where(np.zeros(data.nnz, np.bool_)))


def test_other_libraries_know_no_preference_of_dislikes() -> None:
    ours = AlsObjective(0.1, 0.1, 0.0, "original", -1.0)
    with pytest.raises(InvalidArgumentError, match="negative_preference: expected 0, got -1; implicit"):
        convert_parameters(ours, [1.0, -1.0], ImplicitParameters)
    with pytest.raises(InvalidArgumentError, match="values: expected none below 0"):
        convert_parameters(ours, [1.0, -1.0], IrspackParameters)
    assert convert_parameters(ours, [1.0, -1.0], AlsObjective).parameters == ours
    assert convert_parameters(ours, [1.0, 2.0], ImplicitParameters).parameters.regularization == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda w: w[:-1], r"weights: expected a number for each of \d+ interactions, got float32 \[\d+\]"),
        (lambda w: w - 1, r"weights: expected finite numbers >= 0, got -\S+ at entry \d+; a dislike is an interaction"),
        (lambda w: w * np.nan, "weights: expected finite numbers >= 0, got nan at entry 0"),
        (lambda w: w * np.float64(1e39), "weights: expected finite numbers >= 0, got inf"),
        (lambda w: w * 0, "weights: expected one above 0, got zeros alone"),
        (lambda w: w.astype(str), "weights: expected a number for each"),
        (lambda w: w[:, None], r"weights: expected a number for each of \d+ interactions, got float32 \[\d+, 1\]"),
    ],
)
@pytest.mark.parametrize("loss", ["ials", "explicit"])
def test_bad_weights_are_refused(data: Interactions, weights: Any, bad: Any, message: str, loss: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        ALS(factors=2, iterations=1, loss=loss).fit(data, weights=bad(weights))


def test_weights_of_other_entries_are_refused(data: Interactions, weights: Any) -> None:
    fewer = weighing(data, weights).where(np.arange(data.nnz) > 0)
    moved = Interactions.from_csr(data.matrix.to_scipy()[:, ::-1])
    model = ALS(factors=2, iterations=1)
    for other in (fewer, moved, data.by_item, fewer.matrix.to_scipy()):
        with pytest.raises(InvalidArgumentError, match="weights: expected a weight for each interaction and no other"):
            model.fit(data, weights=other)
    model.fit(data, weights=weights)
    with pytest.raises(InvalidArgumentError, match=r"weights: expected a number for each of \d+ interactions, got"):
        model.fold_in_users(data.matrix.rows([0]), weights=[1.0] * 1000)
    with pytest.raises(InvalidArgumentError, match="weights: expected a number"):
        model.partial_fit(data, weights=weights[1:])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"negative_preference": 0.5}, "negative_preference: expected a number from -1 to 0, got 0.5"),
        ({"negative_preference": -2}, "negative_preference: expected a number from -1 to 0, got -2"),
        ({"negative_preference": "low"}, "negative_preference: expected a real number, got 'low'"),
        ({"negative_preference": float("nan")}, "negative_preference: expected a"),
        ({"negative_preference": -1, "loss": "explicit"}, "negative_preference: expected 0 with loss='explicit'"),
    ],
)
def test_bad_preferences_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        ALS(**parameters)
