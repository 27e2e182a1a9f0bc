"""Items as the users that have them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from recocore.csr import Csr

if TYPE_CHECKING:
    from recocore.types import Float64Array, Int32Array


class ColumnLikeness:
    """The cosines of the columns of a matrix.

    Args:
        interactions: `[n_users, n_items]`.
    """

    def __init__(self, interactions: Csr) -> None:
        self._interactions = interactions

    @cached_property
    def by_item(self) -> Csr:
        """The columns as rows, each scaled to length 1; one without entries stays so."""
        by_item = self._interactions.transpose()
        squared = np.add.reduceat(np.append(by_item.values.astype(np.float64) ** 2, 0), by_item.indptr[:-1])
        counts = np.diff(by_item.indptr)
        norms = np.sqrt(np.where(counts > 0, squared, 1))
        norms[norms == 0] = 1
        values = (by_item.values / np.repeat(norms, counts)).astype(np.float32)
        return Csr(by_item.indptr, by_item.indices, values, by_item.shape)

    @cached_property
    def by_user(self) -> Csr:
        """The transpose of that."""
        return self.by_item.transpose()

    def cosines(self, ids: Int32Array, others: Int32Array) -> Float64Array:
        """Of each item with each other one, float64 `[len(ids), len(others)]`. O(entries of these columns)."""
        some, rest = (self.by_item.rows(of).to_scipy().astype(np.float64) for of in (ids, others))
        found: Float64Array = (some @ rest.T).toarray()
        return found

    def mean_length(self, ids: Int32Array) -> float:
        """1, which no mean of unit vectors is longer than."""
        return 1.0
