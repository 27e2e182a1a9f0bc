"""Seasonal alarms: a robust z-score against the same hour of earlier weeks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from recocore.fraud.alarms.series import MetricSeries

# 1 / the upper quartile of the standard normal: the median absolute deviation times this estimates the deviation.
_MAD_TO_DEVIATION: Final = 1.482602218505602
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Alarm:
    """One step of a series that is out of season.

    Attributes:
        metric: the series' name.
        start: where the step begins, microseconds since 1970.
        observed, expected: the step's value, and the median of its season before it.
        z: how many robust deviations lie between them, with its sign.
    """

    metric: str
    start: int
    observed: float
    expected: float
    z: float


def seasonal_alarms(
    series: MetricSeries,
    *,
    season: timedelta = timedelta(weeks=1),
    seasons: int = 6,
    threshold: float = 5.0,
    least_deviation: float = 0.0,
) -> tuple[Alarm, ...]:
    """Steps that differ from the same step of the seasons before them.

    z = (x - median) / max(1.4826 MAD, sqrt(max(median, 1)), least_deviation), over the same step in the last `seasons`
    seasons; at least 3 of them are needed. MAD is the median absolute deviation (Iglewicz and Hoaglin, 1993); the root
    keeps counts of equal weeks, whose MAD is 0, from alarming at their own noise. A step with an alarm is left out
    of what later steps are compared with. O(steps x seasons).

    Raises:
        InvalidArgumentError: the season is no multiple of the step, or numbers out of range.
    """
    period, rest = divmod(season // _MICROSECOND, series.step)
    if rest or period < 1 or seasons < 3 or not threshold > 0 or not least_deviation >= 0:
        raise InvalidArgumentError(
            f"season: expected a multiple of the step, at least 3 seasons and a threshold above 0, got {season}, "
            f"{seasons} and {threshold}",
            field="season",
        )
    clean = series.values.copy()
    alarms = []
    for at in range(3 * period, len(clean)):
        earlier = clean[max(at % period, at - seasons * period) : at : period]
        earlier = earlier[~np.isnan(earlier)]
        observed = float(series.values[at])
        if len(earlier) < 3 or np.isnan(observed):
            continue
        expected = float(np.median(earlier))
        spread = _MAD_TO_DEVIATION * float(np.median(np.abs(earlier - expected)))
        z = (observed - expected) / max(spread, max(expected, 1.0) ** 0.5, least_deviation)
        if abs(z) >= threshold:
            alarms.append(Alarm(series.name, int(series.starts[at]), observed, expected, z))
            clean[at] = np.nan
    return tuple(alarms)
