from __future__ import annotations

import numpy as np
import pytest
from benchmarks.harness.statistics import power_law, ratio_of_medians, summarize
from scipy import stats


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_a_summary_is_what_numpy_and_scipy_say(count: int) -> None:
    seconds = np.random.default_rng(count).lognormal(size=count)
    summary = summarize(seconds.tolist())
    assert summary.seconds == tuple(seconds)
    assert summary.median == np.median(seconds)
    assert summary.p95 == pytest.approx(np.percentile(seconds, 95))
    assert summary.spread == pytest.approx(stats.median_abs_deviation(seconds))


def test_a_ratio_is_that_of_the_medians() -> None:
    ratio = ratio_of_medians([4.0, 8.0, 6.0], [2.0, 1.0, 3.0])
    assert ratio.value == 3.0
    assert ratio.low <= ratio.value <= ratio.high


def test_noise_that_hits_a_whole_round_leaves_the_ratio_alone() -> None:
    noise = np.random.default_rng(0).lognormal(size=15)
    ratio = ratio_of_medians((6 * noise).tolist(), (2 * noise).tolist())
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((3, 3, 3))


def test_the_interval_covers_the_true_ratio_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        ratio = ratio_of_medians(rng.lognormal(np.log(2), 0.1, 25).tolist(), rng.lognormal(0, 0.1, 25).tolist())
        covered += ratio.low <= 2 <= ratio.high
    assert 0.88 <= covered / 200 <= 1


def test_the_slope_is_that_of_a_regression_on_logarithms() -> None:
    rng = np.random.default_rng(2)
    sizes = np.array([1e6, 3e6, 1e7, 3e7])
    seconds = 1e-9 * sizes**1.1 * rng.lognormal(0, 0.05, 4)
    slope, factor = power_law(sizes.tolist(), seconds.tolist())
    fitted = stats.linregress(np.log(sizes), np.log(seconds))
    assert (slope, np.log(factor)) == pytest.approx((fitted.slope, fitted.intercept))
