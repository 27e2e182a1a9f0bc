"""What is known of somebody, ready to rank items by: a record, what they did just now, or items to be like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from recocore import _native
from recocore.csr import Csr
from recocore.recommendations import Contribution, Recommendations

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.types import Float32Array, Int32Array, NativeFilter


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """What somebody did just now, in the order in which they did it.

    Attributes:
        items: int32 `[e]`.
        weights: float32 `[e]`, below 0 for a dislike; with a model of ratings, the ratings.
    """

    items: Int32Array
    weights: Float32Array

    def __len__(self) -> int:
        return len(self.items)

    def added_to(self, items: Int32Array, weights: Float32Array) -> tuple[Int32Array, Float32Array]:
        """The entries of a row with these added, items rising; what adds up to 0 stays, as an entry without weight."""
        every, at = np.unique(np.concatenate([items, self.items]), return_inverse=True)
        summed = np.bincount(at, np.concatenate([weights, self.weights]), len(every))
        return every.astype(np.int32), summed.astype(np.float32)

    def put_over(self, items: Int32Array, weights: Float32Array) -> tuple[Int32Array, Float32Array]:
        """The entries of a row, items rising, with the last event of an item in place of its entry."""
        last = np.concatenate([items, self.items])[::-1]
        every, at = np.unique(last, return_index=True)
        return every.astype(np.int32), np.concatenate([weights, self.weights])[::-1][at].astype(np.float32)


class Profiles(Protocol):
    """Profiles of n users, visitors or sets of items."""

    def __len__(self) -> int:
        """How many they are."""
        ...

    def rank(
        self, rows: Int32Array, k: int, lists: NativeFilter, boosts: Float32Array | None = None, num_threads: int = 0
    ) -> Recommendations:
        """The k best items of some profiles.

        Args:
            rows: which profiles; `lists` has its rows in the same order.
            k: how many.
            lists: which items may come back.
            boosts: float32 `[n_items]`, added to the scores; an item without a score is ranked by a boost above 0 alone.
            num_threads: 0 for one a core.
        """
        ...

    def explain(self, row: int, items: Int32Array, limit: int) -> list[list[Contribution]]:
        """For each item, what of the profile adds most to its score; see `Scorer.explain`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class SparseProfiles:
    """Profiles whose scores are the rows of a sparse product; items that nothing links to them have none.

    Attributes:
        left: `[n, x]`, a row for each profile.
        right: `[x, n_items]`.
        explained: what `explain` answers, None for nothing.
        positive: whether only scores above 0 count.
    """

    left: Csr
    right: Csr
    explained: Callable[[int, Int32Array, int], list[list[Contribution]]] | None = None
    positive: bool = False

    def __len__(self) -> int:
        return self.left.shape[0]

    def rank(
        self, rows: Int32Array, k: int, lists: NativeFilter, boosts: Float32Array | None = None, num_threads: int = 0
    ) -> Recommendations:
        """See `Profiles`."""
        if boosts is not None:
            return boosted(lambda k, lists: self.rank(rows, k, lists, None, num_threads), len(rows), k, lists, boosts)
        ids, scores = _native.matmul_topk_padded(
            self.left.native, rows, self.right.native, k, **lists, num_threads=num_threads
        )
        if self.positive:
            ids, scores = np.where(scores > 0, ids, np.int32(-1)), np.where(scores > 0, scores, np.float32(-np.inf))
        return Recommendations(ids, scores)

    def explain(self, row: int, items: Int32Array, limit: int) -> list[list[Contribution]]:
        """See `Profiles`."""
        return [[] for _ in items] if self.explained is None else self.explained(row, items, limit)


def stacked(rows: list[tuple[Int32Array, Float32Array]], columns: int) -> Csr:
    """A matrix of rows that are given by their entries, columns rising."""
    indptr = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(indices) for indices, _ in rows], out=indptr[1:])
    indices = np.concatenate([np.empty(0, np.int32), *(indices for indices, _ in rows)])
    values = np.concatenate([np.empty(0, np.float32), *(values for _, values in rows)])
    return Csr(indptr, indices, values, (len(rows), columns))


def boosted(
    rank: Callable[[int, NativeFilter], Recommendations], n: int, k: int, lists: NativeFilter, boosts: Float32Array
) -> Recommendations:
    """The k best items of n profiles with boosts, from a ranking that knows none: those with a boost are all scored.

    Args:
        rank: the k best items among those of some lists.
        n: the number of profiles.
        k: how many items.
        lists: which may come back; `allow` is None or ids for every profile.
        boosts: float32 `[n_items]`.
    """
    allow, block = lists["allow"], lists["block"]
    assert not isinstance(allow, tuple), "an allow-list of each profile"
    named = np.flatnonzero(boosts).astype(np.int32)
    rest = rank(k, {**lists, "block": named if block is None else np.union1d(block, named)})
    if allow is not None:
        named = np.intersect1d(allow, named)
    among: NativeFilter = {**lists, "allow": named}
    most = max(1, len(named))
    scored = rank(most, among)
    nothing = np.zeros((max(n, len(boosts)), 1), np.float32)
    admitted, _ = _native.topk(nothing[:n], nothing[: len(boosts)], most, **among, num_threads=1)
    ids, scores = np.full((n, k), -1, np.int32), np.full((n, k), -np.inf, np.float32)
    for row in range(n):
        known = scored.ids[row] >= 0
        alone = np.setdiff1d(admitted[row][admitted[row] >= 0], scored.ids[row])
        alone = alone[boosts[alone] > 0]
        others = rest.ids[row][rest.ids[row] >= 0]
        every = np.concatenate([others, scored.ids[row][known], alone])
        values = np.concatenate(
            [
                rest.scores[row][: len(others)],
                scored.scores[row][known] + boosts[scored.ids[row][known]],
                boosts[alone],
            ]
        )
        order = np.lexsort((every, -values))[:k]
        ids[row, : len(order)], scores[row, : len(order)] = every[order], values[order]
    return Recommendations(ids, scores)
