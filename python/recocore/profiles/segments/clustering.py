"""Segmentation: users grouped by likeness, under numbers that stay from run to run."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
from scipy.optimize import linear_sum_assignment

from recocore.errors import CorruptError, InvalidArgumentError
from recocore.ops.arguments import integer
from recocore.profiles.features import Features
from recocore.profiles.segments.kmeans import kmeans, lloyd, nearest, silhouette
from recocore.profiles.segments.scaling import Scale
from recocore.storage.document import count, take
from recocore.storage.sealed_file import load_sealed, save_sealed

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Mapping, Sequence

    from recocore.profiles.table import ProfileTable
    from recocore.types import Float64Array, Int64Array

DEFAULT_FEATURES = ("days_since_last_event", "n_events", "active_days", "n_orders", "spend_net", "discount_affinity")

_FORMAT = 1
_MOST = 10
# The silhouette compares all pairs: 3,000 rows take a third of a second, and its standard error is about 0.005.
_SAMPLE = 3_000
# Starts and numbers of segments are tried on at most so many rows; the best is then carried on with all.
_TRIAL = 30_000


@dataclass(frozen=True, slots=True)
class Standout:
    """By which feature a segment differs from everybody.

    Attributes:
        feature: its name.
        median: of the segment, in the feature's unit.
        overall: of everybody.
        difference: of the segment's mean coordinate from everybody's, in robust standard deviations.
    """

    feature: str
    median: float
    overall: float
    difference: float


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """Centroids on a frozen scale, each with a number that later runs keep.

    Attributes:
        scale: how features become coordinates.
        centroids: float64 `[k, n_features]`, in the order of `numbers`.
        numbers: the segments' numbers, from 1, ascending. A number is never given to another segment again.
        next_number: the lowest that was never given.
        sizes: users at the fit, in the order of `numbers`.
        silhouettes: k → mean silhouette, for every k that was tried.
        seed: of the random choices.

    Example:
        >>> import pyarrow as pa
        >>> table = pa.table({"user_id": list(range(7)), "n_orders": [1, 2, 1, 2, 60, 70, 65], "visits": [1] * 7})
        >>> segments = Segmentation.fit(table, features=("n_orders", "visits"), k=2)
        >>> segments.assign(table).tolist(), segments.numbers
        ([1, 1, 1, 1, 2, 2, 2], (1, 2))
        >>> [standout.feature for standout in segments.explain(table)[2]]
        ['n_orders']
    """

    scale: Scale
    centroids: Float64Array
    numbers: tuple[int, ...]
    next_number: int
    sizes: tuple[int, ...]
    silhouettes: Mapping[int, float]
    seed: int

    @classmethod
    def fit(
        cls,
        profiles: Features | ProfileTable | pa.Table,
        features: Sequence[str] = DEFAULT_FEATURES,
        k: int | None = None,
        *,
        most: int = _MOST,
        seed: int = 0,
        previous: Segmentation | None = None,
    ) -> Self:
        """Group users by k-means on scaled features.

        Args:
            profiles: who to group.
            features: of numbers; a missing value counts as the median.
            k: how many segments; by default the number from 2 to `most` with the greatest silhouette of a sample.
            most: the largest k that is tried.
            seed: the same profiles and seed give the same segments.
            previous: an earlier run with the same features: segments take the numbers of its nearest centroids, paired so
                that all moves together are least (Kuhn 1955), and further ones new numbers. Without it, numbers go by size.

        Raises:
            InvalidArgumentError: fewer distinct users than segments, or a previous run of other features.
        """
        source = features_of(profiles)
        names = tuple(features)
        if not names or len(set(names)) < len(names):
            raise InvalidArgumentError(f"features: expected names, each once, got {names}", field="features")
        if previous is not None and previous.scale.features != names:
            raise InvalidArgumentError(
                f"previous: expected a segmentation by {', '.join(names)}, got one by {', '.join(previous.scale.features)}",
                field="previous",
            )
        scale = Scale.fit(source, names)
        points = scale.points(source)
        trial = _sample(points, _TRIAL, seed)
        distinct = len(np.unique(trial, axis=0)) if len(trial) else 0
        if distinct < 2:
            raise InvalidArgumentError(f"profiles: expected users who differ, got {distinct} kind", field="profiles")
        tried: dict[int, float] = {}
        if k is None:
            tried = _try(trial, range(2, min(integer(most, "most", 2), distinct) + 1), seed)
            k = max(tried, key=lambda number: (tried[number], -number))
        elif integer(k, "k", 2) > distinct:
            raise InvalidArgumentError(f"k: expected at most {distinct}, as many as users differ, got {k}", field="k")
        clusters = kmeans(trial, k, seed)
        if len(trial) < len(points):
            clusters = lloyd(points, clusters.centroids)
        sizes = np.bincount(clusters.labels, minlength=k)
        if previous is None:
            numbers, next_number = np.argsort(np.argsort(-sizes, kind="stable")) + 1, k + 1
        else:
            numbers, next_number = _match(scale.logs(clusters.centroids), previous)
        order = np.argsort(numbers)
        return cls(
            scale,
            clusters.centroids[order],
            tuple(int(numbers[place]) for place in order),
            next_number,
            tuple(int(sizes[place]) for place in order),
            MappingProxyType(tried),
            seed,
        )

    def assign(self, profiles: Features | ProfileTable | pa.Table) -> Int64Array:
        """The segment's number of every user, int64 `[n]`: the nearest centroid's, the lower number of two."""
        labels, _ = nearest(self.scale.points(features_of(profiles)), self.centroids)
        return np.asarray(self.numbers, np.int64)[labels]

    def assign_row(self, features: Mapping[str, object]) -> int:
        """The segment's number of one user, as `assign` gives it: see `recocore.profiles.row_features`."""
        row = pa.table(
            {"user_id": [""], **{name: pa.array([features.get(name)], pa.float64()) for name in self.scale.features}}
        )
        return int(self.assign(row)[0])

    def explain(self, profiles: Features | ProfileTable | pa.Table, top: int = 3) -> dict[int, list[Standout]]:
        """The features that stand out in each segment, the most different first; at least half a deviation apart."""
        source = features_of(profiles)
        points = self.scale.points(source)
        labels, _ = nearest(points, self.centroids)
        overall = points.mean(axis=0)
        said: dict[int, list[Standout]] = {}
        for place, number in enumerate(self.numbers):
            mine = labels == place
            if not mine.any():
                said[number] = []
                continue
            differences = points[mine].mean(axis=0) - overall
            said[number] = [
                Standout(
                    self.scale.features[at],
                    _median(source.numbers(self.scale.features[at])[mine]),
                    _median(source.numbers(self.scale.features[at])),
                    float(differences[at]),
                )
                for at in np.argsort(-np.abs(differences), kind="stable")[:top]
                if abs(differences[at]) >= 0.5
            ]
        return said

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON document, whole or not at all.

        Raises:
            OSError: the file system refuses.
        """
        body = {
            "features": list(self.scale.features),
            "fill": list(self.scale.fill),
            "center": list(self.scale.center),
            "spread": list(self.scale.spread),
            "centroids": self.centroids.tolist(),
            "numbers": list(self.numbers),
            "next_number": self.next_number,
            "sizes": list(self.sizes),
            "silhouettes": {str(k): value for k, value in self.silhouettes.items()},
            "seed": self.seed,
        }
        save_sealed(path, "segmentation", _FORMAT, body)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: nothing is there.
            CorruptError: the file is damaged or of another kind.
        """
        body = load_sealed(path, "segmentation", _FORMAT)
        try:
            parts = {name: tuple(take(body, name, list)) for name in ("features", "fill", "center", "spread")}
            return cls(
                Scale(**parts),
                np.asarray(take(body, "centroids", list), np.float64),
                tuple(take(body, "numbers", list)),
                count(body, "next_number"),
                tuple(take(body, "sizes", list)),
                MappingProxyType({int(k): float(value) for k, value in take(body, "silhouettes", dict).items()}),
                count(body, "seed"),
            )
        except (CorruptError, ValueError, TypeError) as error:
            raise CorruptError(f"{path}: {error}; fit the segments again") from None


