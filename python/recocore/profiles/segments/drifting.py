"""Drift: how far a population has moved between two builds, by the population stability index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from recocore.errors import InvalidArgumentError
from recocore.ops.arguments import integer
from recocore.profiles.segments.clustering import features_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.profiles.features import Features
    from recocore.profiles.table import ProfileTable
    from recocore.types import AnyArray, Float64Array

# A share of 0 would make the index infinite: a bin counts as if it had at least half a user of ten thousand.
_FLOOR = 5e-5

# The customary reading (Siddiqi 2006, "Credit risk scorecards"): below 0.1 stable, above 0.25 shifted.
_STABLE, _SHIFTED = 0.1, 0.25


def psi(before: Any, after: Any, bins: int = 10) -> float:
    """The population stability index Σ (a - e) ln(a / e) over bins, e before and a after.

    Numbers are binned by the quantiles of `before`, equal values always in one bin; texts by value; what is missing is a bin of
    its own. A share counts as at least 0.00005. O(n log n).

    Args:
        before: numbers, or texts as objects, `[n]`.
        after: of the same kind, `[m]`.
        bins: of numbers.

    Raises:
        InvalidArgumentError: one side is empty.

    Example:
        >>> psi([1, 2, 3, 4], [1, 2, 3, 4], bins=4)
        0.0
        >>> round(psi([1, 1, 2, 2], [1, 2, 2, 2], bins=2), 4)  # (1/4 - 1/2) ln(1/2) + (3/4 - 1/2) ln(3/2)
        0.2747
    """
    old, new = np.asarray(before), np.asarray(after)
    integer(bins, "bins", 2)
    for name, values in (("before", old), ("after", new)):
        if values.ndim != 1 or not len(values):
            raise InvalidArgumentError(f"{name}: expected at least one value, got shape {values.shape}", field=name)
    if old.dtype.kind in "iufb":
        places = _binned(old.astype(np.float64), new.astype(np.float64), bins)
    else:
        names = {value: place for place, value in enumerate(dict.fromkeys([*old.tolist(), *new.tolist()]))}
        places = tuple(np.array([names[value] for value in side.tolist()], np.int64) for side in (old, new))  # type: ignore[assignment]  # two
    width = int(max(side.max() for side in places)) + 1
    expected, actual = (np.bincount(side, minlength=width) / len(side) for side in places)
    seen = (expected > 0) | (actual > 0)
    expected, actual = (np.maximum(side[seen], _FLOOR) for side in (expected, actual))
    return float(((actual - expected) * np.log(actual / expected)).sum())


def drift(
    before: Features | ProfileTable | pa.Table,
    after: Features | ProfileTable | pa.Table,
    features: Sequence[str] | None = None,
    bins: int = 10,
) -> pa.Table:
    """The index of every feature between two builds, the most drifted first.

    Args:
        before: the earlier profiles.
        after: the later ones; they need not be of the same users.
        features: names; by default all that both have.
        bins: of numbers.

    Returns:
        `feature`, `psi`, `verdict`: stable below 0.1, moderate, or shifted above 0.25.

    Raises:
        InvalidArgumentError: a side without users.
        NotFoundError: a feature that a side lacks.
    """
    old, new = features_of(before), features_of(after)
    names = [name for name in old if name in new] if features is None else list(features)
    for name in names:
        for side in (old, new):
            if name not in side:
                side.numbers(name)  # refuses it by name
    indices = [psi(old[name], new[name], bins) for name in names]
    order = sorted(range(len(names)), key=lambda place: (-indices[place], names[place]))
    verdicts = ["shifted" if value > _SHIFTED else "moderate" if value >= _STABLE else "stable" for value in indices]
    return pa.table(
        {
            "feature": pa.array([names[place] for place in order], pa.string()),
            "psi": pa.array([indices[place] for place in order], pa.float64()),
            "verdict": pa.array([verdicts[place] for place in order], pa.string()),
        }
    )


def _binned(old: Float64Array, new: Float64Array, bins: int) -> tuple[AnyArray, AnyArray]:
    """The bin of each value by the quantiles of `old`; the last one is of missing values."""
    known = old[np.isfinite(old)]
    edges = (
        np.unique(np.quantile(known, np.arange(1, bins) / bins, method="inverted_cdf")) if len(known) else np.empty(0)
    )
    return tuple(  # type: ignore[return-value]  # of two
        np.where(np.isfinite(side), np.searchsorted(edges, side, side="left"), len(edges) + 1) for side in (old, new)
    )
