"""The rankings that a list is made of: the model's, likeness to the items at hand, and popularity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recocore.index.results import CONTEXT, POPULAR

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.index.lists import Lists
    from recocore.index.popular import PopularItems
    from recocore.scoring import Profiles, Scorer
    from recocore.types import Float32Array, Int32Array, NativeFilter, NativeRows

# Of the model, or which fallback's; in the order of `results.Fallback`, so that the last one used is the largest.
BY_MODEL, BY_LIKENESS, BY_POPULARITY = range(3)


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Some items of a ranking, best first: ids int32 `[c]` and scores float32 `[c]`."""

    ids: Int32Array
    scores: Float32Array

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, ids: Int32Array, scores: Float32Array) -> Ranked:
        """A padded row."""
        length = int(np.count_nonzero(ids >= 0))
        return cls(ids[:length], scores[:length])


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """One ranking.

    Attributes:
        kind: of the model, or which fallback's.
        source: what its items are said to come from, a position in `SOURCES`.
        read: its first n items among those of some lists; fewer where there are no more.
    """

    kind: int
    source: int
    read: Callable[[int, Lists], Ranked]


@dataclass(frozen=True, slots=True, eq=False)
class ReadAhead:
    """The beginning of a ranking that was read together with those of others.

    Attributes:
        lists: by which it was read.
        n: how far.
        ranked: what came.
    """

    lists: Lists
    n: int
    ranked: Ranked


def by_model(
    profiles: Profiles,
    row: int,
    source: int,
    boosts: Float32Array | None,
    exclude: list[NativeRows],
    num_threads: int,
    ahead: ReadAhead | None = None,
) -> Ranking:
    """The ranking of one profile.

    Args:
        profiles: among which it is.
        row: which one.
        source: what its items are said to come from.
        boosts: what is added to its scores.
        exclude: its own items.
        num_threads: 0 for one a core.
        ahead: what has been read already.
    """
    rows = np.array([row], np.int32)

    def read(n: int, lists: Lists) -> Ranked:
        if ahead is not None and lists is ahead.lists and (n <= ahead.n or len(ahead.ranked) < ahead.n):
            return Ranked(ahead.ranked.ids[:n], ahead.ranked.scores[:n])
        native: NativeFilter = {**lists.native, "exclude": exclude}
        n = min(n, max(1, len(lists.popular)))  # memory is taken for n
        found = profiles.rank(rows, n, native, boosts, num_threads)
        return Ranked.of(found.ids[0], found.scores[0])

    return Ranking(BY_MODEL, source, read)


def by_likeness(scorer: Scorer, seeds: Int32Array, exclude: list[NativeRows], num_threads: int) -> Ranking:
    """The items most like some items, one at least."""
    found = by_model(scorer.alike(seeds, seeds[:0]), 0, CONTEXT, None, exclude, num_threads)
    return Ranking(BY_LIKENESS, CONTEXT, found.read)


def by_order(items: Int32Array, popular: PopularItems, own: Int32Array) -> Ranking:
    """Some items in their order, less somebody's own, as what is popular."""

    def read(n: int, lists: Lists) -> Ranked:
        ids = items[lists.admit(items) & ~np.isin(items, own)][:n]
        return Ranked(ids, popular.counts[ids].astype(np.float32))

    return Ranking(BY_POPULARITY, POPULAR, read)


def by_popularity(popular: PopularItems, own: Int32Array) -> Ranking:
    """What most users have, less somebody's own items."""

    def read(n: int, lists: Lists) -> Ranked:
        ids = lists.first_popular(n, own)
        return Ranked(ids, popular.counts[ids].astype(np.float32))

    return Ranking(BY_POPULARITY, POPULAR, read)
