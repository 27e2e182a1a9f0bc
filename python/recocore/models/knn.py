"""Nearest neighbours over items and over users."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

from recocore.csr import Csr
from recocore.models.base import OneStepModel, check_learnable
from recocore.models.knn_update import Fitted, updated_neighbors
from recocore.models.matrix_changes import numbers_now
from recocore.ops.arguments import choice, integer, not_negative, threads
from recocore.ops.device import checked_device
from recocore.ops.similarity import SIMILARITY_KINDS, similarity
from recocore.scoring import ItemNeighborScorer, UserNeighborScorer

if TYPE_CHECKING:
    from recocore.data import Interactions
    from recocore.scoring import Scorer
    from recocore.types import Int32Array, Progress


class _NeighborModel(OneStepModel):
    """The parameters of a neighbourhood model; which side is compared is the subclass's."""

    def __init__(
        self,
        similarity: str = "cosine",
        k: int = 100,
        shrinkage: float = 0.0,
        num_threads: int = 0,
        device: str = "cpu",
    ) -> None:
        super().__init__()
        self.similarity = choice(similarity, "similarity", SIMILARITY_KINDS)
        self.k = integer(k, "k", 1)
        self.shrinkage = not_negative(shrinkage, "shrinkage")
        self.num_threads = threads(num_threads)
        self.device = checked_device(device)

    def params(self) -> dict[str, Any]:
        """The constructor's keywords with their values."""
        return {
            "similarity": self.similarity,
            "k": self.k,
            "shrinkage": self.shrinkage,
            "num_threads": self.num_threads,
            "device": self.device,
        }

    def update(
        self,
        interactions: Interactions,
        user_indices: Any = None,
        item_indices: Any = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from interactions that grew or changed a little since the fit; the result is that of `fit`, to the byte.

        Only what changed is compared again: the rows whose entries are not as they were, and the rows that may have
        other neighbours for that. Where much changed, or the kind of similarity looks at all rows at once (bm25; tfidf
        with more rows; lift and log_likelihood_ratio with more columns), everything is.

        Args:
            interactions: all interactions as they are now, not only the new ones.
            user_indices: integers `[n]`, for each user fitted the index in `interactions`, -1 for one that is gone. None
                where indices stay and new users come last. Wrong ones, or ones that do not rise, cost a longer
                computation and never another result.
            item_indices: likewise.
            progress: told the part done in [0, 1]; an exception that it raises leaves the model as it was.

        Returns:
            The model itself.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: there is nothing to learn from, or indices that do not fit.

        Example:
            >>> import recocore
            >>> old = recocore.Interactions.from_coo(["ann", "ann", "cid"], ["a", "c", "a"])
            >>> new = recocore.Interactions.from_coo(["ann", "ann", "bob", "cid"], ["a", "c", "c", "a"])
            >>> now = new.users.indices_of(old.users.ids_of(range(old.n_users)))
            >>> now.tolist()
            [0, 2]
            >>> ItemKNN().fit(old).update(new, user_indices=now).similar_items([0], k=1).ids.tolist()
            [[1]]
        """
        n_users, n_items = self.scorer.interactions.shape
        check_learnable(interactions)
        users = numbers_now(user_indices, n_users, interactions.n_users, "user_indices")
        items = numbers_now(item_indices, n_items, interactions.n_items, "item_indices")
        scorer = self._relearn(interactions, users, items, progress)
        if progress is not None:
            progress(1.0)
        self._scorer = scorer
        return self

    @abstractmethod
    def _relearn(
        self, interactions: Interactions, users: Int32Array, items: Int32Array, progress: Progress | None
    ) -> Scorer:
        """The scorer that fits these interactions, given the new numbers of what was fitted."""

    def _neighbors(self, matrix: Csr, rows: Int32Array | None, k: int | None, progress: Progress | None) -> Csr:
        """The k rows most like each of `rows`, or of every row."""
        found = similarity(
            matrix,
            kind=self.similarity,
            k=k,
            shrinkage=self.shrinkage,
            rows=rows,
            num_threads=self.num_threads,
            progress=progress,
            device=self.device,
        )
        return Csr.from_scipy(found)

    def _updated(self, fitted: Fitted, matrix: Csr, progress: Progress | None) -> Csr:
        """The k rows most like each row, from what was fitted."""
        compare = partial(self._neighbors, matrix)
        return updated_neighbors(fitted, matrix, self.similarity, self.k, compare, progress).neighbors


class ItemKNN(_NeighborModel):
    """An item is recommended when it is like the items that the user has.

    score(u, i) = sum over the user's items j of weight(u, j) * similarity(i, j), where j is among the k neighbours of i.

    Args:
        similarity: a kind of `recocore.ops.similarity`.
        k: neighbours kept of each item.
        shrinkage: pulls the similarity of items with few common users to zero.
        num_threads: 0 is one for each core; the result does not depend on it.
        device: cpu, or cuda, which compares rows there.

    Example:
        >>> import recocore
        >>> data = recocore.Interactions.from_coo(["ann", "ann", "bob", "bob", "cid"], ["a", "b", "a", "c", "a"])
        >>> recocore.models.ItemKNN().fit(data).recommend([2], k=2).ids.tolist()  # cid has a
        [[1, 2]]
    """

    name: ClassVar[str] = "itemknn"

    def _learn(self, interactions: Interactions, progress: Progress | None) -> ItemNeighborScorer:
        return ItemNeighborScorer(interactions.matrix, self._neighbors(interactions.by_item, None, self.k, progress))

    def _relearn(
        self, interactions: Interactions, users: Int32Array, items: Int32Array, progress: Progress | None
    ) -> ItemNeighborScorer:
        scorer = self.scorer
        assert isinstance(scorer, ItemNeighborScorer)
        fitted = Fitted(scorer.interactions.transpose(), scorer.similarity, items, users)
        return ItemNeighborScorer(interactions.matrix, self._updated(fitted, interactions.by_item, progress))


class UserKNN(_NeighborModel):
    """An item is recommended when users like this one have it.

    score(u, i) = sum over the k neighbours v of u of similarity(u, v) * weight(v, i).

    Args:
        similarity: a kind of `recocore.ops.similarity`.
        k: neighbours kept of each user.
        shrinkage: pulls the similarity of users with few common items to zero.
        num_threads: 0 is one for each core; the result does not depend on it.
        device: cpu, or cuda, which compares rows there.
    """

    name: ClassVar[str] = "userknn"

    def _learn(self, interactions: Interactions, progress: Progress | None) -> UserNeighborScorer:
        return UserNeighborScorer(interactions.matrix, self._neighbors(interactions.matrix, None, self.k, progress))

    def _relearn(
        self, interactions: Interactions, users: Int32Array, items: Int32Array, progress: Progress | None
    ) -> UserNeighborScorer:
        scorer = self.scorer
        assert isinstance(scorer, UserNeighborScorer)
        fitted = Fitted(scorer.interactions, scorer.similarity, users, items)
        return UserNeighborScorer(interactions.matrix, self._updated(fitted, interactions.matrix, progress))
