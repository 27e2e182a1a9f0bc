"""Ranking with a fallback, on internal indices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recocore.scoring import CandidateFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recocore.index.popular import PopularItems
    from recocore.scoring import Scorer
    from recocore.types import Float32Array, Int32Array

_NO_ITEMS = np.empty(0, np.int32)
_NO_SCORES = np.empty(0, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """One user's list.

    Attributes:
        items: int32 `[m]` what the model ranks, best first.
        scores: float32 `[m]`.
        popular: int32 `[p]` what follows from the fallback; no item of `items` is in it, and m + p is at most k.
    """

    items: Int32Array
    scores: Float32Array
    popular: Int32Array


def rank(
    scorer: Scorer,
    users: Int32Array,
    k: int,
    *,
    exclude_seen: bool,
    allow: Int32Array | None,
    block: Int32Array | None,
    popular: PopularItems | None,
    num_threads: int,
) -> Iterator[Filled]:
    """The list of each user: the model's ranking, then popular items up to k that pass the same lists.

    Args:
        scorer: ranks the users that it knows; the others get popular items alone.
        users: int32 `[n]` rows of the interactions, -1 for a user who has none.
        k: the most items a list may have.
        exclude_seen: leave out each user's own items.
        allow: int32 items that may come back; None for all.
        block: int32 items that never do; None for no more than the above.
        popular: what fills the lists; None to leave them short.
        num_threads: 0 for one a core.
    """
    matrix = scorer.interactions
    known = users >= 0
    known[known] = scorer.knows(users[known])
    ranked = scorer.recommend(users[known], k, CandidateFilter(exclude_seen, allow, block), num_threads)
    pool = popular.ranked(allow) if popular else _NO_ITEMS
    blocked = _NO_ITEMS if block is None else block
    rows = iter(zip(ranked.ids, ranked.scores, strict=True))
    for user, is_known in zip(users.tolist(), known.tolist(), strict=True):
        items, scores = next(rows) if is_known else (_NO_ITEMS, _NO_SCORES)
        found = items >= 0
        items, scores = items[found], scores[found]
        filling = _NO_ITEMS
        if len(items) < k and len(pool):
            own = matrix.row(user)[0] if is_known and exclude_seen else _NO_ITEMS
            filling = _first(pool, k - len(items), np.concatenate([items, blocked, own]))
        yield Filled(items, scores, filling)


def _first(pool: Int32Array, n: int, excluded: Int32Array) -> Int32Array:
    """The first n of the pool that are not excluded."""
    head = pool[: n + len(excluded)]
    return head[~np.isin(head, excluded)][:n]
