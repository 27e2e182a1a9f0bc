"""Change points: where the level of a series changed, exactly optimal, by PELT."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from recocore.fraud.alarms.series import MetricSeries
    from recocore.types import Float64Array


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A step from which on the level is another.

    Attributes:
        metric: the series' name.
        start: where the first step of the new level begins, microseconds since 1970.
        before, after: means of the segments on its two sides.
    """

    metric: str
    start: int
    before: float
    after: float


def change_points(
    series: MetricSeries, *, season_steps: int = 1, penalty: float = 3.0, least_steps: int = 5
) -> tuple[ChangePoint, ...]:
    """The segmentation that minimises squared deviations from the segments' means plus a penalty for each change.

    PELT (Killick, Fearnhead and Eckley, 2012): the exact minimum. The penalty is `penalty` x log(steps) x the noise's
    variance, which is estimated by the MAD of differences of neighbours, so that changes do not count as noise. With
    `season_steps` above 1, such as 24 for hours, the median of each place in the season is taken out first. Missing
    values are left out. O(steps) where changes are frequent, O(steps^2) at worst.

    Raises:
        InvalidArgumentError: a number out of range.

    Example:
        >>> from recocore.fraud.alarms import MetricSeries
        >>> values = np.concatenate([np.tile([9.0, 11.0], 20), np.tile([19.0, 21.0], 20)])
        >>> found = change_points(MetricSeries("orders", np.arange(80), 1, values))
        >>> [(change.start, change.before, change.after) for change in found]
        [(40, 10.0, 20.0)]
    """
    if season_steps < 1 or not 0 < penalty < math.inf or least_steps < 1:
        raise InvalidArgumentError(
            f"season_steps, penalty, least_steps: expected finite numbers above 0, got {season_steps}, {penalty} and "
            f"{least_steps}",
            field="penalty",
        )
    present = ~np.isnan(series.values)
    values, starts = series.values[present], series.starts[present]
    level = values.copy()
    if season_steps > 1:
        place = np.flatnonzero(present) % season_steps
        overall = float(np.median(values)) if len(values) else 0.0
        for at in np.unique(place):
            level[place == at] += overall - float(np.median(values[place == at]))
    cuts = optimal_cuts(level, penalty * math.log(max(len(level), 2)) * _noise_variance(level), least_steps)
    edges = [0, *cuts, len(level)]
    return tuple(
        ChangePoint(series.name, int(starts[at]), float(level[before:at].mean()), float(level[at:after].mean()))
        for before, at, after in zip(edges, edges[1:], edges[2:], strict=False)
    )


def _noise_variance(values: Float64Array) -> float:
    """From differences of neighbours, whose variance is twice the noise's."""
    if len(values) < 3:
        return 1.0
    steps = np.diff(values)
    deviation = 1.482602218505602 * float(np.median(np.abs(steps))) / math.sqrt(2)
    return max(deviation**2, 1e-12 * float(np.square(values).mean()), 1e-300)


def optimal_cuts(values: Float64Array, penalty: float, least_steps: int) -> list[int]:
    """Where the segments of the least squared deviation plus `penalty` a cut begin, the first segment apart."""
    count = len(values)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    squares = np.concatenate([[0.0], np.cumsum(values * values)])
    best = np.full(count + 1, math.inf)
    best[0] = -penalty
    previous = np.zeros(count + 1, np.int64)
    candidates = np.zeros(1, np.int64)
    for end in range(least_steps, count + 1):
        lengths = end - candidates
        total = sums[end] - sums[candidates]
        costs = best[candidates] + (squares[end] - squares[candidates] - total * total / lengths) + penalty
        ready = lengths >= least_steps
        chosen = int(np.argmin(np.where(ready, costs, math.inf)))
        best[end], previous[end] = costs[chosen], candidates[chosen]
        # A start that is worse by the penalty now can never be best again (Killick et al., theorem 3.1).
        kept = candidates[~ready | (costs - penalty <= best[end])]
        begin = end - least_steps + 1
        candidates = np.append(kept, begin) if begin >= least_steps and math.isfinite(best[begin]) else kept
    cuts: list[int] = []
    at = count
    while at > 0 and count >= least_steps:
        at = int(previous[at])
        if at > 0:
            cuts.append(at)
    return cuts[::-1]
