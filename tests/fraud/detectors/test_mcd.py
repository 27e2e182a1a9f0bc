"""MCD against scikit-learn's MinCovDet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.covariance import MinCovDet
from tests.fraud.detectors.every import normal

from recocore.errors import InvalidArgumentError
from recocore.fraud import MCD

if TYPE_CHECKING:
    from recocore.types import Float64Array


def separated(n: int, f: int) -> Float64Array:
    rows = normal(n, f, seed=n)
    rows[: n // 4] = rows[: n // 4] / 10 + 60
    return rows


def test_well_separated_outliers_leave_the_same_rows_as_in_scikit_learn() -> None:
    rows = separated(200, 3)
    theirs = MinCovDet(random_state=0).fit(rows)
    ours = MCD().fit(rows)
    assert ours.support is not None
    # Both stop at a local optimum: a row or two at the cut may be another.
    assert (ours.support != theirs.support_).sum() <= 3
    spread = np.sqrt(np.diag(theirs.covariance_))
    assert np.abs((ours.location - theirs.location_) / spread).max() < 0.05
    np.testing.assert_allclose(ours.score(rows), theirs.mahalanobis(rows), rtol=0.1, atol=0.05)
    clean = normal(300, 3, seed=201)
    assert np.corrcoef(ours.score(clean), theirs.mahalanobis(clean))[0, 1] > 0.995


@pytest.mark.parametrize(("n", "f"), [(600, 2), (1_500, 5), (5_000, 12)])
def test_outliers_of_a_large_table_are_all_left_out(n: int, f: int) -> None:
    rows = separated(n, f)
    ours = MCD().fit(rows)
    assert ours.support is not None
    assert not ours.support[: n // 4].any()
    assert ours.support[n // 4 :].mean() > 0.95
    clean = rows[n // 4 :]
    centered = rows - clean.mean(axis=0)
    expected = np.einsum("ij,jk,ik->i", centered, np.linalg.inv(np.cov(clean.T)), centered)
    np.testing.assert_allclose(ours.score(rows), expected, rtol=0.3, atol=0.1)
    assert np.corrcoef(ours.score(clean), expected[n // 4 :])[0, 1] > 0.99


def test_the_whole_table_as_support_is_the_plain_covariance_reweighted() -> None:
    rows = normal(400, 3)
    scores = MCD(support_fraction=1.0).fit(rows).score(rows)
    centered = rows - rows.mean(axis=0)
    plain = np.einsum("ij,jk,ik->i", centered, np.linalg.inv(np.cov(rows.T, bias=True)), centered)
    kept = rows[plain < 9.348403604496145]  # chi-squared, 3 degrees of freedom, 97.5 %
    moved = rows - kept.mean(axis=0)
    expected = np.einsum("ij,jk,ik->i", moved, np.linalg.inv(np.cov(kept.T, bias=True)), moved)
    factor = expected / scores
    np.testing.assert_allclose(factor, factor[0], rtol=1e-6)
    assert 1.0 < factor[0] < 1.2  # the consistency factor at 97.5 %


def test_distances_of_normal_rows_are_chi_squared() -> None:
    rows = np.random.default_rng(1).normal(size=(20_000, 4))
    scores = MCD().fit(rows).score(rows)
    assert np.median(scores) == pytest.approx(3.3567, rel=0.03)
    assert (scores > 11.1433).mean() == pytest.approx(0.025, abs=0.005)


def test_scores_do_not_depend_on_units() -> None:
    rows = normal(300, 3)
    moved = np.ascontiguousarray(rows * np.array([1e-6, 1e6, 3.0]) + np.array([5, -1e7, 0]))
    np.testing.assert_allclose(MCD().fit(moved).score(moved), MCD().fit(rows).score(rows), rtol=1e-5)


def test_a_constant_feature_is_left_out_by_name_and_a_plane_keeps_its_inverse() -> None:
    rows = normal(200, 2)
    wide = np.ascontiguousarray(np.insert(rows, 1, 4.0, axis=1))
    detector = MCD().fit(wide)
    other = wide.copy()
    other[:, 1] = 1e6
    assert detector.score(other).tobytes() == detector.score(wide).tobytes()
    assert not detector.explain(wide)[:, 1].any()
    np.testing.assert_allclose(detector.score(wide), MCD().fit(rows).score(rows), rtol=1e-9)
    plane = np.ascontiguousarray(np.column_stack([rows, rows.sum(axis=1)]))
    off = plane[:1] + np.array([0, 0, 1.0])
    on_plane = MCD().fit(plane)
    assert on_plane.score(off) > 1e4 * on_plane.score(plane).max()


def test_missing_values_are_refused_in_fit_and_the_locations_in_score() -> None:
    rows = normal(100, 3)
    detector = MCD().fit(rows)
    asked = rows[:1].copy()
    asked[0, 1] = np.nan
    there = rows[:1].copy()
    there[0, 1] = detector.location[1]
    np.testing.assert_allclose(detector.score(asked), detector.score(there), rtol=1e-9)
    with pytest.raises(InvalidArgumentError, match="X: expected no missing values, got NaN; impute them"):
        detector.fit(np.concatenate([rows, asked]))
