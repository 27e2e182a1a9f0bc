"""What an index should answer, by dense scores and plain loops over every item, on internal indices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.index import asking, filters
from recocore.scoring import FactorScorer, ItemNeighborScorer, PopularityScorer, RatingScorer, UserNeighborScorer

if TYPE_CHECKING:
    from recocore.index import Ask, Index

Values = dict[str, Any]


def holds(filter: filters.Filter, item: Values) -> bool:  # noqa: PLR0911
    """Whether an item with these attributes meets a filter."""
    if isinstance(filter, filters.All):
        return all(holds(part, item) for part in filter.of)
    if isinstance(filter, filters.Any):
        return any(holds(part, item) for part in filter.of)
    if isinstance(filter, filters.Not):
        return not holds(filter.of, item)
    value = item.get(filter.field)
    if value is None:
        return False
    if isinstance(filter, filters.Exists):
        return True
    if isinstance(filter, filters.In):
        return any(one in filter.values for one in (value if isinstance(value, list) else [value]))
    return (
        (filter.at_least is None or value >= filter.at_least)
        and (filter.below is None or value < filter.below)
        and (filter.above is None or value > filter.above)
        and (filter.at_most is None or value <= filter.at_most)
    )


@dataclass
class Entry:
    item: int
    score: float
    kind: str
    source: str


class Reference:
    """Answers asks about one index by looking at everything.

    Args:
        index: asked about.
        values: the attributes of each item.
    """

    def __init__(self, index: Index, values: list[Values]) -> None:
        self.index = index
        self.values = values
        self.scorer = index.scorer
        self.matrix: Any = index.scorer.interactions.to_scipy().toarray().astype(np.float64)
        self.stored: Any = index.scorer.interactions.to_scipy().astype(bool).toarray()
        self.m = self.matrix.shape[1]
        self.place = {index.items.id_of(i): i for i in range(self.m)}
        self.counts = np.array([self.stored[:, i].sum() for i in range(self.m)])

    # Scores: for each item a number, or None where the model has none.

    def scores(  # noqa: PLR0911
        self, user: int, events: list[tuple[int, float]]
    ) -> list[float | None] | None:
        """The model's scores for somebody; None for whom it knows nothing of."""
        scorer = self.scorer
        has_row = user >= 0 and bool(self.stored[user].any())
        if isinstance(scorer, PopularityScorer):
            return [float(count) for count in self.counts] if has_row else None
        if not events:
            if not has_row:
                return None
            if isinstance(scorer, FactorScorer):
                return list(scorer.item_factors.astype(float) @ scorer.user_factors[user].astype(float))
        row, entries = np.zeros(self.m), np.zeros(self.m, bool)
        if user >= 0:
            row, entries = self.matrix[user].copy(), self.stored[user].copy()
        for item, weight in events:
            row[item] = weight if isinstance(scorer, RatingScorer) else row[item] + weight
            entries[item] = True
        if isinstance(scorer, RatingScorer):
            return self.rated(scorer, row, entries)
        if isinstance(scorer, FactorScorer):
            return self.folded(scorer, row, entries)
        if isinstance(scorer, ItemNeighborScorer):
            dense: Any = scorer.similarity.to_scipy().toarray()
            linked: Any = scorer.similarity.to_scipy().astype(bool).toarray()
            return [float(dense[i] @ row) if (linked[i] & entries).any() else None for i in range(self.m)]
        assert isinstance(scorer, UserNeighborScorer)
        weights = self.neighbors(scorer, user, row, events)
        linked = self.stored & (weights > 0)[:, None]
        return [float(weights @ self.matrix[:, i]) if linked[:, i].any() else None for i in range(self.m)]

    def folded(self, scorer: FactorScorer, row: Any, entries: Any) -> list[float | None]:
        """The objective written out over every item."""
        regularization, alpha0, nu = scorer.objective[:3].tolist()
        y = scorer.item_factors.astype(float)
        asked = self.stored.any(axis=0)
        system = np.zeros((y.shape[1], y.shape[1]))
        right = np.zeros(y.shape[1])
        for i in range(self.m):
            if asked[i]:
                system += alpha0 * np.outer(y[i], y[i])
            if entries[i]:
                system += abs(row[i]) * np.outer(y[i], y[i])
                right += max(row[i], 0) * y[i]
        system += regularization * (entries.sum() + alpha0 * self.m) ** nu * np.eye(len(right))
        return list(y @ np.linalg.solve(system, right))

    def rated(self, scorer: RatingScorer, row: Any, entries: Any) -> list[float | None]:
        regularization, nu, mean = scorer.objective.tolist()
        y = scorer.item_factors.astype(float)
        wide, bias = y[:, :-1], y[:, -1]
        some = np.flatnonzero(entries)
        system = wide[some].T @ wide[some] + regularization * len(some) ** nu * np.eye(wide.shape[1])
        found = np.linalg.solve(system, wide[some].T @ (row[some] - mean - bias[some]))
        return list(mean * wide[:, 0] + bias + wide @ found)  # where the first column is all ones

    def neighbors(self, scorer: UserNeighborScorer, user: int, row: Any, events: list[tuple[int, float]]) -> Any:
        dense = scorer.similarity.to_scipy().toarray().astype(float)
        if not events:
            return dense[user]
        length = math.sqrt((row**2).sum()) or 1.0
        cosines = np.zeros(len(self.matrix))
        for other, weights in enumerate(self.matrix):
            if other != user and weights.any():
                cosines[other] = np.float32(weights @ row / (length * math.sqrt((weights**2).sum())))
        most = max(1, *(int(count) for count in np.diff(scorer.similarity.indptr)))
        best = sorted((v for v in range(len(cosines)) if cosines[v] > 0), key=lambda v: (-cosines[v], v))[:most]
        return np.array([cosines[v] if v in best else 0.0 for v in range(len(cosines))])

    def cosine(self, a: int, b: int) -> float:
        """How like each other two items are, for diversity."""
        scorer = self.scorer
        if isinstance(scorer, RatingScorer):
            vectors = scorer.item_factors[:, 1:-1].astype(float)
        elif isinstance(scorer, FactorScorer):
            vectors = scorer.item_factors.astype(float)
        else:
            vectors = self.matrix.T
        lengths = math.sqrt(vectors[a] @ vectors[a]) * math.sqrt(vectors[b] @ vectors[b])
        return float(vectors[a] @ vectors[b]) / lengths if lengths else 0.0

    def alike(self, seeds: list[int], negatives: list[int]) -> list[float | None]:
        """The mean likeness to the seeds less that to the negatives."""
        scorer = self.scorer
        if isinstance(scorer, PopularityScorer):
            return [float(count) for count in self.counts]
        sparse = not isinstance(scorer, FactorScorer)
        linked = np.ones((self.m, self.m), bool)
        dense = np.array([[self.cosine(i, j) for j in range(self.m)] for i in range(self.m)])
        if isinstance(scorer, ItemNeighborScorer):
            dense, linked = scorer.similarity.to_scipy().toarray().astype(float), dense != 0
            linked = scorer.similarity.to_scipy().astype(bool).toarray()
        elif isinstance(scorer, UserNeighborScorer):
            linked = (self.stored.T.astype(int) @ self.stored.astype(int)) > 0
        found: list[float | None] = []
        for i in range(self.m):
            score = sum(dense[j, i] for j in seeds) / len(seeds)
            score -= sum(dense[j, i] for j in negatives) / max(1, len(negatives))
            reached = any(linked[j, i] for j in [*seeds, *negatives])
            kept = not sparse or (reached and (not negatives or score > 0))
            found.append(float(score) if kept else None)
        return found

    # Lists.

    def page(self, user: int, ask: Ask) -> list[Entry]:
        """The page that a user should get, -1 for somebody unknown."""
        if ask.personalization != "full":
            user = -1
        events_of = () if ask.personalization == "none" else ask.session
        session = [(event.item_id, event.weight) for event in events_of]
        done = [(self.place[item], weight) for item, weight in session if item in self.place]
        at_hand = sorted({self.place[item] for item in ask.context_item_ids if item in self.place})
        events = [event for event in done if event[1] != 0]
        acted = bool(events)
        if not isinstance(self.scorer, (RatingScorer, PopularityScorer)):
            events += [(item, 1.0) for item in at_hand]
        record = set(np.flatnonzero(self.stored[user]).tolist()) if user >= 0 else set()
        own = record | {item for item, _ in done} | set(at_hand) if ask.exclude_seen else set()
        rankings = []
        scores = self.scores(user, events)
        if scores is not None:
            source = "model" if record else "session" if acted else "context"
            rankings.append(("model", source, scores))
        for name in ask.fallbacks:
            seeds = sorted(record | {item for item, _ in done} | set(at_hand))
            if name == "popular":
                rankings.append(("popular", "popular", [float(count) for count in self.counts]))
            elif seeds and not isinstance(self.scorer, PopularityScorer):
                rankings.append(("similar", "context", self.alike(seeds, [])))
        return self.compose(ask, self.candidates(ask) - own, rankings)

    def similar(self, seeds: list[int], negatives: list[int], ask: Ask) -> list[Entry]:
        """The page of items like some and unlike others."""
        rankings = [("model", "model", self.alike(seeds, negatives))] if seeds else []
        if "popular" in ask.fallbacks:
            rankings.append(("popular", "popular", [float(count) for count in self.counts]))
        return self.compose(ask, self.candidates(ask) - {*seeds, *negatives}, rankings)

    def candidates(self, ask: Ask) -> set[int]:
        found = set(range(self.m))
        if ask.allow is not None:
            found &= {self.place[item] for item in ask.allow if item in self.place}
        found -= {self.place[item] for item in ask.block if item in self.place}
        return found if ask.where is None else {item for item in found if holds(ask.where, self.values[item])}

    def named(self, rule: Any) -> list[int]:
        if rule.where is not None:
            return [item for item in range(self.m) if holds(rule.where, self.values[item])]
        return list(dict.fromkeys(self.place[item] for item in rule.item_ids if item in self.place))

    def compose(  # noqa: PLR0912
        self, ask: Ask, candidates: set[int], rankings: list[Any]
    ) -> list[Entry]:
        boosts, buried = np.zeros(self.m), set()
        for rule in ask.rules:
            for item in self.named(rule):
                if rule.action == "boost":
                    boosts[item] += rule.weight
                elif rule.action == "bury":
                    buried.add(item)
        ordered: list[list[Entry]] = []
        for kind, source, scores in rankings:
            entries = []
            for item in sorted(candidates):
                score = scores[item]
                if kind == "model":
                    if score is None and boosts[item] > 0:
                        score = 0.0
                    score = None if score is None else score + boosts[item]
                if score is not None:
                    entries.append(Entry(item, score, kind, source))
            # To float32, in which what is equal but for the order of a sum ties.
            ordered.append(sorted(entries, key=lambda entry: (-np.float32(entry.score), entry.item)))
        stages = [[e for e in entries if e.item not in buried] for entries in ordered]
        stages += [[e for e in entries if e.item in buried] for entries in ordered]
        pins = self.pins(ask, candidates, stages)
        diversity = ask.diversity or asking.Diversity()
        groups: list[Any] = [None] * self.m
        if diversity.group_field is not None:
            groups = [values.get(diversity.group_field) for values in self.values]
            groups = [group[0] if isinstance(group, list) else group for group in groups]
        room: dict[Any, int] = {}
        for group in groups:
            room[group] = diversity.max_per_group or self.m
        room[None] = self.m
        for item in pins.values():
            room[groups[item]] -= 1
        listed: list[Entry] = []
        used = set(pins.values())

        def take(entry: Entry) -> None:
            listed.append(entry)
            used.add(entry.item)
            room[groups[entry.item]] -= 1

        for number, stage in enumerate(stages):
            left = [entry for entry in stage if entry.item not in used]
            relevance = diversity.relevance
            if relevance not in (None, 1) and left and left[0].kind == "model" and number < len(ordered):
                assert relevance is not None
                pool, left = left[: asking.DIVERSE_AMONG], left[asking.DIVERSE_AMONG :]
                while any(room[groups[entry.item]] > 0 for entry in pool):
                    chosen = [*(e.item for e in listed), *pins.values()]
                    best = max(
                        (entry for entry in pool if room[groups[entry.item]] > 0),
                        key=lambda e: (
                            relevance * float(np.float32(e.score))
                            - (1 - relevance)
                            * max((float(np.float32(self.cosine(e.item, j))) for j in chosen), default=0.0),
                            np.float32(e.score),
                            -e.item,
                        ),
                    )
                    pool.remove(best)
                    take(best)
            for entry in left:
                if entry.item not in used and room[groups[entry.item]] > 0:
                    take(entry)
        end = ask.offset + ask.k
        listed = listed[: end - sum(place < end for place in pins)]
        for place in sorted(pins):
            known = [entry for entries in ordered for entry in entries if entry.item == pins[place]]
            listed.insert(min(place, len(listed)), known[0] if known else Entry(pins[place], 0.0, "model", "model"))
        return listed[ask.offset : end]

    def pins(self, ask: Ask, candidates: set[int], stages: list[list[Entry]]) -> dict[int, int]:
        pins: dict[int, int] = {}
        for rule in ask.rules:
            if rule.action != "pin":
                continue
            free = [item for item in self.named(rule) if item in candidates and item not in pins.values()]
            if rule.where is not None:
                first = [entry.item for stage in stages for entry in stage if entry.item in free]
                free = first[:1] or free[:1]
            place = rule.slot
            for item in free:
                while place in pins:
                    place += 1
                pins[place] = item
                place += 1
        return pins
