"""How good a ranking by risk is where fraud is rare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.types import AnyArray, Float64Array, Int64Array

_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Precision and recall at each threshold from the highest down, one point for each different score."""

    precision: Float64Array
    recall: Float64Array
    false_positive_rate: Float64Array
    threshold: Float64Array


def curve(labels: Float64Array, scores: Float64Array, weights: Float64Array | None = None) -> Curve:
    """The curve of a ranking: labels 0 and 1, scores, how often each row counts; `[n]` each. O(n log n).

    Raises:
        InvalidArgumentError: shapes differ, a score is NaN, or no label is 1.
    """
    if labels.shape != scores.shape or labels.ndim != 1 or np.isnan(scores).any() or not (labels == 1).any():
        raise InvalidArgumentError("labels: expected 0 and 1, some of them 1, and a score each", field="labels")
    order = np.argsort(-scores, kind="stable")
    return _curve_in_order(labels[order], scores[order], None if weights is None else weights[order])


def _curve_in_order(labels: Float64Array, scores: Float64Array, weights: Float64Array | None) -> Curve:
    counted = np.ones(len(labels)) if weights is None else weights
    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    found = np.cumsum(labels * counted)[ends]
    taken = np.cumsum(counted)[ends]
    false = taken - found
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(taken > 0, found / taken, 1.0)
        return Curve(precision, found / found[-1], false / false[-1] if false[-1] else false, scores[ends])


def average_precision(labels: Float64Array, scores: Float64Array) -> float:
    """Sum over thresholds of precision times the recall gained there: what scikit-learn's `average_precision_score` is.

    Its value for a random ranking is the share of 1 among the labels: always say it beside.

    Example:
        >>> average_precision(np.array([1.0, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1]))
        0.8333333333333333
    """
    return _area(curve(labels, scores))


def _area(points: Curve) -> float:
    return float((np.diff(points.recall, prepend=0.0) * points.precision).sum())


def recall_at_fpr(labels: Float64Array, scores: Float64Array, rate: float) -> float:
    """The greatest recall of a threshold at which no more than `rate` of the good rows are flagged."""
    points = curve(labels, scores)
    fine = points.recall[points.false_positive_rate <= rate]
    return float(fine[-1]) if len(fine) else 0.0


def precision_at_daily_budget(labels: Float64Array, scores: Float64Array, times: Int64Array, budget: int) -> float:
    """The share of fraud among the `budget` highest scores of each day (UTC), on average over days with an event.

    A day with fewer events is divided by what it has. Of equal scores the earlier row comes first.
    """
    days = times // _DAY_US
    order = np.lexsort((-scores, days))
    ordered_days, ordered = days[order], labels[order]
    _, begins, counts = np.unique(ordered_days, return_index=True, return_counts=True)
    shares = [ordered[begin : begin + min(budget, count)].mean() for begin, count in zip(begins, counts, strict=True)]
    return float(np.mean(shares))


def area_under_roc(labels: Float64Array, scores: Float64Array) -> float:
    """The chance that a fraud scores higher than a good row, ties half (Mann-Whitney)."""
    points = curve(labels, scores)
    x = np.concatenate([[0.0], points.false_positive_rate])
    y = np.concatenate([[0.0], points.recall])
    return float(np.trapezoid(y, x))


def bootstrap_interval(
    labels: Float64Array,
    scores: Float64Array,
    clusters: AnyArray,
    measure: Callable[[Curve], float] | None = None,
    *,
    samples: int = 200,
    coverage: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """A percentile bootstrap of a measure of the curve, average precision by default, drawing whole clusters.

    One user's events are alike, so rows drawn one by one would make the interval too narrow; whole users are drawn.
    O(samples x rows) after one sort.
    """
    order = np.argsort(-scores, kind="stable")
    ordered_labels, ordered_scores = labels[order], scores[order]
    _, places = np.unique(clusters, return_inverse=True)
    places = places[order]
    count = int(places.max()) + 1
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(samples):
        weights = np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)[places]
        if (weights * ordered_labels).any():
            found.append((measure or _area)(_curve_in_order(ordered_labels, ordered_scores, weights)))
    low, high = np.quantile(found, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)
