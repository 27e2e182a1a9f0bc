"""Ranking by the inner product of user and item factors."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from recocore import _native
from recocore.errors import CorruptError, InvalidArgumentError
from recocore.recommendations import Contribution, Recommendations
from recocore.retrieval import Retriever
from recocore.scoring.arrays import of_prefix, prefixed, take_finite
from recocore.scoring.base import itself, met
from recocore.scoring.contributions import heaviest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.csr import Csr
    from recocore.scoring.base import CandidateFilter
    from recocore.types import AnyArray, BoolArray, Float32Array, Float64Array, Int32Array


class FactorScorer:
    """Scores are inner products of factors; similar items are those whose factors have the largest cosine.

    Args:
        interactions: `[n_users, n_items]` weights that the factors were fitted on.
        user_factors: float32 `[n_users, f]`.
        item_factors: float32 `[n_items, f]`.
        objective: float64 (regularization, alpha0, nu, 0 for the ials loss or 1 for original) of the ALS objective that the
            user factors minimise, the last 0 where it is missing; or an empty array for factors from elsewhere, which
            cannot be explained.
    """

    kind: ClassVar[str] = "factors"

    def __init__(
        self,
        interactions: Csr,
        user_factors: Float32Array,
        item_factors: Float32Array,
        objective: Float64Array,
    ) -> None:
        self.interactions = interactions
        self.user_factors = user_factors
        self.item_factors = item_factors
        self.objective = objective

    def knows(self, users: Int32Array) -> BoolArray:
        """Those with an entry, or whose features gave them factors."""
        known = met(self.interactions, users)
        known[~known] = self._user_vectors()[users[~known]].any(axis=1)
        return known

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
        return _native.score_all(self.user_factors[users], np.ascontiguousarray(self.item_factors[items]))

    def explain(self, user: int, items: Int32Array, limit: int) -> list[list[Contribution]]:
        """Split each score over the user's items.

        The user's factors solve A x = sum_j p_j y_j over their items j, so the score of item i is
        sum_j p_j y_i^T A^-1 y_j: one term for each own item (Hu, Koren, Volinsky 2008, section 5). The terms sum to the
        score where the factors were solved exactly, and the users have no features, which would add what no item does.
        O(f^3 + len(items) f entries).
        """
        own, values = self.interactions.row(user)
        if len(self.objective) == 0 or len(own) == 0:
            return [[] for _ in items]
        regularization, alpha0, nu = self.objective[:3]
        original = bool(self.objective[3:].any())
        pulls = np.where(values < 0, 0.0, values + (alpha0 if original else 0.0))
        y = self.item_factors[own].astype(np.float64)
        mass = len(own) + alpha0 * self.interactions.shape[1]
        system = alpha0 * self._item_gram + (y.T * np.abs(values)) @ y
        system[np.diag_indices_from(system)] += regularization * mass**nu
        projected = np.linalg.solve(system, self.item_factors[items].T.astype(np.float64))
        return [heaviest(own, pulls * (y @ column), limit) for column in projected.T]

    def arrays(self) -> dict[str, AnyArray]:
        """user_factors, item_factors, objective, and the items as they are prepared for retrieval."""
        fitted: dict[str, AnyArray] = {
            "user_factors": self.user_factors,
            "item_factors": self.item_factors,
            "objective": self.objective,
        }
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
        if len(objective) not in (0, 3, 4):
            raise CorruptError(f"objective: expected none, 3 or 4 numbers, got {len(objective)}")
        scorer = cls(interactions, user_factors, item_factors, objective)
        # An index of an earlier version has nothing prepared: then that is done when it is first needed.
        if prepared := of_prefix("retrieval_", arrays):
            scorer._by_product = Retriever.from_arrays(item_factors, prepared)
        return scorer

    @cached_property
    def _by_product(self) -> Retriever:
        """The items as they are ranked for users."""
        return Retriever(self.item_factors)

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

    @cached_property
    def _item_gram(self) -> Float64Array:
        # Items without an entry may have factors by their features, but nobody was asked about them.
        counts = np.bincount(self.interactions.indices, minlength=len(self.item_factors))
        return _native.gram(np.ascontiguousarray(self.item_factors[counts > 0])).astype(np.float64)
