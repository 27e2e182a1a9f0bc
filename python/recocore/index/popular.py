"""The popularity ranking that fills what a personal ranking leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recocore.errors import CorruptError
from recocore.index.lists import distinct_items

if TYPE_CHECKING:
    from recocore.csr import Csr
    from recocore.types import Int32Array


@dataclass(frozen=True, slots=True, eq=False)
class PopularItems:
    """Items by their number of distinct users, most first; equals stand in the order of their indices.

    Attributes:
        counts: int32 `[n_items]` distinct users of each item.
        order: int32 `[n_items]` item indices, most popular first.

    Example:
        >>> from recocore.csr import Csr
        >>> PopularItems.count(Csr.from_coo([0, 1, 1], [2, 2, 0], [1, 1, 1], (2, 3))).order.tolist()
        [2, 0, 1]
    """

    counts: Int32Array
    order: Int32Array

    @classmethod
    def count(cls, interactions: Csr) -> PopularItems:
        """Count the users of each item in canonical interactions `[n_users, n_items]`. O(nnz + n log n)."""
        counts = np.bincount(interactions.indices, minlength=interactions.shape[1]).astype(np.int32)
        return cls(counts, np.argsort(-counts, kind="stable").astype(np.int32))

    def check(self, n_items: int) -> None:
        """See that the order is a ranking of the counts.

        Raises:
            CorruptError: it is not; the message names the array.
        """
        if self.counts.shape != (n_items,) or self.order.shape != (n_items,):
            raise CorruptError(f"popularity: expected {n_items} items, got {self.counts.shape} and {self.order.shape}")
        if not n_items:
            return
        if self.counts.min() < 0:
            raise CorruptError("popularity.counts: expected counts of at least 0, got a negative one")
        if self.order.min() < 0 or self.order.max() >= n_items:
            raise CorruptError(f"popularity.order: expected item indices in [0, {n_items})")
        ranked = self.counts[self.order]
        rising = (ranked[:-1] > ranked[1:]) | ((ranked[:-1] == ranked[1:]) & (self.order[:-1] < self.order[1:]))
        if not rising.all():
            raise CorruptError("popularity.order: expected items by falling count, then by rising index")

    def ranked(self, allow: Int32Array | None = None) -> Int32Array:
        """The items, most popular first: all of them, or those of `allow`. O(1), with an allow-list O(allow log)."""
        if allow is None:
            return self.order
        pool = distinct_items(allow)
        return pool[np.argsort(-self.counts[pool], kind="stable")]
