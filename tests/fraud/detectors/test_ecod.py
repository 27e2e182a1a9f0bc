"""ECOD against its paper written out in float64, and against pyod."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyod.models.ecod import ECOD as PyodECOD  # noqa: N811
from pyod.utils import stat_models
from tests.fraud.detectors.every import normal

from recocore.fraud import ECOD

if TYPE_CHECKING:
    from recocore.types import Float64Array


def paper(fitted: Float64Array, rows: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Algorithm 1 by counting: scores and the tails that they sum; missing values count nowhere."""
    n = (~np.isnan(fitted)).sum(axis=0)
    left = np.zeros_like(rows)
    right = np.zeros_like(rows)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            if np.isnan(value) or n[j] == 0:
                continue
            below, above = (fitted[:, j] <= value).sum(), (fitted[:, j] >= value).sum()
            left[i, j] = -np.log(below / n[j] if below else 1 / (n[j] + 1))
            right[i, j] = -np.log(above / n[j] if above else 1 / (n[j] + 1))
    present = [column[~np.isnan(column)] for column in fitted.T]
    skewed_left = np.array([((c - c.mean()) ** 3).sum() < 0 if len(c) else False for c in present])
    auto = np.where(skewed_left, left, right)
    sums = np.stack([auto.sum(axis=1), left.sum(axis=1), right.sum(axis=1)])
    chosen = sums.argmax(axis=0)[:, None]
    return sums.max(axis=0), np.where(chosen == 0, auto, np.where(chosen == 1, left, right))


@pytest.fixture
def _pyod_as_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling it takes longer than these tests."""
    plain = stat_models.ecdf_terminate_equals_inplace.py_func
    monkeypatch.setattr(stat_models, "ecdf_terminate_equals_inplace", plain)


def skewed(n: int, f: int) -> Float64Array:
    rows = np.exp(normal(n, f) / 2)
    rows[:, ::2] *= -1
    return np.asarray(np.round(rows, 1), np.float64)  # with ties


@pytest.mark.parametrize("missing", [False, True])
def test_the_papers_variant_is_the_paper(missing: bool) -> None:
    fitted, rows = skewed(300, 5), np.concatenate([skewed(300, 5)[:50], 9 * normal(50, 5, seed=2)])
    if missing:
        fitted[::3, 1] = np.nan
        fitted[:, 4] = np.nan
        rows[::4, :2] = np.nan
    detector = ECOD().fit(fitted)
    scores, reasons = paper(fitted, rows)
    np.testing.assert_allclose(detector.score(rows), scores, rtol=1e-12)
    np.testing.assert_allclose(detector.explain(rows), reasons, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("_pyod_as_python")
def test_pyods_variant_is_pyod_on_fitted_and_on_new_rows() -> None:
    fitted = skewed(400, 6)
    theirs, ours = PyodECOD().fit(fitted), ECOD("pyod").fit(fitted)
    np.testing.assert_allclose(ours.score(fitted), theirs.decision_scores_, rtol=1e-12)
    np.testing.assert_allclose(ours.score(fitted), theirs.decision_function(fitted), rtol=1e-12)
    for rows in (3 * normal(60, 6, seed=1), skewed(400, 6)[:1], fitted[5:9]):
        np.testing.assert_allclose(ours.score(rows), theirs.decision_function(rows), rtol=1e-12)
        np.testing.assert_allclose(ours.explain(rows), theirs.O[-len(rows) :], rtol=1e-12)


@pytest.mark.usefixtures("_pyod_as_python")
def test_pyods_variant_adds_both_tails_where_the_skewness_is_zero() -> None:
    """pyod's own step for skewness 0; after a row that breaks the symmetry it is gone."""
    fitted = np.array([[-2.0], [-1.0], [0.0], [1.0], [2.0]])
    theirs, ours = PyodECOD().fit(fitted), ECOD("pyod").fit(fitted)
    for rows in (fitted, np.array([[0.0]]), np.array([[1.5]]), np.array([[-3.0], [3.0]])):
        np.testing.assert_allclose(ours.score(rows), theirs.decision_function(rows), rtol=1e-12)
    assert ours.score(np.array([[0.0]])) > ours.score(np.array([[0.1]]))


def test_a_value_beyond_all_fitted_ones_is_finite_and_scores_above_them() -> None:
    detector = ECOD().fit(np.arange(10.0).reshape(-1, 1))
    inside, outside, further = detector.score(np.array([[9.0], [9.5], [1e9]]))
    assert inside == pytest.approx(np.log(10))
    assert outside == further == pytest.approx(np.log(11))
