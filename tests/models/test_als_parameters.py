"""Converted parameters: implicit and irspack really fitted, and their equations and optima met by this library's."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore.csr import Csr
from recocore.data import Interactions
from recocore.errors import InvalidArgumentError
from recocore.models import (
    ALS,
    AlsObjective,
    ImplicitParameters,
    IrspackParameters,
    convert_parameters,
)
from recocore.ops.als import als_half_epoch, als_objective

FACTORS = 4


def taste(binary: bool = False, dislikes: bool = False) -> Any:
    """40 users in 4 groups and 30 items, so that the best factors stand out."""
    rng = np.random.default_rng(3)
    like = (np.arange(40)[:, None] % 4) == (np.arange(30)[None, :] % 4)
    seen = rng.random((40, 30)) < np.where(like, 0.7, 0.15)
    values = np.where(seen, 1 if binary else rng.integers(1, 5, (40, 30)), 0).astype(np.float32)
    if dislikes:
        values[rng.random((40, 30)) < 0.1] *= -1
    return sp.csr_matrix(values)


def with_values(matrix: Any, values: Any) -> Any:
    return sp.csr_matrix((values, matrix.indices, matrix.indptr), shape=matrix.shape)


def half_epoch(matrix: Any, fixed: Any, objective: AlsObjective) -> Any:
    solved = np.zeros((matrix.shape[0], fixed.shape[1]), np.float32)
    als_half_epoch(
        Csr.from_scipy(matrix), np.ascontiguousarray(fixed, np.float32), solved, objective, solver="cholesky"
    )
    return solved


def value(matrix: Any, users: Any, items: Any, objective: AlsObjective) -> float:
    users, items = (np.ascontiguousarray(side, np.float32) for side in (users, items))
    return als_objective(Csr.from_scipy(matrix), users, items, objective)


def best(matrix: Any, objective: AlsObjective) -> ALS:
    model = ALS(factors=FACTORS, iterations=400, solver="cholesky", **asdict(objective))
    return model.fit(Interactions.from_csr(matrix))


def implicit_fitted(matrix: Any, parameters: ImplicitParameters, epochs: int) -> Any:
    als = pytest.importorskip("implicit.als", reason="implicit is not installed: pip install 'recocore[test]'")
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(1, "blas"):  # implicit warns of BLAS threads besides its own
        model = als.AlternatingLeastSquares(
            factors=FACTORS, iterations=epochs, use_cg=False, random_state=1, num_threads=1, **asdict(parameters)
        )
        model.fit(matrix, show_progress=False)
    return model


def irspack_fitted(matrix: Any, parameters: IrspackParameters, epochs: int) -> Any:
    irspack = pytest.importorskip(
        "irspack.recommenders.ials", reason="irspack is not installed: pip install 'recocore[test]'"
    )
    recommender = irspack.IALSRecommender(
        matrix, n_components=FACTORS, solver_type="CHOLESKY", n_threads=1, **asdict(parameters)
    )
    # `learn` draws a progress bar; these are its steps.
    recommender.trainer = recommender._create_trainer()
    for _ in range(epochs):
        recommender.trainer.run_epoch()
    return recommender.trainer.core_trainer


@pytest.mark.parametrize("dislikes", [False, True])
@pytest.mark.parametrize("parameters", [ImplicitParameters(3.0, 0.7), ImplicitParameters(40.0, 5.0)])
def test_from_implicit_gives_the_rows_that_implicit_solves(parameters: ImplicitParameters, dislikes: bool) -> None:
    matrix = taste(dislikes=dislikes)
    theirs = implicit_fitted(matrix, parameters, 3)
    ours = convert_parameters(parameters, matrix.data, AlsObjective)
    assert ours.factor_scale == 1
    assert abs(ours.values).max() == 1
    solved = half_epoch(with_values(matrix, ours.values), theirs.item_factors, ours.parameters)
    np.testing.assert_allclose(theirs.recalculate_user(np.arange(40), matrix), solved, atol=1e-5)
    turned = with_values(matrix, ours.values).T.tocsr()
    np.testing.assert_allclose(
        theirs.recalculate_item(np.arange(30), matrix.T.tocsr()),
        half_epoch(turned, theirs.user_factors, ours.parameters),
        # Both solve in float32, and their BLAS by its own instruction set: 1.4e-5 apart were seen with AVX-512.
        atol=5e-5,
    )


@pytest.mark.parametrize("loss", ["ials", "original"])
def test_implicit_and_this_library_meet_at_the_same_optimum(loss: str) -> None:
    matrix, parameters = taste(binary=True), ImplicitParameters(21.0, 4.0)
    theirs = implicit_fitted(matrix, parameters, 400)
    ours = convert_parameters(parameters, matrix.data, AlsObjective, loss=loss)
    assert (ours.values == 1).all()
    model = best(with_values(matrix, ours.values), ours.parameters)
    users, items = (side * ours.factor_scale for side in (theirs.user_factors, theirs.item_factors))
    least = value(matrix, model.user_factors, model.item_factors, ours.parameters)
    assert value(matrix, users, items, ours.parameters) == pytest.approx(least, rel=1e-5)
    np.testing.assert_allclose(
        theirs.user_factors @ theirs.item_factors.T * ours.factor_scale**2,
        model.score(np.arange(40), np.arange(30)),
        atol=5e-3,
    )
    elsewhere = AlsObjective(4.0 * 2, ours.parameters.alpha0, 0.0, loss)
    assert value(matrix, users, items, elsewhere) != pytest.approx(least, rel=0.01)


@pytest.mark.parametrize("loss", ["ials", "original"])
def test_to_implicit_gives_the_same_optimum(loss: str) -> None:
    matrix = taste(binary=True) * 2
    objective = AlsObjective(0.4, 0.2, 0.0, loss)
    theirs = convert_parameters(objective, matrix.data, ImplicitParameters)
    assert theirs.parameters.alpha == pytest.approx(11)
    fitted = implicit_fitted(with_values(matrix, theirs.values), theirs.parameters, 400)
    model = best(matrix, objective)
    users, items = (side / theirs.factor_scale for side in (fitted.user_factors, fitted.item_factors))
    least = value(matrix, model.user_factors, model.item_factors, objective)
    assert value(matrix, users, items, objective) == pytest.approx(least, rel=1e-5)


@pytest.mark.parametrize("loss_type", ["IALSPP", "ORIGINAL"])
@pytest.mark.parametrize("scaling", ["none", "log"])
def test_from_irspack_gives_its_rows_and_its_optimum(loss_type: str, scaling: str) -> None:
    matrix = taste()
    parameters = IrspackParameters(0.2, 0.05, 0.5, scaling, 0.5, loss_type)
    theirs = irspack_fitted(matrix, parameters, 3)
    ours = convert_parameters(parameters, matrix.data, AlsObjective)
    weighed = with_values(matrix, ours.values)
    solved = half_epoch(weighed.T.tocsr(), theirs.user, ours.parameters)  # its epochs solve items last
    np.testing.assert_allclose(theirs.item, solved, atol=1e-5)
    model = best(weighed, ours.parameters)
    theirs = irspack_fitted(matrix, parameters, 400)
    least = value(weighed, model.user_factors, model.item_factors, ours.parameters)
    assert value(weighed, theirs.user, theirs.item, ours.parameters) == pytest.approx(least, rel=1e-5)


@pytest.mark.parametrize("loss", ["ials", "original"])
def test_to_irspack_gives_the_same_optimum(loss: str) -> None:
    matrix, objective = taste(), AlsObjective(0.03, 0.1, 1.0, loss)
    theirs = convert_parameters(objective, matrix.data, IrspackParameters)
    np.testing.assert_array_equal(theirs.values, matrix.data)
    fitted = irspack_fitted(matrix, theirs.parameters, 400)
    model = best(matrix, objective)
    least = value(matrix, model.user_factors, model.item_factors, objective)
    assert value(matrix, fitted.user, fitted.item, objective) == pytest.approx(least, rel=1e-5)


@pytest.mark.parametrize("loss", ["ials", "original"])
def test_there_and_back_is_the_same(loss: str) -> None:
    ones = np.ones(7)
    start = AlsObjective(0.3, 0.05, 0.0, loss)
    through_implicit = convert_parameters(start, ones, ImplicitParameters)
    back = convert_parameters(through_implicit.parameters, through_implicit.values, AlsObjective, loss=loss)
    assert asdict(back.parameters) == pytest.approx(asdict(start))
    assert back.factor_scale * through_implicit.factor_scale == pytest.approx(1)
    np.testing.assert_allclose(back.values, ones, rtol=1e-6)
    weights = np.array([0.0, 0.5, 1.0]) if loss == "original" else np.array([0.25, 0.25, 0.25])
    implicit = convert_parameters(AlsObjective(0.3, 0.05, 0.0, loss), weights, ImplicitParameters)
    irspack = convert_parameters(implicit.parameters, implicit.values, IrspackParameters)
    assert irspack.parameters.loss_type == "ORIGINAL"
    if loss == "original":
        np.testing.assert_allclose(irspack.values, weights, atol=1e-5)


@pytest.mark.parametrize(
    ("parameters", "values", "to", "loss", "message"),
    [
        (AlsObjective(0.1, 0.1, 0.5, "original"), [1], ImplicitParameters, None, "nu: expected 0, got 0.5; implicit"),
        (
            AlsObjective(0.1, 0.0, 0.0, "original"),
            [1],
            ImplicitParameters,
            None,
            "alpha0: expected above 0, got 0; imp",
        ),
        (
            AlsObjective(0.1, 0.1, 0.0),
            [1, 2],
            ImplicitParameters,
            None,
            "loss: expected ials, or equal weights above 0",
        ),
        (AlsObjective(0.1, 0.1, 0.0), [1], ImplicitParameters, "ials", "loss: expected original, implicit's only one"),
        (AlsObjective(0.1, 0.1, 0.0, "bpr"), [1], ImplicitParameters, None, "loss: expected one of ials, original"),
        (AlsObjective(0.1, 0.1, 0.0), [-1], IrspackParameters, None, "values: expected none below 0, got -1; irspack"),
        (ImplicitParameters(1, 0.1), [0.5], AlsObjective, None, r"alpha: expected alpha \* |value| of at least 1"),
        (ImplicitParameters(1, 0.1), [2, -1], AlsObjective, None, "above 1 for a dislike, got -1; implicit weighs"),
        (ImplicitParameters(2, 0.1), [1, 2], AlsObjective, "ials", "keep original"),
        (IrspackParameters(0.1), [-2], AlsObjective, None, "values: expected none below 0, got -2"),
        (IrspackParameters(0.1, loss_type="X"), [1], AlsObjective, None, "loss_type: expected one of IALSPP, ORIGINAL"),
        (
            IrspackParameters(0.1, confidence_scaling="log", epsilon=0),
            [1],
            AlsObjective,
            None,
            "epsilon: expected above 0",
        ),
        (IrspackParameters(0.1), [], AlsObjective, None, "values: expected finite numbers .*, at least one"),
        (IrspackParameters(0.1), [np.nan], AlsObjective, None, "values: expected finite numbers"),
        (IrspackParameters(0.1), [1], ALS, None, "to: expected AlsObjective, ImplicitParameters or IrspackParameters"),
        (ALS(), [1], AlsObjective, None, "parameters: expected AlsObjective, .*, got ALS"),
    ],
)
def test_what_cannot_be_said_is_refused_with_the_way_out(
    parameters: Any, values: list[float], to: Any, loss: str | None, message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        convert_parameters(parameters, values, to, loss=loss)
