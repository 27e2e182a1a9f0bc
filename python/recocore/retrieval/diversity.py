r"""Maximal marginal relevance: each next item is the best one that is not like those already chosen.

Carbonell and Goldstein, The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries, SIGIR
1998, section 2, with R the candidates and S what is chosen:

    MMR = argmax_{d in R \ S} lambda * score(d) - (1 - lambda) * max_{j in S} cosine(d, j)

Scores are taken as they are. Scaled to [0, 1] by the best and the worst of a pool, as is common, the list would depend on
how large the pool happened to be, and no bound could tell that an item outside of it is out. So lambda weighs the units of
the scores against cosines: where scores are c times as large, lambda / (1 - lambda) must be c times as small for the same
lists. With cosines as scores both sides have one scale.

Cosines are summed in float64 and rounded to float32, so that what is equal but for the order of a sum is a tie. Ties go to the
higher score, then to the lower id. An item whose vector is zero has cosine 0 with all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from recocore.retrieval.group_caps import GroupCaps
    from recocore.types import Float32Array, Float64Array, Int32Array

# Rows that are widened to float64 at a time: 4 MiB at 128 factors.
_ROWS_AT_ONCE = 4096

# More than the rounding of cosines to float32, at most 6e-8 each, can take from their mean.
_ROUNDING = 1e-6


class Closeness:
    """How close each candidate is to the closest of the items chosen so far.

    Args:
        vectors: float32 `[c, f]` of the candidates.

    Attributes:
        closest: float64 `[c]`, the largest cosine with a chosen item; 0 while none is chosen.
        farthest: no item at all, candidate or not, has a largest cosine below minus this.
    """

    def __init__(self, vectors: Float32Array) -> None:
        self._vectors = vectors
        squares = np.empty(len(vectors))
        for rows in _blocks(len(vectors)):
            wide = vectors[rows].astype(np.float64)
            squares[rows] = np.einsum("ij,ij->i", wide, wide)
        self._inverse_norms = _inverse(np.sqrt(squares))
        self.closest = np.zeros(len(vectors))
        self.farthest = 1.0
        self._sum = np.zeros(vectors.shape[1])
        self._chosen = 0

    def choose(self, vector: Float32Array) -> None:
        """Count one more item, float32 `[f]`, among the chosen. O(c f)."""
        unit = vector.astype(np.float64)
        unit *= _inverse(np.sqrt(np.einsum("j,j->", unit, unit)))
        cosines = np.empty(len(self._vectors), np.float32)
        for rows in _blocks(len(self._vectors)):
            # Not `@`: BLAS may sum rows in different orders, and then copies of an item would not tie.
            products = np.einsum("ij,j->i", self._vectors[rows].astype(np.float64), unit)
            cosines[rows] = products * self._inverse_norms[rows]
        self.closest = np.maximum(self.closest, cosines) if self._chosen else cosines.astype(np.float64)
        self._sum += unit
        self._chosen += 1
        # The largest cosine is at least the mean, which is the product with the mean of the chosen unit vectors.
        length = float(np.sqrt(np.einsum("j,j->", self._sum, self._sum))) / self._chosen
        self.farthest = min(self.farthest, length + _ROUNDING)


def diversify(
    ids: Int32Array,
    scores: Float32Array,
    items: Float32Array,
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
        items: float32 `[m, f]`, the vectors of all items.
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
        >>> diversify(pool, scores, items, 3, 0.5, chosen=np.empty(0, np.int32))
        [0, 2, 1]
    """
    closeness = Closeness(items[ids])
    for item in chosen:
        closeness.choose(items[item])
    relevance = trade_off * scores.astype(np.float64)
    is_open = np.ones(len(ids), np.bool_) if caps is None else caps.open(ids)
    positions: list[int] = []
    while len(positions) < wanted and is_open.any():
        values = np.where(is_open, relevance - (1 - trade_off) * closeness.closest, -np.inf)
        best = int(np.argmax(values))
        if not is_open[best]:  # what is left scores -inf
            best = int(np.argmax(is_open))
        # While nothing is chosen the best is the pool's first, which nothing outside comes before.
        if outside is not None and (positions or len(chosen)):
            beyond = trade_off * outside + (1 - trade_off) * closeness.farthest
            if not values[best] > beyond:
                return None
        positions.append(best)
        is_open[best] = False
        if caps is not None:
            caps.admit(ids[best : best + 1])
            is_open &= caps.open(ids)
        closeness.choose(items[ids[best]])
    if len(positions) == wanted or outside is None or (caps is not None and caps.closed):
        return positions
    return None


def _inverse(norms: Float64Array) -> Float64Array:
    return np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)


def _blocks(count: int) -> list[slice]:
    return [slice(start, start + _ROWS_AT_ONCE) for start in range(0, count, _ROWS_AT_ONCE)]
