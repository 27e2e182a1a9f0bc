"""What each method means, on plain values: queries in, answers out, over one index."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from recocore.errors import NotFoundError
from recocore.service.limits import MAX_NEIGHBOURS, MAX_REASONS
from recocore.service.logs import log, places
from recocore.service.problems import problem_of
from recocore.service.queries import BatchRow, Scores, SimilarItems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.index import ItemScores, RankedItem, RankedList
    from recocore.service.call import Call
    from recocore.service.problems import Problem
    from recocore.service.queries import (
        BatchQuery,
        FallbackName,
        RankingOptions,
        RecommendQuery,
        ScoreQuery,
        SimilarItemsQuery,
    )
    from recocore.types import Int32Array

# Rows that are ranked together. Between two chunks a batch sees that its caller has gone.
_CHUNK = 32


class IdLookup(Protocol):
    """What the service asks of an id map."""

    def indices_of(self, ids: Sequence[str]) -> Int32Array:
        """int32 `[len(ids)]`: the index of each id, -1 where it is unknown."""
        ...


class RankingIndex(Protocol):
    """What the service asks of an index: see `recocore.index.Index`. Safe to call from several threads at once."""

    @property
    def version(self) -> str:
        """Names the model and its build."""
        ...

    @property
    def users(self) -> IdLookup:
        """The users that the index knows."""
        ...

    @property
    def items(self) -> IdLookup:
        """The items that the index knows."""
        ...

    def recommend(
        self,
        user_ids: Sequence[str],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        allow: Sequence[str] | None = None,
        block: Sequence[str] | None = None,
        fallback: FallbackName = "popular",
        explain: int = 0,
        num_threads: int = 0,
    ) -> list[RankedList]:
        """The k best items of each user."""
        ...

    def similar_items(self, item_ids: Sequence[str], k: int = 10, *, num_threads: int = 0) -> list[RankedList]:
        """The k items most like each item; an unknown item has an empty list."""
        ...

    def score(self, user_id: str, item_ids: Sequence[str]) -> ItemScores:
        """The scores of a user with the known ones of the items; NotFoundError for an unknown user."""
        ...


class Engine:
    """Answers queries from an index. Holds no state of its own; safe from several threads."""

    def __init__(self, index: RankingIndex) -> None:
        self._index = index

    @property
    def version(self) -> str:
        """The version of the model that answers."""
        return self._index.version

    def warm_up(self) -> None:
        """Look up an id, which loads what the first look-up needs, so that no caller waits for that."""
        self._index.users.indices_of([""])
        self._index.items.indices_of([""])

    def recommend(self, query: RecommendQuery) -> RankedList:
        """The ranking of one user."""
        return self._rank([query.user_id], query.options)[0]

    def batch(self, query: BatchQuery, call: Call) -> list[BatchRow]:
        """A row for each user; ends early, with what `call.checkpoint` raises, when nobody waits any more."""
        good = [row for row in range(len(query.user_ids)) if row not in query.bad_rows]
        results: dict[int, RankedList | Problem] = {row: problem_of(error) for row, error in query.bad_rows.items()}
        for start in range(0, len(good), _CHUNK):
            call.checkpoint()
            chunk = good[start : start + _CHUNK]
            ranked = self._rows([query.user_ids[row] for row in chunk], query.options, call)
            results.update(zip(chunk, ranked, strict=True))
        return [BatchRow(user_id, results[row]) for row, user_id in enumerate(query.user_ids)]

    def similar_items(self, query: SimilarItemsQuery) -> SimilarItems:
        """The items most like the seeds together.

        Raises:
            NotFoundError: the index knows none of the seeds.
        """
        seeds = list(dict.fromkeys(query.seeds))
        missing = _missing(self._index.items, seeds)
        if len(missing) == len(seeds):
            raise NotFoundError(f"item_ids: expected at least one item that the model knows, got {len(seeds)} unknown")
        hidden = {*seeds, *query.exclude}
        # One list that is only shortened by what is hidden need not be read further than that.
        short = len(seeds) == 1 and query.candidates is None
        depth = min(query.page_size + len(hidden), MAX_NEIGHBOURS) if short else MAX_NEIGHBOURS
        lists = self._index.similar_items(seeds, depth, num_threads=1)
        items = [item for item in _merge(lists) if str(item.item_id) not in hidden]
        if query.candidates is not None:
            missing += _missing(self._index.items, query.candidates)
            allowed = set(query.candidates)
            items = [item for item in items if str(item.item_id) in allowed]
        return SimilarItems(tuple(items[: query.page_size]), tuple(dict.fromkeys(missing)))

    def score(self, query: ScoreQuery) -> Scores:
        """The scores of one user.

        Raises:
            NotFoundError: the index does not know the user.
        """
        scores = self._index.score(query.user_id, query.item_ids)
        return Scores(scores.scores.tolist(), tuple(str(id_) for id_ in scores.missing_ids))

    def _rank(self, user_ids: Sequence[str], options: RankingOptions) -> list[RankedList]:
        lists = self._index.recommend(
            user_ids,
            options.page_size,
            exclude_seen=options.exclude_seen,
            allow=options.candidates,
            block=options.exclude or None,
            fallback=options.fallback,
            explain=MAX_REASONS if options.explain else 0,
            num_threads=1,
        )
        missing = _missing(self._index.items, options.candidates or ())
        users = self._index.users.indices_of(user_ids).tolist()
        return [
            replace(ranked, missing_ids=(user_id, *missing) if user < 0 else tuple(missing))
            for user_id, user, ranked in zip(user_ids, users, lists, strict=True)
        ]

    def _rows(self, user_ids: list[str], options: RankingOptions, call: Call) -> list[RankedList | Problem]:
        try:
            return list(self._rank(user_ids, options))
        except Exception as error:
            if len(user_ids) > 1:
                # One bad row must not take its neighbours along: find it by ranking each alone.
                return [row for user_id in user_ids for row in self._rows([user_id], options, call)]
            problem = problem_of(error)
            if problem.is_server_fault:
                log(logging.ERROR, "batch row", request_id=call.request_id, error=places(error))
            return [problem]


def _missing(known: IdLookup, ids: Sequence[str]) -> list[str]:
    indices = known.indices_of(ids).tolist() if ids else []
    return list(dict.fromkeys(id_ for id_, index in zip(ids, indices, strict=True) if index < 0))


def _merge(lists: Sequence[RankedList]) -> Sequence[RankedItem]:
    """One list from those of several seeds: scores of the same item add up; score descending, then id ascending."""
    if len(lists) == 1:
        return lists[0].items
    merged: dict[str | int, RankedItem] = {}
    for ranked in lists:
        for item in ranked.items:
            known = merged.get(item.item_id)
            merged[item.item_id] = item if known is None else replace(known, score=known.score + item.score)
    return sorted(merged.values(), key=_rank_order)


def _rank_order(item: RankedItem) -> tuple[float, Any]:
    return -item.score, item.item_id  # the ids of one index are all strings or all integers
