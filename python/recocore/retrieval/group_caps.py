"""How many items of each group a list still takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from recocore.retrieval.rules import Rules
    from recocore.types import BoolArray, Int32Array


class GroupCaps:
    """The room that one list has left in each group; it shrinks with every item taken.

    Args:
        numbers: int32 `[m]`, the groups numbered from 0, -1 for none.
        n_groups: how many there are.
        cap: how many items of each group a list may have.
        pinned: items that the list has whatever their groups.

    Example:
        >>> caps = GroupCaps(np.array([0, 0, -1, 0, 1], np.int32), 2, 1, pinned=np.array([4], np.int32))
        >>> caps.admit(np.array([1, 4, 2, 0], np.int32)).tolist(), caps.closed
        ([True, False, True, False], True)
    """

    def __init__(self, numbers: Int32Array, n_groups: int, cap: int, pinned: Int32Array) -> None:
        self._numbers = numbers
        # Group -1 has the last place: room for every item without a group, and none where all have one.
        self._room = np.full(n_groups + 1, cap, np.int64)
        self._room[-1] = np.count_nonzero(numbers == -1)
        np.subtract.at(self._room, numbers[pinned], 1)

    @classmethod
    def of(cls, rules: Rules, pinned: Int32Array) -> GroupCaps | None:
        """The caps of a new list with some pinned items; None where the rules have none."""
        if rules.group_numbers is None or rules.max_per_group is None:
            return None
        return cls(rules.group_numbers, rules.n_groups, rules.max_per_group, pinned)

    def open(self, items: Int32Array) -> BoolArray:
        """For each item whether the list could take it next."""
        found: BoolArray = self._room[self._numbers[items]] > 0
        return found

    def admit(self, items: Int32Array) -> BoolArray:
        """For each of these items, offered in this order, whether the list takes it; takes those. O(c log c)."""
        groups = self._numbers[items]
        order = np.argsort(groups, kind="stable")
        along = groups[order]
        earlier = np.empty(len(items), np.int64)  # items of the same group that are offered before
        earlier[order] = np.arange(len(items)) - np.searchsorted(along, along)
        taken: BoolArray = earlier < self._room[groups]
        np.subtract.at(self._room, groups[taken], 1)
        return taken

    @property
    def closed(self) -> bool:
        """Whether no item of the catalogue could be taken any more."""
        return not bool((self._room > 0).any())
