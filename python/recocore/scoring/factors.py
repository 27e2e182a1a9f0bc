"""Ranking by the inner product of user and item factors."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

import numpy as np

from recocore import _native
from recocore.errors import CorruptError, InvalidArgumentError
from recocore.recommendations import Contribution, Recommendations
from recocore.retrieval import Retriever
from recocore.retrieval.directions import unit_rows
from recocore.retrieval.diversity import VectorLikeness
from recocore.scoring.arrays import of_prefix, prefixed, take_finite
from recocore.scoring.base import itself, met, row_of
from recocore.scoring.contributions import heaviest
from recocore.scoring.profiles import boosted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.csr import Csr
    from recocore.retrieval.diversity import Likeness
    from recocore.scoring.base import CandidateFilter
    from recocore.scoring.profiles import Events, Profiles
    from recocore.types import AnyArray, BoolArray, Float32Array, Float64Array, Int32Array, NativeFilter


class EntryRow(NamedTuple):
    """Entries of somebody: what they met, the stored values, and what weighs these besides; None for ones."""

    items: Int32Array
    values: Float32Array
    weights: Float32Array | None


class FactorScorer:
    """Scores are inner products of factors; similar items are those whose factors have the largest cosine.

    Args:
        interactions: `[n_users, n_items]` weights that the factors were fitted on.
        user_factors: float32 `[n_users, f]`.
        item_factors: float32 `[n_items, f]`.
        objective: float64 (regularization, alpha0, nu, 0 for the ials loss or 1 for original, the preference of a dislike)
            of the ALS objective that the user factors minimise, the last two 0 where they are missing; or an empty array for
            factors from elsewhere, which cannot be explained.
        device: where items are ranked: cpu, or cuda.
        weights: float32 `[nnz]`, what the weight of each entry is multiplied by; None for ones.
    """

    kind: ClassVar[str] = "factors"
    context_weight: ClassVar[float] = 1.0

    def __init__(
        self,
        interactions: Csr,
        user_factors: Float32Array,
        item_factors: Float32Array,
        objective: Float64Array,
        device: str = "cpu",
        weights: Float32Array | None = None,
    ) -> None:
        self.device = device
        self.weights = weights
        self.interactions = interactions
        self.user_factors = user_factors
        self.item_factors = item_factors
        self.objective = objective

    def knows(self, users: Int32Array, events: Events | None = None) -> BoolArray:
        """Those with an entry, or whose features gave them factors; with events everybody, if they can be folded in."""
        if events is not None and len(self.objective):
            return np.ones(len(users), np.bool_)
        known = met(self.interactions, users)
        if known.all():  # nearly always, and four times as fast
            return known
        known[~known] = self._user_vectors()[users[~known]].any(axis=1) & (users[~known] >= 0)
        return known

    def profiles(self, users: Int32Array, events: Events | None = None) -> Profiles:
        """The users' factors; events are folded in.

        That is, the factors are solved for anew, exactly, from the user's row with the events added: the same as
        `ALS.fold_in_users` has of that row. What features say of a user is lost in it. Without an objective, events cannot
        be folded in and are passed over. O((entries + f) f^2) a user.
        """
        if events is None or not len(self.objective):
            return _FactorProfiles(self, self.user_factors[users], users, None)
        vectors = np.empty((len(users), self.user_factors.shape[1]), np.float32)
        for row, user in enumerate(users.tolist()):
            vectors[row] = self._solved(self._row(user, events))
        return _FactorProfiles(self, vectors, users, events)

    def alike(self, seeds: Int32Array, negatives: Int32Array) -> Profiles:
        """The mean of the seeds' unit vectors less that of the negatives': its product with an item's is the score."""
        vectors = self._item_vectors()
        if len(seeds) == 1 and not len(negatives):
            return _Alike(self._by_cosine, np.ascontiguousarray(vectors[seeds]), 1.0)
        query = unit_rows(vectors[seeds]).mean(axis=0)
        if len(negatives):
            query -= unit_rows(vectors[negatives]).mean(axis=0)
        return _Alike(self._by_cosine, query.astype(np.float32)[None], float(np.sqrt(np.einsum("j,j->", query, query))))

    @property
    def likeness(self) -> Likeness:
        """Cosines of the items' vectors."""
        return VectorLikeness(self._item_vectors())

    def recommend(
        self, users: Int32Array, k: int, candidates: CandidateFilter, num_threads: int = 0
    ) -> Recommendations:
        """The k items with the largest inner product for each user."""
        lists = candidates.native(self.interactions, users)
        return Recommendations(*self._by_product.search(self.user_factors[users], k, lists, num_threads))

    def similar_items(self, items: Int32Array, k: int, num_threads: int = 0) -> Recommendations:
        """The k items whose factors have the largest cosine with each item's."""
        vectors = np.ascontiguousarray(self._item_vectors()[items])
        return Recommendations(*self._by_cosine.search(vectors, k, itself(items, len(self.item_factors)), num_threads))

    def score(self, users: Int32Array, items: Int32Array) -> Float32Array:
        """Inner products, float32 `[len(users), len(items)]`."""
        scores: Float32Array = _native.score_all(
            self.user_factors[users], np.ascontiguousarray(self.item_factors[items])
        )
        return scores

    def explain(self, user: int, items: Int32Array, limit: int) -> list[list[Contribution]]:
        """Split each score over the user's items.

        The user's factors solve A x = sum_j p_j y_j over their items j, so the score of item i is
        sum_j p_j y_i^T A^-1 y_j: one term for each own item (Hu, Koren, Volinsky 2008, section 5). The terms sum to the
        score where the factors were solved exactly, and the users have no features, which would add what no item does.
        O(f^3 + len(items) f entries).
        """
        return self._shares(self._row(user, None), items, limit)

    def _row(self, user: int, events: Events | None) -> EntryRow:
        """The entries of a user, with events."""
        own, values = row_of(self.interactions, user)
        weights = self._weights_of(user)
        if events is None:
            return EntryRow(own, values, weights)
        return EntryRow(*events.added_to(own, values if weights is None else values * weights), None)

    def _weights_of(self, user: int) -> Float32Array | None:
        """The weights of a user's entries; None for ones."""
        if self.weights is None or user < 0:
            return None
        return self.weights[self.interactions.indptr[user] : self.interactions.indptr[user + 1]]

    def _shares(self, row: EntryRow, items: Int32Array, limit: int) -> list[list[Contribution]]:
        """Split the scores of somebody with these entries."""
        if len(self.objective) == 0 or len(row.items) == 0:
            return [[] for _ in items]
        design, pulls, system = self._equations(row)
        projected = np.linalg.solve(system, self._targets(items))
        return [heaviest(row.items, pulls * (design @ column), limit) for column in projected.T]

    def _solved(self, row: EntryRow) -> Float64Array:
        """The factors of somebody with these entries."""
        design, pulls, system = self._equations(row)
        right = pulls @ design
        solved = _native.solve_positive_definite(system, right)
        return np.asarray(np.linalg.lstsq(system, right)[0], np.float64) if solved is None else solved

    def _equations(self, row: EntryRow) -> tuple[Float64Array, Float64Array, Float64Array]:
        """The y_j of some items, their p_j, and A."""
        regularization, alpha0, nu, original, dislike = (*self.objective.tolist(), 0.0, 0.0)[:5]
        weights = np.abs(row.values, dtype=np.float64)
        if row.weights is not None:
            weights *= row.weights
        pulls = np.where(row.values < 0, dislike, 1.0) * (weights + alpha0 if original else weights)
        y = self.item_factors[row.items].astype(np.float64)
        mass = len(row.items) + alpha0 * self.interactions.shape[1]
        system = alpha0 * self._item_gram + (y.T * weights) @ y
        system[np.diag_indices_from(system)] += regularization * mass**nu
        return y, pulls, system

    def _targets(self, items: Int32Array) -> Float64Array:
        """The y_i of some items, as columns."""
        return self.item_factors[items].T.astype(np.float64)

    def arrays(self) -> dict[str, AnyArray]:
        """The factors, the objective, weights and item_gram where there are some, and the items prepared for retrieval."""
        fitted: dict[str, AnyArray] = {
            "user_factors": self.user_factors,
            "item_factors": self.item_factors,
            "objective": self.objective,
        }
        if self.weights is not None:
            fitted["weights"] = self.weights
        if self._has_gram:
            fitted["item_gram"] = self._gram
        # What is not finite cannot be prepared; whoever stores the arrays refuses it by name.
        with suppress(InvalidArgumentError):
            fitted |= prefixed("retrieval_", self._by_product.arrays())
        return fitted

    @classmethod
    def from_arrays(cls, interactions: Csr, arrays: Mapping[str, AnyArray]) -> Self:
        """The scorer again from what `arrays` gave."""
        n_users, n_items = interactions.shape
        user_factors = take_finite(arrays, "user_factors", np.float32, (n_users, None))
        item_factors = take_finite(arrays, "item_factors", np.float32, (n_items, user_factors.shape[1]))
        objective = take_finite(arrays, "objective", np.float64, (None,))
        if len(objective) not in (0, 3, 4, 5):
            raise CorruptError(f"objective: expected none, or 3 to 5 numbers, got {len(objective)}")
        weights = None
        if "weights" in arrays:
            weights = take_finite(arrays, "weights", np.float32, (interactions.nnz,))
            if (weights < 0).any():
                raise CorruptError(f"weights: expected none below 0, got {weights.min()}")
        scorer = cls(interactions, user_factors, item_factors, objective, weights=weights)
        # An index of an earlier version has nothing prepared: then that is done when it is first needed.
        if scorer._has_gram and "item_gram" in arrays:
            scorer._gram = take_finite(arrays, "item_gram", np.float32, 2 * (user_factors.shape[1],))
        if prepared := of_prefix("retrieval_", arrays):
            scorer._by_product = Retriever.from_arrays(item_factors, prepared)
        return scorer

    @cached_property
    def _by_product(self) -> Retriever:
        """The items as they are ranked for users."""
        return Retriever(self.item_factors, device=self.device)

    @cached_property
    def _by_cosine(self) -> Retriever:
        """The items as they are compared with each other."""
        return self._by_product.with_metric("cosine")

    def _user_vectors(self) -> Float32Array:
        """What makes a user's ranking their own."""
        return self.user_factors

    def _item_vectors(self) -> Float32Array:
        """What makes two items alike."""
        return self.item_factors

    @property
    def _has_gram(self) -> bool:
        """Whether the objective asks about all items."""
        return len(self.objective) > 0

    @cached_property
    def _gram(self) -> Float32Array:
        # Items without an entry may have factors by their features, but nobody was asked about them.
        counts = np.bincount(self.interactions.indices, minlength=len(self.item_factors))
        gram: Float32Array = _native.gram(np.ascontiguousarray(self.item_factors[counts > 0]))
        return gram

    @cached_property
    def _item_gram(self) -> Float64Array:
        return self._gram.astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _FactorProfiles:
    """Users as vectors."""

    scorer: FactorScorer
    vectors: Float32Array
    users: Int32Array
    events: Events | None

    def __len__(self) -> int:
        return len(self.vectors)

    def rank(
        self, rows: Int32Array, k: int, lists: NativeFilter, boosts: Float32Array | None = None, num_threads: int = 0
    ) -> Recommendations:
        """See `Profiles`."""
        vectors = np.ascontiguousarray(self.vectors[rows])
        return Recommendations(*self.scorer._by_product.search(vectors, k, lists, num_threads, boosts))

    def explain(self, row: int, items: Int32Array, limit: int) -> list[list[Contribution]]:
        """See `Profiles`."""
        return self.scorer._shares(self.scorer._row(int(self.users[row]), self.events), items, limit)


@dataclass(frozen=True, slots=True, eq=False)
class _Alike:
    """One direction, and how long it is."""

    retriever: Retriever
    query: Float32Array
    length: float

    def __len__(self) -> int:
        return 1

    def rank(
        self, rows: Int32Array, k: int, lists: NativeFilter, boosts: Float32Array | None = None, num_threads: int = 0
    ) -> Recommendations:
        """See `Profiles`."""
        if boosts is not None:
            return boosted(lambda k, lists: self.rank(rows, k, lists, None, num_threads), len(rows), k, lists, boosts)
        ids, scores = self.retriever.search(self.query[rows], k, lists, num_threads)
        # A length of 0 times a pad's -inf would be NaN.
        scaled = scores if self.length == 1 else np.where(ids >= 0, scores * np.float32(self.length), scores)
        return Recommendations(ids, scaled.astype(np.float32))

    def explain(self, row: int, items: Int32Array, limit: int) -> list[list[Contribution]]:
        """No item pulls another one up."""
        return [[] for _ in items]
