"""Lists that the model ranks and popular items fill, on internal indices: what most requests ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recocore.index.lists import NO_ITEMS
from recocore.index.results import MODEL, POPULAR, Filled, FilledColumns
from recocore.scoring import CandidateFilter

if TYPE_CHECKING:
    from recocore.index.asking import Ask
    from recocore.index.lists import Lists
    from recocore.index.popular import PopularItems
    from recocore.recommendations import Recommendations
    from recocore.scoring import Scorer
    from recocore.types import BoolArray, Int32Array, UInt8Array

_NO_SCORES = np.empty(0, np.float32)


def _all_of(source: int, most: int = 1024) -> UInt8Array:
    found = np.full(most, source, np.uint8)
    found.flags.writeable = False
    return found


# Most lists are of one source, and a slice of these.
_MODEL, _POPULAR = _all_of(MODEL), _all_of(POPULAR)


def rank_plain(
    scorer: Scorer, users: Int32Array, ask: Ask, lists: Lists, popular: PopularItems, num_threads: int
) -> list[Filled]:
    """The list of each user: the model's ranking, then popular items that pass the same lists.

    Args:
        scorer: ranks the users that it knows; the others get popular items alone.
        users: int32 `[n]` rows of the interactions, -1 for a user who has none.
        ask: a plain one.
        lists: of this ask.
        popular: counts of users, the scores of popular items.
        num_threads: 0 for one a core.
    """
    known, ranked = _ranked(scorer, users, ask, lists, popular, num_threads)
    found = _filled(scorer, users, ask, lists, popular, known, ranked)
    if ask.explain:
        found = [
            _explained(scorer, user, filled, ask.explain) for user, filled in zip(users.tolist(), found, strict=True)
        ]
    return found


def rank_plain_columns(
    scorer: Scorer, users: Int32Array, ask: Ask, lists: Lists, popular: PopularItems, num_threads: int
) -> FilledColumns:
    """`rank_plain` in columns, without reasons. Where the model fills every list nothing is done list by list."""
    known, ranked = _ranked(scorer, users, ask, lists, popular, num_threads)
    count, length = ranked.ids.shape
    is_full = count == len(users) and bool((ranked.ids[:, -1:] >= 0).all())
    if not is_full or (ask.fallbacks and length < _end(ask, popular)):
        return FilledColumns.of(_filled(scorer, users, ask, lists, popular, known, ranked))
    width = max(0, length - ask.offset)
    return FilledColumns(
        ranked.ids[:, ask.offset :].ravel(),
        ranked.scores[:, ask.offset :].ravel(),
        _sources(_MODEL, width * count),
        [width * row for row in range(1, count + 1)],
        ["none"] * count,
    )


def _end(ask: Ask, popular: PopularItems) -> int:
    return min(ask.end, max(1, len(popular.order)))


def _ranked(
    scorer: Scorer, users: Int32Array, ask: Ask, lists: Lists, popular: PopularItems, num_threads: int
) -> tuple[BoolArray, Recommendations]:
    """Which users the model knows, and what it ranks for those."""
    known = scorer.knows(users)
    those = users if known.all() else users[known]
    candidates = CandidateFilter(ask.exclude_seen, lists.allow, lists.block)
    return known, scorer.recommend(those, _end(ask, popular), candidates, num_threads)


def _filled(
    scorer: Scorer,
    users: Int32Array,
    ask: Ask,
    lists: Lists,
    popular: PopularItems,
    known: BoolArray,
    ranked: Recommendations,
) -> list[Filled]:
    end, offset = _end(ask, popular), ask.offset
    those = users[known]
    full = bool((ranked.ids[:, -1] >= 0).all())
    lengths = [ranked.ids.shape[1]] * len(those) if full else np.count_nonzero(ranked.ids >= 0, axis=1).tolist()
    rows = iter(zip(those.tolist(), ranked.ids, ranked.scores, lengths, strict=True))
    fills = bool(ask.fallbacks)
    found = []
    for is_known in known.tolist():
        user, items, scores, length = next(rows) if is_known else (-1, NO_ITEMS, _NO_SCORES, 0)
        if length >= end or not fills:
            filled = Filled(items[offset:length], scores[offset:length], _sources(_MODEL, max(0, length - offset)))
        else:
            own = scorer.interactions.row(user)[0] if is_known and ask.exclude_seen else NO_ITEMS
            excluded = np.concatenate([items[:length], own]) if is_known else NO_ITEMS
            filling = lists.first_popular(end - length, excluded)
            start = max(0, offset - length)
            tail = filling[start:]
            counts = popular.counts[tail].astype(np.float32)
            if length <= offset:
                filled = Filled(tail, counts, _sources(_POPULAR, len(tail)), "popular" if len(tail) else "none")
            else:
                filled = Filled(
                    np.concatenate([items[offset:length], tail]),
                    np.concatenate([scores[offset:length], counts]),
                    np.concatenate([_sources(_MODEL, length - offset), _sources(_POPULAR, len(tail))]),
                    "popular" if len(tail) else "none",
                )
        found.append(filled)
    return found


def _sources(some: UInt8Array, length: int) -> UInt8Array:
    return some[:length] if length <= len(some) else np.full(length, some[0], np.uint8)


def _explained(scorer: Scorer, user: int, filled: Filled, limit: int) -> Filled:
    """The list with reasons for the items of the model."""
    ranked = int(np.count_nonzero(filled.sources == MODEL))
    reasons = scorer.explain(user, filled.items[:ranked], limit) if ranked else []
    rest = len(filled.items) - ranked
    return Filled(
        filled.items, filled.scores, filled.sources, filled.fallback_used, (*reasons, *([] for _ in range(rest)))
    )
