"""Nearest neighbours over items and over users."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from recocore.csr import Csr
from recocore.models.base import BaseModel, check_device
from recocore.ops.arguments import choice, integer, not_negative, threads
from recocore.ops.similarity import SIMILARITY_KINDS, similarity
from recocore.scoring import ItemNeighborScorer, UserNeighborScorer

if TYPE_CHECKING:
    from recocore.data import Interactions
    from recocore.scoring import Scorer
    from recocore.types import Progress


class _NeighborModel(BaseModel):
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
        self.device = check_device(device)

    def params(self) -> dict[str, Any]:
        """The constructor's keywords with their values."""
        return {
            "similarity": self.similarity,
            "k": self.k,
            "shrinkage": self.shrinkage,
            "num_threads": self.num_threads,
            "device": self.device,
        }

    @abstractmethod
    def _learn(self, interactions: Interactions, progress: Progress | None) -> Scorer: ...

    def _neighbors(self, rows: Csr, progress: Progress | None) -> Csr:
        """The k rows most like each row."""
        found = similarity(
            rows,
            kind=self.similarity,
            k=self.k,
            shrinkage=self.shrinkage,
            num_threads=self.num_threads,
            progress=progress,
        )
        return Csr.from_scipy(found)


class ItemKNN(_NeighborModel):
    """An item is recommended when it is like the items that the user has.

    score(u, i) = sum over the user's items j of weight(u, j) * similarity(i, j), where j is among the k neighbours of i.

    Args:
        similarity: a kind of `recocore.ops.similarity`.
        k: neighbours kept of each item.
        shrinkage: pulls the similarity of items with few common users to zero.
        num_threads: 0 is one for each core; the result does not depend on it.
        device: cpu.

    Example:
        >>> import recocore
        >>> data = recocore.Interactions.from_coo(["ann", "ann", "bob", "bob", "cid"], ["a", "b", "a", "c", "a"])
        >>> recocore.models.ItemKNN().fit(data).recommend([2], k=2).ids.tolist()  # cid has a
        [[1, 2]]
    """

    name: ClassVar[str] = "itemknn"

    def _learn(self, interactions: Interactions, progress: Progress | None) -> ItemNeighborScorer:
        return ItemNeighborScorer(interactions.matrix, self._neighbors(interactions.by_item, progress))


class UserKNN(_NeighborModel):
    """An item is recommended when users like this one have it.

    score(u, i) = sum over the k neighbours v of u of similarity(u, v) * weight(v, i).

    Args:
        similarity: a kind of `recocore.ops.similarity`.
        k: neighbours kept of each user.
        shrinkage: pulls the similarity of users with few common items to zero.
        num_threads: 0 is one for each core; the result does not depend on it.
        device: cpu.
    """

    name: ClassVar[str] = "userknn"

    def _learn(self, interactions: Interactions, progress: Progress | None) -> UserNeighborScorer:
        return UserNeighborScorer(interactions.matrix, self._neighbors(interactions.matrix, progress))
