"""Which items may come back, on internal indices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from recocore.index.popular import PopularItems
    from recocore.types import BoolArray, Int32Array, NativeFilter

NO_ITEMS = np.empty(0, np.int32)


def distinct_items(items: Int32Array) -> Int32Array:
    """The items, rising, each once: `numpy.unique`, which imports 40 ms of `numpy.ma` for the first answer of a process."""
    rising = np.sort(items)
    return rising[np.flatnonzero(np.diff(rising, prepend=rising[:1] - 1))]


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """The same items for every user.

    Attributes:
        allow: int32, rising, each once: only these; None for all.
        block: int32, rising, each once: never these; None for no more than the above.
        popular: int32: the allowed items, most popular first; blocked ones may be among them.
    """

    allow: Int32Array | None
    block: Int32Array | None
    popular: Int32Array

    @classmethod
    def of(cls, allow: Int32Array | None, block: Int32Array | None, popular: PopularItems) -> Lists:
        """Those of two lists."""
        return cls(allow, block, popular.ranked(allow))

    @classmethod
    def of_mask(cls, mask: BoolArray, popular: PopularItems) -> Lists:
        """Those where a mask, bool `[m]`, holds: as an allow- or a block-list, whichever is shorter."""
        allowed = int(np.count_nonzero(mask))
        order = popular.order[mask[popular.order]]
        if 2 * allowed <= len(mask):
            return cls(np.flatnonzero(mask).astype(np.int32), None, order)
        return cls(None, np.flatnonzero(~mask).astype(np.int32) if allowed < len(mask) else None, order)

    def without(self, items: Int32Array) -> Lists:
        """The same, less these."""
        if not len(items):
            return self
        return Lists(
            self.allow,
            items if self.block is None else distinct_items(np.concatenate([self.block, items])),
            self.popular,
        )

    def within(self, items: Int32Array, popular: PopularItems) -> Lists:
        """The same, of these alone."""
        allow = items if self.allow is None else np.intersect1d(self.allow, items)
        return Lists(allow, self.block, popular.ranked(allow))

    def admit(self, items: Int32Array) -> BoolArray:
        """Which of some items are among them, bool `[len(items)]`."""
        found = np.ones(len(items), np.bool_) if self.allow is None else np.isin(items, self.allow)
        return found if self.block is None else found & ~np.isin(items, self.block)

    def first_popular(self, n: int, own: Int32Array) -> Int32Array:
        """The n most popular ones, less `own`."""
        excluded = own if self.block is None else np.concatenate([self.block, own])
        if not len(excluded):
            return self.popular[:n]
        # Most lists that leave much out leave out what is rarely had: the beginning is looked at first.
        ahead = 2 * n
        while True:
            head = self.popular[:ahead]
            found = head[~np.isin(head, excluded)]
            if len(found) >= n or ahead >= len(self.popular):
                return found[:n]
            ahead *= 8

    @property
    def native(self) -> NativeFilter:
        """The lists as the extension takes them, without anybody's own items."""
        return {"exclude": [], "block": self.block, "allow": self.allow}

    @property
    def nbytes(self) -> int:
        """The memory that they take."""
        return sum(array.nbytes for array in (self.allow, self.block, self.popular) if array is not None)
