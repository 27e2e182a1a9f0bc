"""Cut points: what a population says about one user, frozen so that stream and batch score alike."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.errors import CorruptError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recocore.types import AnyArray, Float64Array, Int64Array

LEVELS = 100


@dataclass(frozen=True, slots=True)
class CutPoints:
    """The lowest value of each score above 1, each category's offers by price, and when everybody is there.

    A score is `1 + #{cuts ≤ value}`: of ascending cuts, ties share one score. A part that is left empty is fitted to the
    users of each table. `version` names the content.

    Attributes:
        recency: days since the last purchase, `bins - 1` ascending cuts; its score is reversed, so that the latest is best.
        frequency: orders, `bins - 1` ascending cuts.
        monetary: net spend in minor units, `bins - 1` ascending cuts.
        level: decayed spend, 99 ascending cuts.
        hours: the population's shares of the 168 local hours of a week, towards which a user's few events are drawn.
        offers: category → (prices in minor units, ascending; how many items were offered at each).
    """

    recency: tuple[float, ...] = ()
    frequency: tuple[float, ...] = ()
    monetary: tuple[float, ...] = ()
    level: tuple[float, ...] = ()
    hours: tuple[float, ...] = ()
    offers: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name in ("recency", "frequency", "monetary", "level"):
            cuts = tuple(float(cut) for cut in getattr(self, name))
            if any(math.isnan(cut) for cut in cuts) or list(cuts) != sorted(cuts):
                raise InvalidArgumentError(f"{name}: expected ascending cut points, got {cuts}", field=name)
            object.__setattr__(self, name, cuts)
        hours = tuple(float(share) for share in self.hours)
        if len(hours) not in {0, 168} or not all(0 <= share <= 1 for share in hours):
            raise InvalidArgumentError(f"hours: expected 168 shares of a week, got {hours}", field="hours")
        object.__setattr__(self, "hours", hours)
        object.__setattr__(self, "offers", MappingProxyType(dict(sorted(self.offers.items()))))

    @property
    def bins(self) -> int:
        """How many scores the cuts of `frequency` make."""
        return len(self.frequency) + 1

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits of the content."""
        text = json.dumps(self.to_body(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_body(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "recency": [_plain(cut) for cut in self.recency],
            "frequency": [_plain(cut) for cut in self.frequency],
            "monetary": [_plain(cut) for cut in self.monetary],
            "level": [_plain(cut) for cut in self.level],
            "hours": list(self.hours),
            "offers": {name: [list(prices), list(counts)] for name, (prices, counts) in self.offers.items()},
        }

    @classmethod
    def from_body(cls, body: Any) -> CutPoints:
        """What `to_body` made.

        Raises:
            CorruptError: it is not that.
        """
        try:
            cuts = {name: tuple(map(float, body[name])) for name in ("recency", "frequency", "monetary", "level")}
            offers = {name: (tuple(prices), tuple(counts)) for name, (prices, counts) in body["offers"].items()}
            return cls(**cuts, hours=tuple(body["hours"]), offers=offers)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CorruptError(f"cut points: expected what to_body made, got {error}") from error


def _plain(cut: float) -> float | str:
    return cut if math.isfinite(cut) else "inf"  # JSON has no infinity, and float("inf") reads it back


def quantile_scores(values: AnyArray, bins: int) -> Int64Array:
    """The score 1 to `bins` of each value: `1 + min(bins - 1, ⌊bins·p⌋)`, `p = (n_< + ½·n_=) / n`.

    Equal values share one score. int64 `[n]`; O(n log n).

    Example:
        >>> quantile_scores(np.array([1, 1, 1, 1, 9]), 5).tolist()
        [3, 3, 3, 3, 5]
    """
    distinct, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts
    # Twice p's numerator, so that the floor is taken of whole numbers.
    scores = 1 + np.minimum(bins - 1, bins * (2 * below + counts) // (2 * max(1, len(values))))
    return np.asarray(scores[inverse.reshape(-1)], np.int64) if len(distinct) else np.empty(0, np.int64)


def fit_cuts(values: AnyArray, bins: int) -> tuple[float, ...]:
    """The cuts at which `quantile_scores` of these values rises; inf where no value gets the score."""
    if not len(values):
        return (math.inf,) * (bins - 1)
    distinct, counts = np.unique(values, return_counts=True)
    below = np.cumsum(counts) - counts
    scores = 1 + np.minimum(bins - 1, bins * (2 * below + counts) // (2 * len(values)))
    first = np.searchsorted(scores, np.arange(2, bins + 1), side="left")
    return tuple(float(distinct[at]) if at < len(distinct) else math.inf for at in first)


def apply_cuts(values: AnyArray, cuts: Sequence[float]) -> Int64Array:
    """`1 + #{cuts ≤ value}` of each value: int64 `[n]`."""
    edges: Float64Array = np.asarray(cuts, np.float64)
    return np.asarray(1 + np.searchsorted(edges, values, side="right"), np.int64)


def place_in_groups(groups: AnyArray, values: AnyArray) -> Float64Array:
    """`(n_< + ½·n_=) / n` of each value among the values of its group. float64 `[n]`; O(n log n).

    Example:
        >>> place_in_groups(np.array([0, 0, 1]), np.array([5, 9, 5])).tolist()
        [0.25, 0.75, 0.5]
    """
    order = np.lexsort((values, groups))
    group, value = groups[order], values[order]
    begin = np.searchsorted(group, group, side="left")
    size = np.searchsorted(group, group, side="right") - begin
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (group[1:] != group[:-1]) | (value[1:] != value[:-1])
    run = np.cumsum(fresh) - 1
    first = np.flatnonzero(fresh)
    equal = np.diff(np.append(first, len(order)))[run]
    places = np.empty(len(order))
    places[order] = (2 * (first[run] - begin) + equal) / (2 * size)
    return places
