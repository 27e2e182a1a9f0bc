r"""Maximal marginal relevance: each next item is the best one that is not like those already chosen.

Carbonell and Goldstein, The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries, SIGIR
1998, section 2, with R the candidates and S what is chosen:

    MMR = argmax_{d in R \ S} lambda * score(d) - (1 - lambda) * max_{j in S} cosine(d, j)

Scores are taken as they are. Scaled to [0, 1] by the best and the worst of a pool, as is common, the list would depend on
how large the pool happened to be, and no bound could tell that an item outside of it is out. So lambda weighs the units of
the scores against cosines: where scores are c times as large, lambda / (1 - lambda) must be c times as small for the same
lists. With cosines as scores both sides have one scale.

Where there are no vectors, a `Likeness` says what the cosines are.

Cosines are summed in float64 and rounded to float32, so that what is equal but for the order of a sum is a tie. Ties go to the
higher score, then to the lower id. An item whose vector is zero has cosine 0 with all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from recocore.retrieval.directions import unit_rows

if TYPE_CHECKING:
    from recocore.retrieval.group_caps import GroupCaps
    from recocore.types import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array

# Rows that are widened to float64 at a time: 4 MiB at 128 factors.
_ROWS_AT_ONCE = 4096

# How many candidates are looked at first for a place, those that promise most; then four times as many, and so on.
_FIRST_LOOK = 64

# More than the rounding of cosines to float32, at most 6e-8 each, can take from their mean.
_ROUNDING = 1e-6


class Likeness(Protocol):
    """The cosines of items with each other."""

    def cosines(self, ids: Int32Array, others: Int32Array) -> Float64Array:
        """Of each item with each other one, float64 `[len(ids), len(others)]`."""
        ...

    def mean_length(self, ids: Int32Array) -> float:
        """The length of the mean of the items' unit vectors, or at least a bound from above."""
        ...


class VectorLikeness:
    """The cosines of vectors.

    Args:
        items: float32 `[m, f]`, the vectors of all items.
    """

    def __init__(self, items: Float32Array) -> None:
        self._items = items

    def cosines(self, ids: Int32Array, others: Int32Array) -> Float64Array:
        """See `Likeness`."""
        # Not `@`: BLAS may sum rows in different orders, and then copies of an item would not tie.
        found: Float64Array = np.einsum("if,jf->ij", unit_rows(self._items[ids]), unit_rows(self._items[others]))
        return found

    def mean_length(self, ids: Int32Array) -> float:
        """See `Likeness`."""
        mean = unit_rows(self._items[ids]).sum(axis=0) / len(ids)
        return float(np.sqrt(np.einsum("j,j->", mean, mean)))


class Closeness:
    """How close candidates are to the closest of the items chosen so far, computed for those that are asked about.

    Args:
        likeness: of all items.
        ids: int32 `[c]` of the candidates.

    Attributes:
        farthest: no item at all, candidate or not, has a largest cosine below minus this.
    """

    def __init__(self, likeness: Likeness, ids: Int32Array) -> None:
        self._likeness = likeness
        self._ids = ids
        self._closest = np.full(len(ids), -np.inf)  # over the first of the chosen, as many as are compared
        self._compared = np.zeros(len(ids), np.int32)
        self._chosen = np.empty(0, np.int32)
        self.farthest = 1.0

    def __len__(self) -> int:
        """The number of chosen items."""
        return len(self._chosen)

    def choose(self, item: int) -> None:
        """Count one more item, candidate or not, among the chosen. O(f chosen)."""
        self._chosen = np.append(self._chosen, np.int32(item))
        # The largest cosine is at least the mean, which is the product with the mean of the chosen unit vectors.
        self.farthest = min(self.farthest, self._likeness.mean_length(self._chosen) + _ROUNDING)

    def at_least(self) -> Float64Array:
        """For each candidate a number that its largest cosine is not below, float64 `[c]`; 0 while nothing is chosen."""
        return np.maximum(self._closest, -self.farthest) if len(self) else np.zeros(len(self._ids))

    def is_exact(self) -> BoolArray:
        """For which candidates `at_least` is the largest cosine itself."""
        exact: BoolArray = self._compared == len(self)
        return exact

    def compare(self, positions: Int64Array) -> None:
        """Make `at_least` exact for these candidates. O(f) for each and each chosen item that it is not yet compared to."""
        for compared in np.unique(self._compared[positions]):
            behind = positions[self._compared[positions] == compared]
            for start in range(0, len(behind), _ROWS_AT_ONCE):
                rows = behind[start : start + _ROWS_AT_ONCE]
                cosines = self._likeness.cosines(self._ids[rows], self._chosen[compared:])
                closest = cosines.astype(np.float32).max(axis=1, initial=-np.inf)
                self._closest[rows] = np.maximum(self._closest[rows], closest)
        self._compared[positions] = len(self)


