"""Lists that keep the rules, exact over the whole catalogue.

A list under rules depends on few candidates, but on which is not known beforehand. So a pool is asked for: the items that a
rule names, all of them scored, and the best of the others. From it the list is made, with a proof at each step that no item
outside of the pool could have been taken; where there is none, the pool is doubled for that query and the list made anew.
Pools end at the catalogue, so every list is proven.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.csr import Csr
from recocore.errors import InvalidArgumentError
from recocore.memory import require_memory
from recocore.ops.arguments import checked_indices, integer
from recocore.recommendations import Recommendations
from recocore.retrieval.candidates import Candidates
from recocore.retrieval.diversity import VectorLikeness, diversify
from recocore.retrieval.group_caps import GroupCaps
from recocore.retrieval.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from recocore.retrieval.protocol import SupportsTopk
    from recocore.types import BoolArray, Float32Array, Int32Array, Int64Array

# Pairs of a query and a pool's item that are worked on at a time: some ten arrays of 4 or 8 bytes a pair, 100 MB.
_PAIRS_AT_ONCE = 1 << 21

# Where lists are capped or diversified, a pool starts with this many times k items. Lists of 20 with at most 2 of each of 200
# groups, from 200,000 items of 64 factors, took 20, 13 and 5 ms a query with 2, 4 and 16, nearly all of it retrieval.
_POOL_FOR_CHOICE = 16

# Tiers of a pool: buried items come after the others; what is no candidate, or pinned, comes last and is not counted.
_OPEN, _BURIED, _OUT = 0, 1, 2


def rank_with_rules(
    retriever: SupportsTopk,
    queries: Float32Array,
    k: int,
    rules: Rules,
    *,
    exclude: Any = None,
    allow: Any = None,
    block: Any = None,
) -> Recommendations:
    """Find the k items that each query gets under the rules, exactly: as if every item were looked at.

    Args:
        retriever: scores and ranks the items.
        queries: float32 `[n, f]`, as the retriever takes them.
        k: the length of the lists, at least 1; may exceed the number of items. A list for a smaller k is the beginning of
            that for a larger one.
        rules: `Rules` says in which order they hold.
        exclude: items that must not come back, pinned or not: a sparse `[n, m]` with a row for each query (stored entries
            count, whatever their value), integer ids or a boolean mask `[m]` for every query.
        allow: the only items that may come back, in the same forms.
        block: more that must not come back, in the same forms.

    Returns:
        ids and scores `[n, k]`, in the order of the rules, -1 and -inf after a list's end. Scores are the retriever's plus
        the boosts, in float32; they fall along a list only where no other rule interferes.

    Raises:
        InvalidArgumentError: an argument that does not fit, or a rule about an item that is not there.
        OutOfMemoryError: n lists of k would not fit.

    The items that rules name are scored for every query. Boosts, buries and pins need no more than k other items. Caps look
    further where few groups have the best items, and diversity where the trade-off is small against the differences of
    scores; at worst both look at the whole catalogue, and diversity is then O(k m f) a query.

    Example:
        >>> from recocore.ops import topk
        >>> class Ranked:
        ...     def __init__(self, items): self.items = items
        ...     def __len__(self): return len(self.items)
        ...     def topk(self, queries, k, *, exclude=None, allow=None, block=None):
        ...         return topk(queries, self.items, k, exclude=block, allow=allow)
        >>> shelf = Ranked(np.array([[4], [3], [2], [1]], np.float32))
        >>> rank_with_rules(shelf, np.ones((1, 1), np.float32), 3, Rules(boosts={3: 2.5}, pins={1: 2})).ids.tolist()
        [[0, 2, 3]]
    """
    k = integer(k, "k", 1, 2**31 - 1)
    n, m = _rows(queries), len(retriever)
    rules.check(m)
    candidates = Candidates.of(exclude, allow, block, (n, m))
    require_memory(n * k * 8, f"{n} lists of {k}")
    found = Recommendations(np.full((n, k), -1, np.int32), np.full((n, k), -np.inf, np.float32))
    most = max(1, candidates.most)
    chooses = rules.diversifies or rules.max_per_group is not None
    width = min(most, k * _POOL_FOR_CHOICE if chooses else k)
    pending = np.arange(n, dtype=np.int32)
    while len(pending):
        unproven = [
            _fill(
                found,
                rows,
                _pool(retriever, queries[rows], candidates.rows(rows), width, rules),
                rules,
                retriever.items,
            )
            for rows in _blocks(pending, width + len(rules.special))
        ]
        pending = np.concatenate(unproven)
        width = min(most, 2 * width)
    return found


def rank_candidates(
    retriever: SupportsTopk, queries: Float32Array, candidates: Any, rules: Rules | None = None
) -> Recommendations:
    """Put given items into the order that each query gets them in, such as the products of a category or a search result.

    Args:
        retriever: scores the items.
        queries: float32 `[n, f]`.
        candidates: a sparse `[n, m]` whose stored entries are the items of each query, or n arrays of item indices; an item
            named twice counts once.
        rules: None is the order of scores. Caps leave items out.

    Returns:
        As `rank_with_rules`, `[n, the longest list]`.

    Raises:
        InvalidArgumentError: lists that are not as many as the queries, an item that is not there, or rules that do not fit.

    Example:
        >>> from recocore.ops import topk
        >>> class Ranked:
        ...     def __init__(self, items): self.items = items
        ...     def __len__(self): return len(self.items)
        ...     def topk(self, queries, k, *, exclude=None, allow=None, block=None):
        ...         return topk(queries, self.items, k, exclude=block, allow=allow)
        >>> shelf = Ranked(np.array([[4], [3], [2], [1]], np.float32))
        >>> rank_candidates(shelf, np.array([[1], [-1]], np.float32), [[3, 1], [0, 2, 3]]).ids.tolist()
        [[1, 3, -1], [3, 2, 0]]
    """
    shape = (_rows(queries), len(retriever))
    lists = candidates if isinstance(candidates, Csr) or hasattr(candidates, "tocsr") else _listed(candidates, shape)
    allow = Candidates.of(None, lists, None, shape)
    if allow.most == 0:
        return Recommendations(np.empty((shape[0], 0), np.int32), np.empty((shape[0], 0), np.float32))
    return rank_with_rules(retriever, queries, allow.most, rules or Rules(), allow=allow.allow)


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """The candidates of some queries that are known, a row for each: best first, buried ones after all others.

    Attributes:
        ids: int32 `[r, c]`.
        scores: float32 `[r, c]`, boosts added.
        n_open: int64 `[r]`, how many from the start are neither buried nor pinned.
        n_all: int64 `[r]`, how many with the buried ones.
        n_certain: int64 `[r]`, how many from the start no unknown candidate comes before.
        outside: float32 `[r]`, no unknown candidate scores more; meaningless in an exhausted row.
        exhausted: bool `[r]`, whether there is no unknown candidate.
        pinned: int32 `[r, s]`, the pinned items that the query may have, by place; -1 pads.
        pin_scores: float32 `[r, s]`.
        pin_places: int32 `[r, s]`.
    """

    ids: Int32Array
    scores: Float32Array
    n_open: Int64Array
    n_all: Int64Array
    n_certain: Int64Array
    outside: Float32Array
    exhausted: BoolArray
    pinned: Int32Array
    pin_scores: Float32Array
    pin_places: Int32Array


def _pool(retriever: SupportsTopk, queries: Float32Array, candidates: Candidates, width: int, rules: Rules) -> _Pool:
    """The `width` best items that no rule names, and all that a rule does."""
    special_ids, special_scores, tiers, places = _special(retriever, queries, candidates, rules)
    others = candidates.without(rules.special) if len(rules.special) else candidates
    other_ids, other_scores = retriever.topk(queries, width, **others.keywords)
    exhausted = (other_ids[:, -1] == -1) | (width >= candidates.most)
    ids = np.concatenate([other_ids, special_ids], axis=1)
    scores = np.concatenate([other_scores, special_scores], axis=1)
    tier = np.concatenate([np.where(other_ids == -1, _OUT, _OPEN).astype(np.int8), tiers], axis=1)
    last_id, last_score = other_ids[:, -1:], other_scores[:, -1:]
    before_unknown = (tier == _OPEN) & ((scores > last_score) | ((scores == last_score) & (ids <= last_id)))
    n_all = np.count_nonzero(tier != _OUT, axis=1)
    order = np.lexsort((ids, -scores, tier), axis=1)
    by_place = np.argsort(np.where(places == -1, np.iinfo(np.int32).max, places), axis=1, kind="stable")
    return _Pool(
        ids=np.take_along_axis(ids, order, 1),
        scores=np.take_along_axis(scores, order, 1),
        n_open=np.count_nonzero(tier == _OPEN, axis=1),
        n_all=n_all,
        n_certain=np.where(exhausted, n_all, np.count_nonzero(before_unknown, axis=1)),
        outside=last_score[:, 0],
        exhausted=exhausted,
        pinned=np.take_along_axis(np.where(places == -1, np.int32(-1), special_ids), by_place, 1),
        pin_scores=np.take_along_axis(special_scores, by_place, 1),
        pin_places=np.take_along_axis(places, by_place, 1),
    )


def _special(
    retriever: SupportsTopk, queries: Float32Array, candidates: Candidates, rules: Rules
) -> tuple[Int32Array, Float32Array, npt.NDArray[np.int8], Int32Array]:
    """Ids, boosted scores, tiers and places (-1 for none) `[r, s]` of the items that rules name and the query may have."""
    named = rules.special
    if not len(named):
        none = np.empty((len(queries), 0), np.int32)
        return none, none.astype(np.float32), none.astype(np.int8), none
    ids, scores = retriever.topk(queries, len(named), **candidates.within(named).keywords)
    missing = ids == -1
    at = np.where(missing, 0, np.searchsorted(named, ids))
    with np.errstate(over="ignore"):  # a sum beyond float32 is infinite, and ranks as such
        scores = scores + np.where(missing, np.float32(0), rules.amounts[at])
    places = np.where(missing, np.int32(-1), rules.places[at])
    tiers = np.where(missing | (places >= 0), _OUT, np.where(rules.buried[at], _BURIED, _OPEN)).astype(np.int8)
    return ids, scores, tiers, places


def _fill(found: Recommendations, rows: Int32Array, pool: _Pool, rules: Rules, items: Float32Array) -> Int32Array:
    """Write the lists of these rows that the pool proves; the rows of those that it does not are returned."""
    k = found.ids.shape[1]
    if not rules.diversifies and rules.max_per_group is None and not rules.pins:
        count = np.minimum(pool.n_certain, k)
        width = min(k, pool.ids.shape[1])
        listed = np.arange(width) < count[:, None]
        found.ids[rows, :width] = np.where(listed, pool.ids[:, :width], -1)
        found.scores[rows, :width] = np.where(listed, pool.scores[:, :width], -np.inf)
        unknown: Int32Array = rows[(count < k) & ~pool.exhausted]
        return unknown
    unproven = []
    for row, query in enumerate(rows):
        positions = _choose(pool, row, k, rules, items)
        if positions is None:
            unproven.append(query)
            continue
        pins = np.flatnonzero(pool.pinned[row] != -1)
        ids = [*pool.ids[row, positions], *pool.pinned[row, pins]]
        scores = [*pool.scores[row, positions], *pool.pin_scores[row, pins]]
        order = list(range(len(positions)))
        for pin in pins:  # by place: what is inserted before has its place already
            order.insert(min(int(pool.pin_places[row, pin]), len(order)), len(positions) + int(pin))
        order = order[:k]
        found.ids[query, : len(order)] = [ids[at] for at in order]
        found.scores[query, : len(order)] = [scores[at] for at in order]
    return np.array(unproven, np.int32)


def _choose(pool: _Pool, row: int, k: int, rules: Rules, items: Float32Array) -> list[int] | None:
    """The positions in a pool's row that take the places between the pins, or None where the pool does not prove them."""
    pinned = pool.pinned[row][pool.pinned[row] != -1]
    wanted = k - int(np.count_nonzero(pool.pin_places[row][: len(pinned)] < k))
    caps = GroupCaps.of(rules, pinned)
    exhausted = bool(pool.exhausted[row])
    diverse: list[int] = []
    start, end = 0, int(pool.n_certain[row])
    if rules.diversifies and rules.diversity is not None:
        start = int(pool.n_open[row])
        chosen = diversify(
            pool.ids[row, :start],
            pool.scores[row, :start],
            VectorLikeness(items),
            wanted,
            rules.diversity,
            chosen=pinned,
            caps=caps,
            outside=None if exhausted else float(pool.outside[row]),
        )
        if chosen is None:
            return None
        diverse = chosen
    # What is left is taken in order; where all was diversified that is the buried, which an unknown candidate comes before.
    rest = np.arange(start, max(start, end))
    if caps is not None:
        rest = rest[caps.admit(pool.ids[row, rest])]
    positions = [*diverse, *rest.tolist()][:wanted]
    if len(positions) == wanted or exhausted or (caps is not None and caps.closed):
        return positions
    return None


def _rows(queries: Any) -> int:
    if not isinstance(queries, np.ndarray) or queries.ndim != 2:
        got = f"{queries.ndim}-d {queries.dtype}" if isinstance(queries, np.ndarray) else type(queries).__name__
        raise InvalidArgumentError(f"queries: expected a 2-d array of float32, got {got}", field="queries")
    return len(queries)


def _listed(lists: Any, shape: tuple[int, int]) -> Csr:
    """Lists of item indices as rows."""
    rows = [checked_indices(ids, shape[1], f"candidates[{row}]") for row, ids in enumerate(lists)]
    if len(rows) != shape[0]:
        raise InvalidArgumentError(
            f"candidates: expected a list for each of {shape[0]} queries, got {len(rows)}", field="candidates"
        )
    ids = np.concatenate(rows) if rows else np.empty(0, np.int32)
    of = np.repeat(np.arange(len(rows)), np.array([len(row) for row in rows], np.int64))
    return Csr.from_coo(of, ids, np.ones(len(ids), np.float32), shape)


def _blocks(rows: Int32Array, pairs_each: int) -> Iterator[Int32Array]:
    step = max(1, _PAIRS_AT_ONCE // pairs_each)
    for start in range(0, len(rows), step):
        yield rows[start : start + step]
