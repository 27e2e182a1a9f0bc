"""A list under rules, from several rankings, on internal indices.

A list is put together from stages, each a ranking that is read from its beginning only as far as it takes: what the model
ranks, then what each fallback does, and after those the buried items of each in the same order. `asking` says what rules
mean. All of it is exact: as if every item were looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from recocore.index.asking import DIVERSE_AMONG
from recocore.index.lists import distinct_items
from recocore.index.rankings import BY_MODEL, Ranked
from recocore.index.results import MODEL, Fallback, Filled
from recocore.retrieval.diversity import diversify
from recocore.retrieval.group_caps import GroupCaps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from recocore.index.lists import Lists
    from recocore.index.popular import PopularItems
    from recocore.index.rankings import Ranking
    from recocore.index.resolving import RuleSet
    from recocore.scoring import Scorer
    from recocore.types import BoolArray, Int32Array

# Where a cap leaves items out, a stage is read this many times as far as places are left; measured in `retrieval.reranking`.
_AHEAD_FOR_CAPS = 16

_FALLBACKS: tuple[Fallback, ...] = ("none", "similar", "popular")


class Composer:
    """Puts together lists that the same rules hold for.

    Args:
        scorer: says how like each other items are.
        popular: the order of popularity.
        lists: which items may come back.
        rules: what holds for them.
        offset: where the page begins.
        end: where it ends.
    """

    def __init__(
        self, scorer: Scorer, popular: PopularItems, lists: Lists, rules: RuleSet, offset: int, end: int
    ) -> None:
        self._scorer = scorer
        self._popular = popular
        self._lists = lists
        self._rules = rules
        self._offset = offset
        self._end = min(end, max(1, len(popular.order)))
        self.open = lists.without(rules.buried)
        self._buried = lists.within(rules.buried, popular) if len(rules.buried) else None

    @property
    def ahead(self) -> int:
        """How far the model's ranking of `open` items is read at first."""
        pins = sum(1 if pin.best else len(pin.items) for pin in self._rules.pins)
        places = self._end if self._rules.groups is None else _AHEAD_FOR_CAPS * self._end
        if self._rules.relevance is not None:
            places = DIVERSE_AMONG
        return min(places + pins, max(1, len(self._popular.order)))

    def compose(self, rankings: Sequence[Ranking], own: Int32Array) -> tuple[Filled, BoolArray]:
        """One list.

        Args:
            rankings: of the model, if it has one, and of the fallbacks; they leave out `own`.
            own: int32, items that may not come back beside what the lists say.

        Returns:
            The page, and which of its items the model ranks.
        """
        pins = self._pins(rankings, own)
        pinned = np.array(list(pins.values()), np.int32)
        draft = self._drafted(rankings, self._end - sum(place < self._end for place in pins), pinned)
        if pins:
            scored = self._scored(rankings, pinned)
            for place in sorted(pins):  # what is inserted before has its place already
                draft.insert(min(place, len(draft)), scored[pins[place]])
        page = draft.entries[self._offset : self._end]
        ids, scores, kinds, sources = zip(*page, strict=True) if page else ((), (), (), ())
        filled = Filled(
            np.array(ids, np.int32),
            np.array(scores, np.float32),
            np.array(sources, np.uint8),
            _FALLBACKS[max(kinds, default=0)],
        )
        return filled, np.array(kinds, np.int8) == BY_MODEL

    def _drafted(self, rankings: Sequence[Ranking], wanted: int, pinned: Int32Array) -> _Draft:
        """The first so many items that are not pinned."""
        draft, rules = _Draft(), self._rules
        caps = None
        if rules.groups is not None:
            caps = GroupCaps(rules.groups, rules.n_groups, rules.max_per_group, pinned)
        taken = pinned
        for ranking, lists, is_open in self._stages(rankings):
            if len(draft) >= wanted:
                break
            diverse = is_open and ranking.kind == BY_MODEL and rules.relevance is not None
            for part in self._next(ranking, lists, wanted - len(draft), taken, caps, diverse=diverse):
                draft.add(part, ranking)
                taken = np.concatenate([taken, part.ids])
        return draft

    def _stages(self, rankings: Sequence[Ranking]) -> Iterator[tuple[Ranking, Lists, bool]]:
        """The rankings in the order of the list, and whether they are of items that are not buried."""
        for ranking in rankings:
            yield ranking, self.open, True
        if self._buried is not None:
            for ranking in rankings:
                yield ranking, self._buried, False

    def _next(
        self, ranking: Ranking, lists: Lists, wanted: int, taken: Int32Array, caps: GroupCaps | None, *, diverse: bool
    ) -> Iterator[Ranked]:
        """The next items of a ranking, in parts, up to as many as are wanted."""
        if diverse:
            n = DIVERSE_AMONG + len(taken)
            pool = ranking.read(n, lists)
            among = _less(pool, taken, DIVERSE_AMONG)
            chosen = self._diverse(among, wanted, taken, caps)
            yield chosen
            wanted -= len(chosen)
            if len(pool) < n:
                return
            taken = np.concatenate([taken, among.ids])
        start, width = 0, len(taken) + (wanted if caps is None else _AHEAD_FOR_CAPS * wanted)
        while wanted > 0 and not (caps is not None and caps.closed):
            read = ranking.read(width, lists)
            part = _less(Ranked(read.ids[start:], read.scores[start:]), taken)
            if caps is not None:
                admitted = caps.admit(part.ids)
                part = Ranked(part.ids[admitted], part.scores[admitted])
            yield Ranked(part.ids[:wanted], part.scores[:wanted])
            wanted -= len(part)
            if len(read) < width:
                return
            start, width = width, 2 * width

    def _diverse(self, among: Ranked, wanted: int, taken: Int32Array, caps: GroupCaps | None) -> Ranked:
        trade_off = self._rules.relevance
        assert trade_off is not None
        likeness = self._scorer.likeness
        positions = diversify(among.ids, among.scores, likeness, wanted, trade_off, chosen=taken, caps=caps)
        assert positions is not None, "there is nothing outside of these"
        return Ranked(among.ids[positions], among.scores[positions])

    def _pins(self, rankings: Sequence[Ranking], own: Int32Array) -> dict[int, int]:
        """The items of pins by place."""
        found: dict[int, int] = {}
        for pin in self._rules.pins:
            free = pin.items[self._lists.admit(pin.items) & ~np.isin(pin.items, [*own.tolist(), *found.values()])]
            place = pin.slot
            for item in self._first_of(rankings, free) if pin.best else free.tolist():
                while place in found:
                    place += 1
                found[place] = item
                place += 1
        return found

    def _first_of(self, rankings: Sequence[Ranking], items: Int32Array) -> list[int]:
        """Which of some items comes first in the list as it is without pins, caps and diversity."""
        for ranking, lists, _ in self._stages(rankings) if len(items) else ():
            if len(first := ranking.read(1, lists.within(items, self._popular))):
                return [int(first.ids[0])]
        return [int(item) for item in items[:1]]

    def _scored(self, rankings: Sequence[Ranking], items: Int32Array) -> dict[int, _Entry]:
        """The entries of pinned items, by item; a score of 0 where nothing ranks one."""
        found: dict[int, _Entry] = {}
        lists = self._lists.within(distinct_items(items), self._popular)
        for ranking in rankings:
            ranked = ranking.read(len(items), lists)
            for item, score in zip(ranked.ids.tolist(), ranked.scores.tolist(), strict=True):
                found.setdefault(item, (item, score, ranking.kind, ranking.source))
        return {item: found.get(item, (item, 0.0, BY_MODEL, MODEL)) for item in items.tolist()}


# An item with its score, kind and source.
_Entry = tuple[int, float, int, int]


@dataclass(slots=True, eq=False)
class _Draft:
    """A list that grows."""

    entries: list[_Entry] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, ranked: Ranked, ranking: Ranking) -> None:
        kind, source = ranking.kind, ranking.source
        pairs = zip(ranked.ids.tolist(), ranked.scores.tolist(), strict=True)
        self.entries += [(id, score, kind, source) for id, score in pairs]

    def insert(self, place: int, entry: _Entry) -> None:
        self.entries.insert(place, entry)


def _less(ranked: Ranked, taken: Int32Array, most: int | None = None) -> Ranked:
    """What is not taken, at most so much."""
    if not len(taken):
        return Ranked(ranked.ids[:most], ranked.scores[:most])
    left = ~np.isin(ranked.ids, taken)
    return Ranked(ranked.ids[left][:most], ranked.scores[left][:most])