def diversify(
    ids: Int32Array,
    scores: Float32Array,
    likeness: Likeness,
    wanted: int,
    trade_off: float,
    *,
    chosen: Int32Array,
    caps: GroupCaps | None = None,
    outside: float | None = None,
) -> list[int] | None:
    """Choose by maximal marginal relevance from a pool of candidates, and prove that none outside of it is missed.

    Args:
        ids: int32 `[c]`, the pool: score descending, then id ascending.
        scores: float32 `[c]`, their scores.
        likeness: of all items.
        wanted: how many to choose.
        trade_off: lambda.
        chosen: int32 ids that count as chosen already.
        caps: the room in each group; what is chosen is taken from it.
        outside: no candidate outside of the pool scores more than this, nor comes before the pool's last in order; None
            if there are none.

    Returns:
        Positions in the pool in the order of their choice, fewer than wanted where no candidate is left; or None where a
        candidate outside of the pool could have been chosen, and a larger pool is needed. O(wanted c f).

    Example:
        >>> items = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
        >>> pool, scores = np.arange(3, dtype=np.int32), np.array([0.9, 0.8, 0.5], np.float32)
        >>> diversify(pool, scores, VectorLikeness(items), 3, 0.5, chosen=np.empty(0, np.int32))
        [0, 2, 1]
    """
    closeness = Closeness(likeness, ids)
    for item in chosen:
        closeness.choose(int(item))
    relevance = trade_off * scores.astype(np.float64)
    is_open = np.ones(len(ids), np.bool_) if caps is None else caps.open(ids)
    positions: list[int] = []
    while len(positions) < wanted and is_open.any():
        best, value = _best(relevance, 1 - trade_off, closeness, is_open)
        # While nothing is chosen the best is the pool's first, which nothing outside comes before.
        if outside is not None and len(closeness):
            beyond = trade_off * outside + (1 - trade_off) * closeness.farthest
            if not value > beyond:
                return None
        positions.append(best)
        is_open[best] = False
        if caps is not None:
            caps.admit(ids[best : best + 1])
            is_open &= caps.open(ids)
        closeness.choose(int(ids[best]))
    if len(positions) == wanted or outside is None or (caps is not None and caps.closed):
        return positions
    return None


def _best(relevance: Float64Array, weight: float, closeness: Closeness, is_open: BoolArray) -> tuple[int, float]:
    """The first open position of the largest value, and that value.

    What is chosen only makes values fall, so one that is compared with some of the chosen bounds the one to come (the lazy
    greedy of Minoux, Accelerated Greedy Algorithms, 1978): most candidates are never compared with most of the chosen.
    """
    look = _FIRST_LOOK
    while True:
        values = np.where(is_open, relevance - weight * closeness.at_least(), -np.inf)
        exact = closeness.is_exact() & is_open
        value = float(values[exact].max(initial=-np.inf))
        promising = np.flatnonzero(is_open & ~exact & (values >= value))
        if not len(promising):
            return int(np.argmax(exact & (values == value))), value
        if len(promising) > look:
            promising = promising[np.argpartition(-values[promising], look)[:look]]
        closeness.compare(promising)
        look *= 4
