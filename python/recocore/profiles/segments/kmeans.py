"""k-means, seeded, and the silhouette that chooses k."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from recocore.types import Float64Array, Int64Array

# Rows whose distances to all centroids are held at once: 8 MB at 16 centroids.
_BLOCK = 65_536
_ROUNDS = 100
# As scikit-learn: the search ends when centroids move less than this part of the mean variance.
_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Where the centroids are.

    Attributes:
        centroids: `[k, n_features]`.
        labels: the nearest centroid of each row, the lower one of two, `[n]`.
        inertia: sum of squared distances to it.
    """

    centroids: Float64Array
    labels: Int64Array
    inertia: float


def kmeans(points: Float64Array, k: int, seed: int, starts: int = 4) -> Clusters:
    """The best of several Lloyd searches, each from k-means++ (Arthur, Vassilvitskii 2007).

    The same points and seed give the same clusters. O(starts x rounds x n x k x features).

    Args:
        points: float64 `[n, n_features]`.
        k: number of clusters, at most the number of distinct points.
        seed: of the random choices.
        starts: searches.
    """
    streams = np.random.default_rng(seed).spawn(starts)
    found = [lloyd(points, plus_plus(points, k, stream)) for stream in streams]
    return min(found, key=lambda clusters: clusters.inertia)


def plus_plus(points: Float64Array, k: int, rng: np.random.Generator) -> Float64Array:
    """Centroids far from each other: each is drawn in proportion to the squared distance to those before.

    Of a few draws the one that helps most is taken (greedy k-means++, as in scikit-learn).
    """
    tries = 2 + int(np.log(k))
    centroids = np.empty((k, points.shape[1]))
    centroids[0] = points[rng.integers(len(points))]
    nearest = ((points - centroids[0]) ** 2).sum(axis=1)
    for place in range(1, k):
        total = np.cumsum(nearest)
        drawn = np.minimum(np.searchsorted(total, rng.random(tries) * total[-1], side="right"), len(points) - 1)
        closer = [np.minimum(nearest, ((points - points[row]) ** 2).sum(axis=1)) for row in drawn]
        best = int(np.argmin([near.sum() for near in closer]))
        centroids[place] = points[drawn[best]]
        nearest = closer[best]
    return centroids


def lloyd(points: Float64Array, centroids: Float64Array) -> Clusters:
    """Move each centroid to the mean of its rows until they rest; one without rows goes to the farthest row."""
    rest = _TOLERANCE * float(points.var(axis=0).mean())
    labels, distances = nearest(points, centroids)
    for _ in range(_ROUNDS):
        sizes = np.bincount(labels, minlength=len(centroids))
        sums = np.column_stack([np.bincount(labels, column, len(centroids)) for column in points.T])
        moved = sums / np.maximum(sizes, 1)[:, None]
        empty = np.flatnonzero(sizes == 0)
        moved[empty] = points[np.argsort(-distances, kind="stable")[: len(empty)]]
        shift = float(((moved - centroids) ** 2).sum())
        centroids = moved
        before = labels
        labels, distances = nearest(points, centroids)
        if (shift <= rest or np.array_equal(before, labels)) and not len(empty):
            break
    return Clusters(centroids, labels, float(distances.sum()))


def nearest(points: Float64Array, centroids: Float64Array) -> tuple[Int64Array, Float64Array]:
    """The nearest centroid of each row, the lower one of two, and the squared distance to it."""
    labels = np.empty(len(points), np.int64)
    distances = np.empty(len(points))
    norms = (centroids**2).sum(axis=1)
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK]
        partial = norms - 2 * (block @ centroids.T)
        rows = slice(start, start + len(block))
        labels[rows] = partial.argmin(axis=1)
        distances[rows] = ((block - centroids[labels[rows]]) ** 2).sum(axis=1)
    return labels, distances


def silhouette(points: Float64Array, labels: Int64Array) -> float:
    """The mean silhouette (b - a) / max(a, b) of all rows (Rousseeuw 1987); a row alone in its cluster counts 0.

    a is the mean distance to the others of the own cluster, b the least mean distance to another one. O(n² x features).

    Args:
        points: float64 `[n, n_features]`.
        labels: cluster of each row, of at least two clusters.
    """
    _, own = np.unique(labels, return_inverse=True)
    sizes = np.bincount(own)
    squares = (points**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * (points @ points.T), 0.0))
    np.fill_diagonal(distances, 0.0)
    sums = distances @ np.eye(len(sizes))[own]
    rows = np.arange(len(points))
    within = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[rows, own] = np.inf
    beyond = means.min(axis=1)
    worst = np.maximum(within, beyond)
    scores = np.where((sizes[own] > 1) & (worst > 0), (beyond - within) / np.where(worst > 0, worst, 1.0), 0.0)
    return float(scores.mean())
