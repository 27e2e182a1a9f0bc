"""Ranking by predicted ratings: factors and biases."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from recocore.errors import CorruptError, InvalidArgumentError
from recocore.retrieval import Retriever
from recocore.scoring.arrays import of_prefix, prefixed, take
from recocore.scoring.base import row_of
from recocore.scoring.factors import EntryRow, FactorScorer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.csr import Csr
    from recocore.recommendations import Contribution
    from recocore.scoring.profiles import Events
    from recocore.types import AnyArray, Float32Array, Float64Array, Int32Array


class RatingScorer(FactorScorer):
    """Scores are predicted ratings, mean + user's bias + item's bias + x.y; similar items are those of similar y.

    Args:
        interactions: `[n_users, n_items]` ratings that the factors were fitted on.
        user_factors: float32 `[n_users, f + 2]`, rows [mean + bias, x, 1].
        item_factors: float32 `[n_items, f + 2]`, rows [1, y, bias].
        objective: float64 (regularization, nu, mean) of the objective that the user factors minimise.
    """

    kind: ClassVar[str] = "ratings"
    context_weight: ClassVar[float] = 0.0

    def explain(self, user: int, items: Int32Array, limit: int) -> list[list[Contribution]]:
        """Split what the user adds to each item's mean + bias over the user's ratings.

        The user's bias and factors solve A z = sum_j w_j (r_j - mean - bias_j) [1, y_j] over their items j, so each adds
        w_j (r_j - mean - bias_j) [1, y_i]^T A^-1 [1, y_j], w_j being its weight. O(f^3 + len(items) f entries).
        """
        return self._shares(self._row(user, None), items, limit)

    def arrays(self) -> dict[str, AnyArray]:
        """Those of `FactorScorer`, and the items without bias as they are prepared for comparison."""
        fitted = super().arrays()
        with suppress(InvalidArgumentError):
            fitted |= prefixed("likeness_", self._by_cosine.arrays())
        return fitted

    @classmethod
    def from_arrays(cls, interactions: Csr, arrays: Mapping[str, AnyArray]) -> Self:
        """The scorer again from what `arrays` gave."""
        take(arrays, "objective", np.float64, (3,))
        found = super().from_arrays(interactions, arrays)
        if found.user_factors.shape[1] < 3:
            raise CorruptError(f"user_factors: expected at least 3 columns, got {found.user_factors.shape[1]}")
        if prepared := of_prefix("likeness_", arrays):
            found._by_cosine = Retriever.from_arrays(found._item_vectors(), prepared, metric="cosine")
        return found

    @cached_property
    def _by_cosine(self) -> Retriever:
        # The constant 1 and the bias would make all items alike.
        return Retriever(self._item_vectors(), metric="cosine")

    @property
    def _has_gram(self) -> bool:
        return False

    def _solved(self, row: EntryRow) -> Float64Array:
        solved = super()._solved(row)
        solved[0] += self.objective[2]
        return np.append(solved, 1.0)

    def _row(self, user: int, events: Events | None) -> EntryRow:
        own, values = row_of(self.interactions, user)
        weights = self._weights_of(user)
        if events is None:
            return EntryRow(own, values, weights)
        if weights is not None:
            _, weights = replace(events, weights=np.ones_like(events.weights)).put_over(own, weights)
        return EntryRow(*events.put_over(own, values), weights)

    def _equations(self, row: EntryRow) -> tuple[Float64Array, Float64Array, Float64Array]:
        """The [1, y_j] of some items, their weighted r_j - mean - bias_j, and A."""
        regularization, nu, mean = self.objective.tolist()
        design = self.item_factors[row.items, :-1].astype(np.float64)
        pulls = row.values.astype(np.float64) - mean - self.item_factors[row.items, -1]
        system = design.T @ design if row.weights is None else (design.T * row.weights) @ design
        if row.weights is not None:
            pulls *= row.weights
        system[np.diag_indices_from(system)] += regularization * len(row.items) ** nu
        return design, pulls, system

    def _targets(self, items: Int32Array) -> Float64Array:
        return self.item_factors[items, :-1].T.astype(np.float64)

    def _user_vectors(self) -> Float32Array:
        return self.user_factors[:, 1:-1]

    def _item_vectors(self) -> Float32Array:
        return self.item_factors[:, 1:-1]
