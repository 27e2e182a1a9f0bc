"""Figures of repeated timings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

_RESAMPLES = 4000
_SEED = 20


@dataclass(frozen=True, slots=True)
class Summary:
    """Timings of one competitor on one case.

    Attributes:
        seconds: every timing, in the order of the rounds.
        median: of them.
        p95: their 95th percentile, interpolated.
        spread: the median absolute deviation from the median.
    """

    seconds: tuple[float, ...]
    median: float
    p95: float
    spread: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times longer a peer takes: the ratio of medians, with a 95 % interval."""

    value: float
    low: float
    high: float


def summarize(seconds: Sequence[float]) -> Summary:
    """The summary of at least one timing.

    Example:
        >>> summarize([3.0, 1.0, 2.0, 2.0, 9.0]).median
        2.0
    """
    times = np.asarray(seconds, np.float64)
    median = float(np.median(times))
    spread = float(np.median(np.abs(times - median)))
    return Summary(tuple(times.tolist()), median, float(np.percentile(times, 95)), spread)


def ratio_of_medians(peer: Sequence[float], ours: Sequence[float]) -> Ratio:
    """Median of `peer` over median of `ours`; the interval resamples whole rounds, since a round's noise hits both.

    Args:
        peer: `[rounds]` seconds.
        ours: `[rounds]` seconds of the same rounds.

    Returns:
        The ratio and the 2.5th and 97.5th percentile of its seeded bootstrap.
    """
    top, bottom = np.asarray(peer, np.float64), np.asarray(ours, np.float64)
    rounds = np.random.default_rng(_SEED).integers(0, len(top), (_RESAMPLES, len(top)))
    resampled = np.median(top[rounds], axis=1) / np.median(bottom[rounds], axis=1)
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Ratio(float(np.median(top) / np.median(bottom)), float(low), float(high))


def power_law(sizes: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """Slope and factor of `seconds = factor * sizes ** slope`, by least squares on logarithms; slope 1 is linear time."""
    slope, intercept = np.polyfit(np.log(sizes), np.log(seconds), 1)
    return float(slope), float(np.exp(intercept))
