"""Measures beside scikit-learn's, and intervals that hold what they should."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from recocore.errors import InvalidArgumentError
from recocore.fraud.measures import (
    area_under_roc,
    average_precision,
    bootstrap_interval,
    precision_at_daily_budget,
    recall_at_fpr,
)


@pytest.mark.parametrize("digits", [1, 12])
def test_measures_are_scikit_learns(digits: int) -> None:
    rng = np.random.default_rng(2)
    labels = (rng.random(2000) < 0.05).astype(float)
    scores = np.round(labels + rng.normal(size=2000), digits)
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    assert area_under_roc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    false, true, _ = roc_curve(labels, scores, drop_intermediate=False)
    assert recall_at_fpr(labels, scores, 0.01) == pytest.approx(true[false <= 0.01].max(), abs=1e-12)


def test_the_daily_budget_goes_to_the_highest_of_each_day() -> None:
    day = 86_400_000_000
    times = np.array([0, 1, 2, day, day + 1, 3 * day])
    labels = np.array([1.0, 0, 1, 0, 1, 1])
    scores = np.array([0.9, 0.8, 0.7, 0.9, 0.1, 0.2])
    assert precision_at_daily_budget(labels, scores, times, 2) == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert precision_at_daily_budget(labels, scores, times, 1) == pytest.approx((1 + 0 + 1) / 3)


def test_the_interval_widens_where_rows_belong_together() -> None:
    rng = np.random.default_rng(3)
    users = rng.integers(0, 60, 3000)
    level = rng.normal(size=60)[users]
    labels = (rng.random(3000) < 1 / (1 + np.exp(3 - level))).astype(float)
    scores = level + rng.normal(size=3000)
    by_row = bootstrap_interval(labels, scores, np.arange(3000), seed=1)
    by_user = bootstrap_interval(labels, scores, users, seed=1)
    value = average_precision(labels, scores)
    assert by_user[0] < by_row[0] < value < by_row[1] < by_user[1]
    with pytest.raises(InvalidArgumentError):
        average_precision(np.zeros(3), np.zeros(3))
