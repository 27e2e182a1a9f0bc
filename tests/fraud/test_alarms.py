"""Alarms: seasonal ones find what was put in, change points are the exact optimum."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from recocore.data import EventBatch
from recocore.errors import InvalidArgumentError
from recocore.fraud import change_points, metric_series, seasonal_alarms
from recocore.fraud.alarms import MetricSeries
from recocore.fraud.alarms.segmentation import optimal_cuts

HOUR = 3_600_000_000


def weekly(weeks: int, seed: int, weekend: float = 20) -> MetricSeries:
    rng = np.random.default_rng(seed)
    hours = np.arange(weeks * 168)
    level = 60 + 50 * np.sin(2 * np.pi * hours / 24) + weekend * (hours // 24 % 7 >= 5)
    return MetricSeries("events", hours * HOUR, HOUR, rng.poisson(level).astype(float))


def test_what_was_put_in_is_found_and_quiet_weeks_are_quiet() -> None:
    series = weekly(10, 1)
    assert len(seasonal_alarms(series)) <= 3  # of 1,176 hours
    values = series.values.copy()
    values[1000], values[1300] = values[1000] * 2 + 60, 0
    values[1400] = np.nan
    found = seasonal_alarms(MetricSeries("events", series.starts, HOUR, values))
    starts = {alarm.start // HOUR: alarm.z for alarm in found}
    assert starts[1000] > 5
    assert starts[1300] < -5
    assert 1400 not in starts
    assert 1168 not in starts  # a week later the spike is not what is normal


def test_the_z_score_is_by_hand() -> None:
    values = np.array([100.0, 104, 96, 110, 300])
    series = MetricSeries("m", np.arange(5), 1, values)
    (alarm,) = seasonal_alarms(series, season=timedelta(microseconds=1), threshold=5)
    assert alarm.expected == 102
    assert alarm.z == pytest.approx(198 / max(1.482602218505602 * 4, 102**0.5))
    with pytest.raises(InvalidArgumentError):
        seasonal_alarms(weekly(1, 0), season=timedelta(minutes=90))


def brute(values: np.ndarray, penalty: float, least: int) -> list[int]:
    count = len(values)
    best: list[tuple[float, list[int]]] = [(-penalty, []), *((np.inf, []) for _ in range(count))]
    for end in range(1, count + 1):
        for begin in range(end - least + 1):
            part = values[begin:end]
            cost = best[begin][0] + float(((part - part.mean()) ** 2).sum()) + penalty
            if cost < best[end][0] - 1e-9:
                best[end] = (cost, [*best[begin][1], begin])
    return [cut for cut in best[count][1] if cut > 0]


@pytest.mark.parametrize("seed", range(6))
def test_pelt_is_the_exact_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=60) + np.repeat(rng.normal(scale=4, size=4), 15)
    for penalty in (3.0, 30.0):
        assert optimal_cuts(values, penalty, 4) == brute(values, penalty, 4)


def test_a_new_level_is_found_through_the_season() -> None:
    series = weekly(6, 3, weekend=0)
    values = series.values.copy()
    values[600:] += 25
    found = change_points(MetricSeries("events", series.starts, HOUR, values), season_steps=24)
    assert len(found) == 1
    assert abs(found[0].start // HOUR - 600) <= 3
    assert found[0].after - found[0].before == pytest.approx(25, abs=4)
    assert change_points(series, season_steps=24) == ()
    assert change_points(MetricSeries("m", np.zeros(0, np.int64), 1, np.zeros(0))) == ()


def test_series_are_counted_from_the_log() -> None:
    table = {
        "user_id": ["a", "b", "a", "c", "z"],
        "item_id": [1] * 5,
        "event_time": [10, 20, 30, 2 * 3600, 4 * 3600],
        "type": ["buy", "buy", "buy", "view", "buy"],
        "value": [1.0, None, 3.0, 7.0, 1.0],
    }
    events = EventBatch.from_arrow(pa.table(table), time_unit="s")
    assert metric_series(events, "events").values.tolist() == [3, 0, 1, 0]
    assert metric_series(events, "users").values.tolist() == [2, 0, 1, 0]
    assert metric_series(events, "value", types=("buy",)).values.tolist() == [4, 0, 0, 0]
    mean = metric_series(events, "mean_value").values
    assert mean[0] == 2
    assert np.isnan(mean[1])
    assert metric_series(events, "events", step=timedelta(days=1)).starts.tolist() == [0]
    with pytest.raises(InvalidArgumentError, match="expected some of type"):
        metric_series(events, "events", types=("refund",))


def test_one_event_of_a_wrong_year_is_named_and_no_reason_to_take_all_memory() -> None:
    table = {"user_id": ["a", "b"], "item_id": [1, 1], "event_time": [0, 253_402_300_799]}  # the end of 9999
    events = EventBatch.from_arrow(pa.table(table), time_unit="s")
    with pytest.raises(InvalidArgumentError, match="event_time: expected at most 10,000,000 steps"):
        metric_series(events, "events")
    assert len(metric_series(events, "events", step=timedelta(days=7)).values) == 253_402_300_799 // 604_800


@pytest.mark.parametrize(
    "options", [{"penalty": math.inf}, {"penalty": math.nan}, {"season_steps": 0}, {"least_steps": 0}]
)
def test_change_points_refuses_numbers_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match="penalty"):
        change_points(weekly(1, 0), **options)