def features_of(profiles: Features | ProfileTable | pa.Table) -> Features:
    """Features as they are, or those of profiles."""
    return profiles if isinstance(profiles, Features) else Features(profiles)


def _sample(points: Float64Array, most: int, seed: int) -> Float64Array:
    """At most so many rows, in their order."""
    if len(points) <= most:
        return points
    return points[np.sort(np.random.default_rng(seed).choice(len(points), most, replace=False))]


def _try(trial: Float64Array, numbers: Collection[int], seed: int) -> dict[int, float]:
    """The mean silhouette of each k, on a sample."""
    judged = _sample(trial, _SAMPLE, seed)
    scores: dict[int, float] = {}
    for k in numbers:
        labels, _ = nearest(judged, kmeans(trial, k, seed).centroids)
        if len(np.unique(labels)) > 1:
            scores[k] = silhouette(judged, labels)
    return scores


def _match(logs: Float64Array, previous: Segmentation) -> tuple[Int64Array, int]:
    """Numbers of new centroids by an earlier run's, and the next one that is free."""
    mine = previous.scale.of_logs(logs)
    costs = ((mine[:, None, :] - previous.centroids[None, :, :]) ** 2).sum(axis=2)
    rows, places = linear_sum_assignment(costs)
    numbers = np.zeros(len(logs), np.int64)
    numbers[rows] = np.asarray(previous.numbers)[places]
    free = previous.next_number
    for row in np.flatnonzero(numbers == 0):
        numbers[row] = free
        free += 1
    return numbers, free


def _median(values: Any) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")
