"""Answers to asks of every kind, on internal indices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from recocore.index.composing import Composer
from recocore.index.lists import NO_ITEMS, distinct_items
from recocore.index.ranking import rank_plain, rank_plain_columns
from recocore.index.rankings import Ranked, ReadAhead, by_likeness, by_model, by_order, by_popularity
from recocore.index.results import CONTEXT, MODEL, SESSION, FilledColumns
from recocore.scoring import PopularityScorer

if TYPE_CHECKING:
    from recocore.index.asking import Ask
    from recocore.index.contents import IndexData
    from recocore.index.lists import Lists
    from recocore.index.rankings import Ranking
    from recocore.index.resolving import Evidence, Resolver
    from recocore.index.results import Filled
    from recocore.recommendations import Contribution
    from recocore.scoring import Profiles
    from recocore.types import BoolArray, Float32Array, Int32Array, NativeFilter, NativeRows


def answer(data: IndexData, resolver: Resolver, users: Int32Array, ask: Ask, num_threads: int) -> list[Filled]:
    """The list of each user.

    Args:
        data: of the index.
        resolver: of the same.
        users: int32 `[n]`, -1 for one whom the index does not know.
        ask: how to rank.
        num_threads: 0 for one a core.
    """
    lists = _lists(resolver, ask)
    if ask.is_plain:
        return rank_plain(data.scorer, users, ask, lists, data.popular, num_threads)
    if ask.personalization != "full":
        users = np.full_like(users, -1)
    evidence, rules = resolver.evidence(ask), resolver.rules(ask.rules, ask.diversity)
    if ask.exclude_seen:
        lists = lists.without(evidence.items)
    composer = Composer(data.scorer, data.popular, lists, rules, ask.offset, ask.end)
    first = resolver.in_order(ask.popular_first, "popular_first") if ask.popular_first else NO_ITEMS
    # Everybody without a record gets the same list.
    distinct, place = np.unique(users, return_inverse=True)
    composed = []
    models = _models(data, ask, distinct, evidence, rules.boosts, composer, num_threads)
    for user, model in zip(distinct.tolist(), models, strict=True):
        record = data.scorer.interactions.row(user)[0] if user >= 0 else NO_ITEMS
        own = record if ask.exclude_seen else NO_ITEMS
        exclude = _own(data, np.array([user], np.int32)) if len(own) else []
        rankings = [] if model is None else [model.ranking]
        for name in ask.fallbacks:
            if name == "popular":
                rankings += [by_order(first, data.popular, own)] if len(first) else []
                rankings.append(by_popularity(data.popular, own))
            elif not isinstance(data.scorer, PopularityScorer):  # which knows no likeness
                seeds = distinct_items(np.concatenate([evidence.items, record]))
                rankings += [by_likeness(data.scorer, seeds, exclude, num_threads)] if len(seeds) else []
        filled, ranked = composer.compose(rankings, own)
        if ask.explain:
            filled = _explained(filled, ranked, model, ask.explain)
        composed.append(filled)
    return [composed[row] for row in place.tolist()]


def answer_columns(data: IndexData, resolver: Resolver, users: Int32Array, ask: Ask, num_threads: int) -> FilledColumns:
    """`answer` in columns, without reasons."""
    if ask.is_plain and not ask.explain:
        return rank_plain_columns(data.scorer, users, ask, _lists(resolver, ask), data.popular, num_threads)
    return FilledColumns.of(answer(data, resolver, users, ask, num_threads))


def _lists(resolver: Resolver, ask: Ask) -> Lists:
    lists = resolver.lists(ask)
    if ask.had and ask.exclude_seen:
        lists = lists.without(resolver.indices(ask.had, "had"))
    return lists


def answer_similar(
    data: IndexData, resolver: Resolver, seeds: Int32Array, negatives: Int32Array, ask: Ask, num_threads: int
) -> Filled:
    """The list of what is like the seeds and unlike the negatives, neither of which comes back; no seeds are like nothing."""
    lists = resolver.lists(ask).without(distinct_items(np.concatenate([seeds, negatives])))
    rules = resolver.rules(ask.rules, ask.diversity)
    composer = Composer(data.scorer, data.popular, lists, rules, ask.offset, ask.end)
    rankings: list[Ranking] = []
    if len(seeds):
        rankings.append(by_model(data.scorer.alike(seeds, negatives), 0, MODEL, rules.boosts, [], num_threads))
    if "popular" in ask.fallbacks:
        rankings.append(by_popularity(data.popular, NO_ITEMS))
    return composer.compose(rankings, NO_ITEMS)[0]


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """The model's ranking for one user, and where it comes from."""

    ranking: Ranking
    profiles: Profiles
    row: int


def _models(
    data: IndexData,
    ask: Ask,
    users: Int32Array,
    evidence: Evidence,
    boosts: Float32Array | None,
    composer: Composer,
    num_threads: int,
) -> list[_Model | None]:
    """The model's ranking for each user, its beginning read together; None where the model knows nothing of one."""
    scorer = data.scorer
    known = scorer.knows(users, evidence.events)
    recorded = known if evidence.events is None else scorer.knows(users)
    those = users[known]
    profiles = scorer.profiles(those, evidence.events)
    found: list[_Model | None] = [None] * len(users)
    numbers = np.flatnonzero(known)
    for group in (np.flatnonzero(those >= 0), np.flatnonzero(those < 0)):
        if not len(group):
            continue
        rows = group.astype(np.int32)
        bars = ask.exclude_seen and those[rows[0]] >= 0
        native: NativeFilter = {**composer.open.native, "exclude": _own(data, those[rows]) if bars else []}
        ranked = profiles.rank(rows, composer.ahead, native, boosts, num_threads)
        for at, row in enumerate(rows.tolist()):
            number = int(numbers[row])
            source = MODEL if recorded[number] else SESSION if evidence.acted else CONTEXT
            ahead = ReadAhead(composer.open, composer.ahead, Ranked.of(ranked.ids[at], ranked.scores[at]))
            exclude = _own(data, those[row : row + 1]) if bars else []
            ranking = by_model(profiles, row, source, boosts, exclude, num_threads, ahead)
            found[number] = _Model(ranking, profiles, row)
    return found


def _own(data: IndexData, users: Int32Array) -> list[NativeRows]:
    return [(data.scorer.interactions.native, users)]


def _explained(filled: Filled, ranked: BoolArray, model: _Model | None, limit: int) -> Filled:
    """The list with reasons for what the model ranks."""
    reasons: list[list[Contribution]] = [[] for _ in ranked]
    if model is not None and ranked.any():
        why = model.profiles.explain(model.row, filled.items[ranked], limit)
        for place, because in zip(np.flatnonzero(ranked).tolist(), why, strict=True):
            reasons[place] = because
    return replace(filled, reasons=tuple(reasons))
