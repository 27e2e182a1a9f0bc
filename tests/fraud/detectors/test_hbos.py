"""HBOS against pyod's, and its dynamic bins against their definition."""

from __future__ import annotations

import numpy as np
import pytest
from pyod.models import hbos as pyod_hbos
from tests.fraud.detectors.every import normal

from recocore.fraud import HBOS


@pytest.mark.parametrize(("n_bins", "alpha", "tol"), [(10, 0.1, 0.5), (25, 0.01, 0.1), (3, 0.9, 0.9)])
def test_it_is_pyods_with_the_same_parameters(
    n_bins: int, alpha: float, tol: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Python: compiling it takes longer than all of these tests.
    monkeypatch.setattr(pyod_hbos, "_calculate_outlier_scores", pyod_hbos._calculate_outlier_scores.py_func)
    fitted = normal(500, 4)
    fitted[:, 2] = np.round(fitted[:, 2])
    fitted[:, 3] = 5.0
    theirs = pyod_hbos.HBOS(n_bins=n_bins, alpha=alpha, tol=tol).fit(fitted)
    ours = HBOS(n_bins=n_bins, alpha=alpha, tol=tol).fit(fitted)
    near = np.stack([fitted.min(axis=0) - 0.01, fitted.max(axis=0) + 0.01, fitted.min(axis=0) - 1e3])
    for rows in (fitted, 2 * normal(300, 4, seed=1), near):
        np.testing.assert_allclose(ours.score(rows), theirs.decision_function(rows), rtol=1e-12)


def test_a_missing_value_adds_nothing_and_counts_nowhere() -> None:
    fitted = normal(200, 2)
    holes = np.insert(fitted, slice(0, 200, 10), np.nan, axis=0)
    ours, whole = HBOS().fit(holes), HBOS().fit(fitted)
    assert ours.score(fitted).tobytes() == whole.score(fitted).tobytes()
    assert ours.explain(np.array([[0.0, np.nan]]))[0, 1] == 0


def test_dynamic_bins_hold_equal_counts() -> None:
    values = np.exp(np.random.default_rng(0).normal(size=1_000)).reshape(-1, 1)
    detector = HBOS(n_bins=8, bins="dynamic").fit(values)
    assert detector._model is not None
    arrays = detector._model.arrays()
    counts, _ = np.histogram(values, arrays["edges"])
    np.testing.assert_array_equal(counts, 125)
    np.testing.assert_allclose(arrays["density"], counts / 1_000 / np.diff(arrays["edges"]), rtol=1e-12)
    expected = -np.log2(arrays["density"] + 0.1)
    middle = (arrays["edges"][:-1] + arrays["edges"][1:]) / 2
    np.testing.assert_allclose(detector.score(middle.reshape(-1, 1)), expected, rtol=1e-12)


def test_equal_values_share_a_dynamic_bin() -> None:
    values = np.repeat([0.0, 1.0, 2.0, 3.0], [700, 100, 100, 100]).reshape(-1, 1)
    detector = HBOS(n_bins=10, bins="dynamic").fit(values)
    zero, three = detector.score(np.array([[0.0], [3.0]]))
    assert zero < three


def test_rare_values_of_a_feature_with_two_values_stand_out_in_dynamic_bins() -> None:
    values = np.repeat([0.0, 1.0], [990, 10]).reshape(-1, 1)
    zero, one = HBOS(bins="dynamic").fit(values).score(np.array([[0.0], [1.0]]))
    assert zero == -np.log2(0.99 / 0.5 + 0.1)
    assert one == -np.log2(0.01 / 0.5 + 0.1)
