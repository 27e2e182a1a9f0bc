"""What each method means, on plain values: queries in, answers out, over one index."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from recocore.errors import NotFoundError
from recocore.index import Ask, RankedList
from recocore.service import limits, page_tokens
from recocore.service.attribute_checks import check_attributes, names_attributes
from recocore.service.logs import log, places
from recocore.service.problems import PageExpiredError, problem_of
from recocore.service.queries import BatchRow, ColumnRankings, Ranking, Scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from recocore.index import ExternalId, ItemScores, RankedColumns, Reason
    from recocore.service.call import Call
    from recocore.service.page_tokens import PageToken
    from recocore.service.problems import Problem
    from recocore.service.queries import BatchQuery, RecommendQuery, ScoreQuery, SimilarItemsQuery, Template
    from recocore.types import Int32Array

# Users whose lists are timed together when a model is loaded, and how often: the first time finds nothing in any cache.
_TIMED_USERS, _TIMES = 16, 3
# Fewer get long lists, which take milliseconds each of a million items.
_TIMED_LONG = 4

# Rows that are ranked together. Between two chunks a batch sees that its caller has gone.
_CHUNK = 32

_NOTHING = RankedList(())

# Adds to a template what is known of a user.
Known: TypeAlias = "Callable[[str, Template], Template]"


class IdLookup(Protocol):
    """What the service asks of an id map."""

    def __len__(self) -> int:
        """How many ids there are."""
        ...

    def indices_of(self, ids: Sequence[ExternalId]) -> Int32Array:
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

    @property
    def fields(self) -> Mapping[str, str]:
        """The kind of each attribute of the items: text, number or flag."""
        ...

    def ask(self, user_ids: Sequence[str], ask: Ask, *, num_threads: int = 1) -> list[RankedList]:
        """The list of each user."""
        ...

    def ask_columns(self, user_indices: Int32Array, ask: Ask, *, num_threads: int = 1) -> RankedColumns:
        """The list of each user, -1 for one who is unknown, in columns and without reasons."""
        ...

    def is_ready(self, ask: Ask) -> bool:
        """Whether nothing of an ask has to be looked up first that takes longer than a list."""
        ...

    def similar(self, seeds: Sequence[str], negatives: Sequence[str], ask: Ask, *, num_threads: int = 1) -> RankedList:
        """The items like the seeds and unlike the negatives."""
        ...

    def score(self, user_id: str, item_ids: Sequence[str]) -> ItemScores:
        """The scores of a user with the known ones of the items; NotFoundError for an unknown user."""
        ...

    def explain(self, user_id: str, item_id: str, limit: int = 5) -> tuple[Reason, ...]:
        """The user's own items that add most to an item's score, heaviest first."""
        ...

    def attributes_of(self, item_ids: Sequence[str], fields: Sequence[str]) -> list[dict[str, Any]]:
        """The attributes of each item, without those that it has no value for."""
        ...


class Engine:
    """Answers queries from an index; safe from several threads.

    Attributes:
        plain_seconds: how long a list takes that the model ranks, one of several; infinite before `warm_up`.
        item_seconds: how much longer a list takes with each item beyond those of a page that says nothing of its size.
        first_seconds: how much longer the first of several takes that are asked alike.
    """

    def __init__(self, index: RankingIndex) -> None:
        self._index = index
        self.plain_seconds = math.inf
        self.item_seconds = self.first_seconds = 0.0

    @property
    def version(self) -> str:
        """The version of the model that answers."""
        return self._index.version

    @property
    def fields(self) -> Mapping[str, str]:
        """The kind of each attribute of the items: text, number or flag."""
        return self._index.fields

    def knows(self, user_id: str) -> bool:
        """Whether the model knows a user."""
        return not self._unknown_users([user_id])[0]

    def warm_up(self) -> None:
        """Load what the first call needs, so that no caller waits for that, and see how long a plain list takes."""
        self._index.items.indices_of([""])
        self._index.users.indices_of([""])
        count = min(_TIMED_USERS, len(self._index.users))
        if not count:
            return
        self.plain_seconds = self._time(count, Ask())
        if (
            self.plain_seconds > limits.QUICK_SECONDS
        ):  # no list is quick then; of a million items the rest would take 50 ms
            return
        longer = self._time(min(count, _TIMED_LONG), Ask(k=limits.MAX_PAGE_SIZE)) - self.plain_seconds
        self.item_seconds = max(longer, 0.0) / (limits.MAX_PAGE_SIZE - limits.DEFAULT_PAGE_SIZE)
        self.first_seconds = max(self._time(1, Ask()) - self.plain_seconds, 0.0)

    def quick_seconds(self, template: Template) -> float:
        """How long a list takes, one of several, where that is the same for every user; infinite for anything else."""
        ask = template.ask
        if not (template.is_columnar and ask.is_plain and self._index.is_ready(ask)):
            return math.inf
        return self.plain_seconds + self.item_seconds * max(ask.end - limits.DEFAULT_PAGE_SIZE, 0)

    def recommend(self, query: RecommendQuery) -> Ranking:
        """A page of one user's list.

        Raises:
            PageExpiredError: the page belongs to a list of another model.
            InvalidRequestError: it names attributes that the model's items do not have.
        """
        self.check(query.template, query.page)
        return self.rank([query.user_id], query.template)[0]

    def rank(self, user_ids: Sequence[str], template: Template) -> list[Ranking]:
        """A page for each user; queries with equal templates may be ranked together. The template is not checked."""
        ask = template.ask
        # No user has the empty id: it stands for one whom the model does not know.
        known_ids = [""] * len(user_ids) if template.as_unknown else user_ids
        lists = [_NOTHING] * len(user_ids) if template.validate_only else self._index.ask(known_ids, ask, num_threads=1)
        missing = self._missing_of(template.named)
        unknown = self._unknown_users(known_ids) if ask.personalization == "full" else [False] * len(user_ids)
        return [
            self._page(replace(ranked, missing_ids=(user_id, *missing) if is_unknown else missing), template, user_id)
            for user_id, is_unknown, ranked in zip(user_ids, unknown, lists, strict=True)
        ]

    def rank_columns(self, user_ids: Sequence[str], template: Template) -> ColumnRankings:
        """`rank` for a template that is columnar."""
        ask = template.ask
        users = self._index.users.indices_of([""] * len(user_ids) if template.as_unknown else user_ids)
        columns = self._index.ask_columns(users, ask, num_threads=1)
        missing = self._missing_of(template.named)
        all_missing = [missing] * len(user_ids)
        if ask.personalization == "full" and bool((users < 0).any()):
            all_missing = [
                (user_id, *missing) if user < 0 else missing
                for user_id, user in zip(user_ids, users.tolist(), strict=True)
            ]
        ends = columns.ends
        counts = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
        return ColumnRankings(columns, all_missing, self._next_pages(counts, template, user_ids))

    def batch(self, query: BatchQuery, call: Call, known: Known | None = None) -> list[BatchRow]:
        """A row for each user; ends early, with what `call.checkpoint` raises, when nobody waits any more.

        Args:
            query: the users, and what to ask for each.
            call: see above.
            known: adds to the template what is known of a user; None where nothing is.

        Raises:
            InvalidRequestError: the template names attributes that the model's items do not have.
        """
        self.check(query.template)
        good = [row for row in range(len(query.user_ids)) if row not in query.bad_rows]
        results: dict[int, Ranking | Problem] = {row: problem_of(error) for row, error in query.bad_rows.items()}
        for start in range(0, len(good), _CHUNK):
            call.checkpoint()
            for template, rows in _by_template(query, good[start : start + _CHUNK], known).items():
                ranked = self._rows([query.user_ids[row] for row in rows], template, call)
                results.update(zip(rows, ranked, strict=True))
        return [BatchRow(user_id, results[row]) for row, user_id in enumerate(query.user_ids)]

    def similar_items(self, query: SimilarItemsQuery) -> Ranking:
        """A page of the items most like the seeds together and least like the negatives.

        Raises:
            NotFoundError: the index knows none of the seeds.
            PageExpiredError, InvalidRequestError: as `recommend`.
        """
        template, ask = query.template, query.template.ask
        self.check(template, query.page)
        seeds = tuple(dict.fromkeys(query.seeds))
        unknown = self._missing_items(seeds)
        if len(unknown) == len(seeds):
            raise NotFoundError(f"item_ids: expected at least one item that the model knows, got {len(seeds)} unknown")
        ranked = _NOTHING if template.validate_only else self._index.similar(seeds, query.negatives, ask)
        missing = self._missing_items((*seeds, *query.negatives, *(ask.allow or ()), *_ruled(ask)))
        return self._page(replace(ranked, missing_ids=missing), template, "")

    def score(self, query: ScoreQuery) -> Scores:
        """The scores of one user.

        Raises:
            NotFoundError: the index does not know the user.
        """
        scores = self._index.score(query.user_id, query.item_ids)
        known = [str(item_id) for item_id in scores.item_ids] if query.explain else []
        reasons = [self._index.explain(query.user_id, item_id, query.explain) for item_id in known]
        return Scores(
            scores.scores.tolist(),
            tuple(str(id_) for id_ in scores.missing_ids),
            [tuple((str(reason.item_id), reason.weight) for reason in of_item) for of_item in reasons],
        )

    def check(self, template: Template, page: PageToken | None = None) -> None:
        """See that this model can answer; raises as `recommend`."""
        if page is not None and page.version != self.version:
            raise PageExpiredError(page.version)
        if names_attributes(template):
            check_attributes(template, self._index.fields)

    def _page(self, ranked: RankedList, template: Template, user_id: str) -> Ranking:
        attributes: Sequence[Mapping[str, Any]] = ()
        wanted = template.form.attributes
        if wanted is not None and ranked.items:
            names = tuple(self._index.fields) if wanted.all else wanted.names
            attributes = self._index.attributes_of([str(item.item_id) for item in ranked.items], names)
        return Ranking(ranked, tuple(attributes), self._next_pages([len(ranked.items)], template, [user_id])[0])

    def _next_pages(self, counts: Sequence[int], template: Template, user_ids: Sequence[str]) -> list[str]:
        """The token behind a page of so many items, for each user."""
        ask = template.ask
        end = ask.offset + ask.k
        if end >= limits.MAX_PAGED_ITEMS or not template.form.has("next_page_token"):
            return [""] * len(counts)
        version, shape = self.version, template.shape
        # A list that is not full has no more to give.
        return [
            page_tokens.encode_parts(version, end, page_tokens.bind(user_id, shape)) if count >= ask.k else ""
            for count, user_id in zip(counts, user_ids, strict=True)
        ]

    def _time(self, count: int, ask: Ask) -> float:
        """How long the list of each of so many users takes, at best."""
        users = np.arange(count, dtype=np.int32)
        best = math.inf
        for _ in range(_TIMES):
            started = time.perf_counter()
            self._index.ask_columns(users, ask, num_threads=1)
            best = min(best, (time.perf_counter() - started) / count)
        return best

    def _rows(self, user_ids: list[str], template: Template, call: Call) -> list[Ranking | Problem]:
        try:
            return list(self.rank(user_ids, template))
        except Exception as error:
            if len(user_ids) > 1:
                # One bad row must not take its neighbours along: find it by ranking each alone.
                return [row for user_id in user_ids for row in self._rows([user_id], template, call)]
            problem = problem_of(error)
            if problem.is_server_fault:
                log(logging.ERROR, "batch row", request_id=call.request_id, error=places(error))
            return [problem]

    def _unknown_users(self, user_ids: Sequence[str]) -> list[bool]:
        return [index < 0 for index in self._index.users.indices_of(user_ids).tolist()]

    def _missing_of(self, ask: Ask) -> tuple[ExternalId, ...]:
        """The items of an ask that the index does not know and did not rule out anyway."""
        events = (event.item_id for event in ask.session)
        return self._missing_items((*(ask.allow or ()), *ask.context_item_ids, *events, *_ruled(ask)))

    def _missing_items(self, ids: Sequence[ExternalId]) -> tuple[ExternalId, ...]:
        indices = self._index.items.indices_of(ids).tolist() if ids else []
        return tuple(dict.fromkeys(id_ for id_, index in zip(ids, indices, strict=True) if index < 0))


def _by_template(query: BatchQuery, rows: Sequence[int], known: Known | None) -> dict[Template, Sequence[int]]:
    if known is None:
        return {query.template: rows}
    groups: dict[Template, list[int]] = {}
    for row in rows:
        groups.setdefault(known(query.user_ids[row], query.template), []).append(row)
    return dict(groups)


def _ruled(ask: Ask) -> Iterable[ExternalId]:
    return (item_id for rule in ask.rules for item_id in rule.item_ids)
