"""What every model is: the protocol, and the checks and delegation that all share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

from recocore.csr import Csr
from recocore.data import Interactions
from recocore.errors import InvalidArgumentError, NotFittedError
from recocore.ops.arguments import checked_indices, integer
from recocore.ops.topk import candidate_list
from recocore.scoring import CandidateFilter

if TYPE_CHECKING:
    from recocore.recommendations import Contribution, Recommendations
    from recocore.scoring import Scorer
    from recocore.types import Float32Array, Int32Array, NativeRows, Progress


@runtime_checkable
class Recommender(Protocol):
    """A model that learns from interactions and ranks items, on the interactions' indices."""

    def fit(self, interactions: Interactions, progress: Progress | None = None) -> Self:
        """Learn, and return the model itself."""
        ...

    def recommend(
        self, user_indices: Any, k: int = 10, exclude_seen: bool = True, allow: Any = None, block: Any = None
    ) -> Recommendations:
        """The k best items of each user."""
        ...

    def similar_items(self, item_indices: Any, k: int = 10) -> Recommendations:
        """The k items most like each item."""
        ...


class BaseModel(ABC):
    """Parameters as constructor keywords, held unchanged; learning fills a scorer, which answers everything else."""

    name: ClassVar[str]

    num_threads: int = 0

    def __init__(self) -> None:
        self._scorer: Scorer | None = None

    @abstractmethod
    def params(self) -> dict[str, Any]:
        """The constructor's keywords with their values, JSON-ready: the same model again is `type(model)(**params)`."""

    @abstractmethod
    def fit(self, interactions: Interactions, progress: Progress | None = None) -> Self:
        """Learn from interactions.

        Args:
            interactions: weights by user and item.
            progress: told the part done in [0, 1]; an exception that it raises stops the fit and leaves the model as it was.

        Returns:
            The model itself.

        Raises:
            InvalidArgumentError: there is nothing to learn from, or a parameter does not fit the data.
        """

    @property
    def scorer(self) -> Scorer:
        """What `fit` learned.

        Raises:
            NotFittedError: before `fit`.
        """
        if self._scorer is None:
            raise NotFittedError(f"{type(self).__name__} is not fitted; call fit(interactions) first")
        return self._scorer

    def recommend(
        self, user_indices: Any, k: int = 10, exclude_seen: bool = True, allow: Any = None, block: Any = None
    ) -> Recommendations:
        """Rank items for users.

        Args:
            user_indices: integers `[n]` in [0, n_users).
            k: how many for each user, at least 1; rows with fewer candidates are padded.
            exclude_seen: leave out the items that a user has interacted with.
            allow: the only items that may come back: indices for every user, or a sparse `[n, n_items]` with a row for each.
            block: items that must not come back, in the same two forms.

        Returns:
            ids and scores `[n, k]`: score descending, then index ascending; -1 and -inf pad.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: an index, k or list out of range.
        """
        scorer = self.scorer
        users = checked_indices(user_indices, scorer.interactions.shape[0], "user_indices")
        k = integer(k, "k", 1)
        shape = (len(users), scorer.interactions.shape[1])
        candidates = CandidateFilter(
            exclude_seen,
            _as_filter(candidate_list(allow, shape, "allow")),
            _as_filter(candidate_list(block, shape, "block")),
        )
        return scorer.recommend(users, k, candidates, self.num_threads)

    def similar_items(self, item_indices: Any, k: int = 10) -> Recommendations:
        """Rank the items most like each given item; the item itself never comes back.

        Args:
            item_indices: integers `[n]` in [0, n_items).
            k: how many for each item, at least 1.

        Returns:
            ids and scores `[n, k]`, ordered and padded as in `recommend`.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: an index or k out of range.
        """
        scorer = self.scorer
        items = checked_indices(item_indices, scorer.interactions.shape[1], "item_indices")
        return scorer.similar_items(items, integer(k, "k", 1), self.num_threads)

    def score(self, user_indices: Any, item_indices: Any) -> Float32Array:
        """The score of every user with every item, float32 `[len(user_indices), len(item_indices)]`; no filter applies.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: an index out of range.
        """
        scorer = self.scorer
        users = checked_indices(user_indices, scorer.interactions.shape[0], "user_indices")
        items = checked_indices(item_indices, scorer.interactions.shape[1], "item_indices")
        return scorer.score(users, items)

    def explain(self, user_index: int, item_indices: Any, limit: int = 3) -> list[list[Contribution]]:
        """For each item, the user's own items that pulled it up: at most `limit`, heaviest first.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: an index out of range.
        """
        scorer = self.scorer
        user = int(checked_indices([user_index], scorer.interactions.shape[0], "user_index")[0])
        items = checked_indices(item_indices, scorer.interactions.shape[1], "item_indices")
        return scorer.explain(user, items, integer(limit, "limit", 1))

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.params().items())
        return f"{type(self).__name__}({arguments})"


class OneStepModel(BaseModel):
    """A model that learns in one call, without epochs."""

    @abstractmethod
    def _learn(self, interactions: Interactions, progress: Progress | None) -> Scorer:
        """The scorer that fits these interactions."""

    def fit(self, interactions: Interactions, progress: Progress | None = None) -> Self:
        """Learn from interactions; see `BaseModel.fit`."""
        check_learnable(interactions)
        scorer = self._learn(interactions, progress)
        if progress is not None:
            progress(1.0)
        self._scorer = scorer
        return self


def check_learnable(interactions: object) -> None:
    """Refuse what no model can learn from.

    Raises:
        InvalidArgumentError: not Interactions, or none.
    """
    if not isinstance(interactions, Interactions):
        raise InvalidArgumentError(
            f"interactions: expected recocore.Interactions, got {type(interactions).__name__}; "
            "make them with Interactions.from_coo, from_csr or from_events",
            field="interactions",
        )
    if interactions.nnz == 0:
        raise InvalidArgumentError(
            f"interactions: expected at least one, got an empty {interactions.n_users} x {interactions.n_items} "
            "matrix; check event types, weights and cleaning",
            field="interactions",
        )


def _as_filter(value: Int32Array | NativeRows | None) -> Int32Array | Csr | None:
    return Csr(*value[0]) if isinstance(value, tuple) else value
