"""The index: a fitted scorer with everything that it takes to answer for ids of the outside."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from recocore.data.paths import local_path
from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.index import loading, saving
from recocore.index.answering import answer, answer_columns, answer_similar
from recocore.index.asking import Ask
from recocore.index.attribute_columns import read_attributes
from recocore.index.attributes import Attributes
from recocore.index.checks import check_indices, id_list, missing, whole
from recocore.index.contents import IndexData
from recocore.index.naming import named_columns, named_list, named_reasons
from recocore.index.popular import PopularItems
from recocore.index.resolving import Resolver
from recocore.index.results import ItemScores, RankedItem, RankedList, Reason
from recocore.memory import require_memory
from recocore.scoring import CandidateFilter

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from recocore.data import IdMap, Interactions
    from recocore.index.attributes import AttributeValue, FieldType
    from recocore.index.results import ExternalId, Fallback, Filled, RankedColumns
    from recocore.recommendations import Recommendations
    from recocore.scoring import Scorer
    from recocore.types import Int32Array


class FittedModel(Protocol):
    """What an index takes from a model."""

    @property
    def scorer(self) -> Scorer:
        """What the model has learned."""
        ...

    def params(self) -> dict[str, Any]:
        """The model's parameters."""
        ...


class Index:
    """An immutable, servable ranking: made by `build` or `load`, safe to use from many threads at once.

    Example:
        >>> from recocore import Index, Interactions
        >>> from recocore.models import ItemKNN
        >>> log = Interactions.from_coo(["ann", "ann", "bob"], ["tea", "pot", "tea"])
        >>> index = Index.build(ItemKNN(k=10).fit(log), log)
        >>> [item.item_id for item in index.recommend(["bob"], k=1)[0].items]
        ['pot']
    """

    def __init__(self, data: IndexData, version: str | None = None) -> None:
        self._data = data
        self._known_version = version
        self._resolver = Resolver(data)

    def __repr__(self) -> str:
        return f"Index({self.model}: {len(self.users):,} users, {len(self.items):,} items)"

    @classmethod
    def build(
        cls,
        model: FittedModel,
        interactions: Interactions,
        *,
        metrics: Mapping[str, float] | None = None,
        attributes: Any = None,
    ) -> Index:
        """Join a fitted model with the ids of the interactions that it was fitted on.

        Args:
            model: a fitted model.
            interactions: what it was fitted on.
            metrics: measured quality by name, to travel with the index.
            attributes: what is known of items: a pyarrow.Table, a mapping of columns or what exports Arrow, with the column
                `item_id` and a row an item. A column is text (also in lists), number, time (kept as seconds since 1970, UTC)
                or flag. Items of the index without a row have no values; rows of other items are passed over. Of a list of
                tables, a later one's column stands for an earlier one's of the same name.

        Raises:
            NotFittedError: the model is not fitted.
            InvalidArgumentError: it was fitted on other interactions, or a column of attributes cannot be kept.
        """
        scorer = model.scorer
        fitted, given = scorer.interactions, interactions.matrix
        if fitted.shape != given.shape or not (
            np.array_equal(fitted.indptr, given.indptr) and np.array_equal(fitted.indices, given.indices)
        ):
            raise InvalidArgumentError(
                f"interactions: expected those that the model was fitted on, {fitted.shape[0]} users x "
                f"{fitted.shape[1]} items with {fitted.nnz} entries, got others, {given.shape[0]} x {given.shape[1]} "
                f"with {given.nnz}",
                field="interactions",
            )
        return cls(
            IndexData(
                model=type(model).__name__,
                params=model.params(),
                metrics=dict(metrics or {}),
                created=datetime.now(UTC).replace(microsecond=0),
                users=interactions.users,
                items=interactions.items,
                scorer=scorer,
                popular=PopularItems.count(fitted),
                attributes=Attributes({}) if attributes is None else read_attributes(attributes, interactions.items),
            )
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str], verify: bool = True) -> Index:
        """Map a saved index, read-only, after checking all of it. O(bytes).

        Args:
            path: the folder.
            verify: compare the SHA-256 of every file; without it everything else is still checked.

        Raises:
            NotFoundError: nothing is there.
            CorruptError: it is damaged, foreign or of a newer format; the message names the file and the reason.
        """
        data, manifest = loading.load(local_path(path), verify=verify)
        return cls(data, manifest.version)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the index as a folder that appears whole or not at all, even when the process is killed.

        Args:
            path: a name that is free, or an empty folder.
            overwrite: replace an index that is there; anything else is never replaced.

        Raises:
            InvalidArgumentError: something else stands there, or the index holds NaN or infinity.
            OSError: the file system refuses; nothing is left behind.
        """
        saving.save(self._data, local_path(path), overwrite=overwrite)

    @cached_property
    def version(self) -> str:
        """Twelve hexadecimal digits that change with anything that changes an answer; the same in memory and saved."""
        return self._known_version or saving.describe(self._data).version

    @property
    def model(self) -> str:
        """The name of the model's class."""
        return self._data.model

    @property
    def params(self) -> Mapping[str, Any]:
        """The model's parameters."""
        return self._data.params

    @property
    def metrics(self) -> Mapping[str, float]:
        """Quality measured when the index was built."""
        return self._data.metrics

    @property
    def created(self) -> datetime:
        """When it was built, UTC."""
        return self._data.created

    @property
    def users(self) -> IdMap:
        """The users by their rows."""
        return self._data.users

    @property
    def items(self) -> IdMap:
        """The items by their columns."""
        return self._data.items

    @property
    def scorer(self) -> Scorer:
        """What ranks, on internal indices."""
        return self._data.scorer

    @property
    def popular(self) -> PopularItems:
        """What the fallback ranks by."""
        return self._data.popular

    def recommend(
        self,
        user_ids: Sequence[ExternalId],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        allow: Iterable[ExternalId] | None = None,
        block: Iterable[ExternalId] | None = None,
        fallback: Fallback = "popular",
        explain: int = 0,
        num_threads: int = 0,
    ) -> list[RankedList]:
        """The best items of each user.

        A user that the index does not know, or knows nothing of, gets the fallback alone; a list that the model cannot
        fill is filled from it. No item comes twice, and the lists hold for the fallback too.

        Args:
            user_ids: the users.
            k: the most items that a list may have.
            exclude_seen: leave out each user's own items.
            allow: only these items; None for all.
            block: never these items.
            fallback: "popular" or "none".
            explain: the most reasons for each item of the model.
            num_threads: 0 for one a core.

        Returns:
            A list for each user, in the order of `user_ids`.
        """
        whole(k, 1, "k")
        whole(explain, 0, "explain")
        if fallback not in ("popular", "none"):
            raise InvalidArgumentError(f'fallback: expected "popular" or "none", got {fallback!r}', field="fallback")
        ask = Ask(
            k=k,
            exclude_seen=exclude_seen,
            allow=None if allow is None else tuple(id_list(allow, "allow")),
            block=() if block is None else tuple(id_list(block, "block")),
            fallbacks=("popular",) if fallback == "popular" else (),
            explain=explain,
        )
        return self.ask(user_ids, ask, num_threads=num_threads)

    def recommend_arrays(
        self,
        user_indices: Int32Array,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        allow: Int32Array | None = None,
        block: Int32Array | None = None,
        num_threads: int = 0,
    ) -> Recommendations:
        """The model's ranking for many users on internal indices: no ids, no fallback, no loop in Python.

        Args:
            user_indices: int32 `[n]` rows of `users`.
            k: how many.
            exclude_seen: leave out each user's own items.
            allow: int32 item indices that may come back; None for all.
            block: int32 item indices that never do.
            num_threads: 0 for one a core.

        Returns:
            ids int32 `[n, k]`, -1 pads; scores float32 `[n, k]`.

        Raises:
            InvalidArgumentError: an array of another type, or an index out of range.
            OutOfMemoryError: n times k is more than there is room for.
        """
        whole(k, 1, "k")
        whole(num_threads, 0, "num_threads")
        for argument, indices, count in (
            ("user_indices", user_indices, len(self.users)),
            ("allow", allow, len(self.items)),
            ("block", block, len(self.items)),
        ):
            if indices is not None:
                check_indices(indices, count, argument)
        require_memory(8 * len(user_indices) * k, f"{k} items for each of {len(user_indices)} users")
        ranked = self.scorer.recommend(
            user_indices, self._at_most_all(k), CandidateFilter(exclude_seen, allow, block), num_threads
        )
        return ranked.padded(k)

    def similar_items(self, item_ids: Sequence[ExternalId], k: int = 10, *, num_threads: int = 0) -> list[RankedList]:
        """The items most like each item, itself left out; an item that the index does not know gets an empty list."""
        item_ids = id_list(item_ids, "item_ids")
        whole(k, 1, "k")
        whole(num_threads, 0, "num_threads")
        items = self.items.indices_of(item_ids)
        known = items >= 0
        ranked = self.scorer.similar_items(items[known], self._at_most_all(k), num_threads)
        rows = iter(zip(ranked.ids, ranked.scores, strict=True))
        lists = []
        for item_id, is_known in zip(item_ids, known.tolist(), strict=True):
            if is_known:
                ids, scores = next(rows)
                found = ids[ids >= 0]
                named = zip(self.items.ids_of(found), scores[ids >= 0].tolist(), strict=True)
                lists.append(RankedList(tuple(RankedItem(item_id, score) for item_id, score in named)))
            else:
                lists.append(RankedList((), missing_ids=(item_id,)))
        return lists

    def ask(self, user_ids: Sequence[ExternalId], ask: Ask, *, num_threads: int = 1) -> list[RankedList]:
        """The list of each user, whom the index may not know, as `Ask` says.

        Args:
            user_ids: the users.
            ask: how to rank.
            num_threads: 0 for one a core.

        Returns:
            A list for each user, in the order of `user_ids`. `missing_ids` has the items of the ask that the index does not
            know: allowed, blocked, of the session, the context and the rules, in this order.

        Raises:
            InvalidArgumentError: a field that the index does not have, or that is of another type; `field` is the path to it,
                such as `where.of[1].field`.
        """
        user_ids = id_list(user_ids, "user_ids")
        whole(num_threads, 0, "num_threads")
        missing_ids = self._resolver.missing(ask)
        lists = answer(self._data, self._resolver, self.users.indices_of(user_ids), ask, num_threads)
        return [named_list(self.items, filled, missing_ids) for filled in lists]

    def ask_columns(self, user_indices: Int32Array, ask: Ask, *, num_threads: int = 1) -> RankedColumns:
        """`ask` of rows of `users`, in columns and without reasons: a third of the time of `ask` for a plain one.

        Args:
            user_indices: int32 `[n]`, -1 for a user whom the index does not know.
            ask: how to rank.
            num_threads: 0 for one a core.

        Raises:
            InvalidArgumentError: as `ask_arrays`.
        """
        check_indices(user_indices, len(self.users), "user_indices", -1)
        return named_columns(self.items, answer_columns(self._data, self._resolver, user_indices, ask, num_threads))

    def is_ready(self, ask: Ask) -> bool:
        """Whether the filter of an ask, if it has one, has been looked up before and is kept: the first time takes longer."""
        return self._resolver.is_ready(ask)

    def ask_arrays(self, user_indices: Int32Array, ask: Ask, *, num_threads: int = 1) -> list[Filled]:
        """`ask` on internal indices, without a name.

        Args:
            user_indices: int32 `[n]` rows of `users`, -1 for a user whom the index does not know.
            ask: how to rank.
            num_threads: 0 for one a core.

        Raises:
            InvalidArgumentError: as `ask`, and for an array of another type or an index out of range.
        """
        check_indices(user_indices, len(self.users), "user_indices", -1)
        return answer(self._data, self._resolver, user_indices, ask, num_threads)

    def missing_of(self, ask: Ask) -> tuple[ExternalId, ...]:
        """The items of an ask that the index does not know, each once, in the order of `ask`."""
        return self._resolver.missing(ask)

    def similar(
        self, seeds: Sequence[ExternalId], negatives: Sequence[ExternalId], ask: Ask, *, num_threads: int = 1
    ) -> RankedList:
        """The items most like the seeds and least like the negatives; neither comes back.

        The score is the mean likeness to the seeds less the mean likeness to the negatives. Where likeness is a cosine, that
        is the product with Rocchio's query, the mean of the seeds' unit vectors less that of the negatives' (Relevance
        Feedback in Information Retrieval, 1971; Manning, Raghavan, Schuetze, Introduction to Information Retrieval, 9.1.1).

        Args:
            seeds: item ids; those that the index does not know are left out. With none that it knows, the list has what
                the fallbacks rank.
            negatives: item ids.
            ask: `k`, `offset`, `allow`, `block`, `where`, `rules`, `diversity` and the fallback "popular" hold; what is about
                a user is passed over.
            num_threads: 0 for one a core.

        Returns:
            The list; its `missing_ids` name seeds, negatives and items of the ask.
        """
        whole(num_threads, 0, "num_threads")
        named = tuple(id_list(seeds, "seeds")), tuple(id_list(negatives, "negatives"))
        liked, disliked = self._resolver.indices(named[0], "seeds"), self._resolver.indices(named[1], "negatives")
        filled = answer_similar(self._data, self._resolver, liked, disliked, ask, num_threads)
        return named_list(self.items, filled, self._resolver.missing(ask, (*named[0], *named[1])))

    @property
    def fields(self) -> Mapping[str, FieldType]:
        """The attributes of items by name, with their types: "text", "number" or "flag"."""
        return self._data.attributes.fields

    def attributes_of(
        self, item_ids: Sequence[ExternalId], fields: Sequence[str] | None = None
    ) -> list[dict[str, AttributeValue]]:
        """What is known of each item: a dictionary for each, without the fields that have no value.

        Args:
            item_ids: the items; one that the index does not know has an empty dictionary.
            fields: which attributes; None for all.

        Returns:
            For each item its values: str (list[str] where the field was given as lists), float or bool.

        Raises:
            InvalidArgumentError: a field that the index does not have.
        """
        item_ids = id_list(item_ids, "item_ids")
        items = self.items.indices_of(item_ids)
        known = items >= 0
        found = iter(self._data.attributes.values_of(items[known], fields))
        return [next(found) if is_known else {} for is_known in known.tolist()]

    def score(self, user_id: ExternalId, item_ids: Sequence[ExternalId]) -> ItemScores:
        """The model's scores of given items for one user; seen items are scored like any other.

        Raises:
            NotFoundError: the index does not know the user.
        """
        item_ids = id_list(item_ids, "item_ids")
        items = self.items.indices_of(item_ids)
        known = items >= 0
        scores = self.scorer.score(np.array([self._user_index(user_id)], np.int32), items[known])[0]
        kept = tuple(item_ids[position] for position in np.flatnonzero(known).tolist())
        return ItemScores(kept, scores, missing(item_ids, items))

    def explain(self, user_id: ExternalId, item_id: ExternalId, limit: int = 5) -> tuple[Reason, ...]:
        """The user's own items that add most to an item's score, heaviest first; empty where the model has no reasons.

        Raises:
            NotFoundError: the index does not know the user or the item.
        """
        whole(limit, 1, "limit")
        item = self.items.index_of(item_id)
        if item < 0:
            raise NotFoundError(f"item_id: {item_id!r} is not in this index")
        found = self.scorer.explain(self._user_index(user_id), np.array([item], np.int32), limit)
        return named_reasons(self.items, found)[0]

    def _at_most_all(self, k: int) -> int:
        """k, or the number of items where that is less: no list is longer, and memory is taken for k."""
        return min(k, max(1, len(self.items)))

    def _user_index(self, user_id: ExternalId) -> int:
        user = self.users.index_of(user_id)
        if user < 0:
            raise NotFoundError(f"user_id: {user_id!r} is not in this index; it knows users of its training data only")
        return user
