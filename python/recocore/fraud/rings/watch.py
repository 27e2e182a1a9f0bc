"""Flags for new edges, between two searches for rings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recocore.ops import arguments

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from recocore.fraud.rings.dense import Ring


@dataclass(frozen=True, slots=True)
class RingFlag:
    """What one edge says.

    Attributes:
        new: whether account and entity met for the first time; an entity beyond the cap does not remember whom it
            meets.
        entity_accounts: different accounts that the entity has met, this one included; beyond the cap it is not
            counted on.
        component_accounts: accounts connected with this one, itself included.
        joined: whether this edge connected two groups of accounts.
        ring: position of the known ring that the edge belongs to or touches, or None; the densest of several.
        within: whether both account and entity are of that ring.
    """

    new: bool
    entity_accounts: int
    component_accounts: int
    joined: bool
    ring: int | None
    within: bool


class RingWatch:
    """Takes edges one at a time: union-find over accounts by size, and the rings of the last search.

    An entity that has met more than `hub_cap` accounts connects nobody from then on; whom it connected before stays
    connected until the watch is made anew, as after each search for rings. O(log nodes) an edge; memory grows with
    accounts, entities and the edges of entities below the cap.

    Args:
        rings: of `find_rings`, with the same ids.
        hub_cap: as of `connected_components`.

    Example:
        >>> watch = RingWatch(hub_cap=50)
        >>> _ = watch.add("a", "x")
        >>> watch.add("b", "x")
        RingFlag(new=True, entity_accounts=2, component_accounts=2, joined=True, ring=None, within=False)
    """

    def __init__(self, rings: Iterable[Ring] = (), *, hub_cap: int = 100) -> None:
        self.hub_cap = arguments.integer(hub_cap, "hub_cap", 1)
        self._entity_rings: dict[Hashable, set[int]] = {}
        self._account_rings: dict[Hashable, set[int]] = {}
        self._parent: dict[Hashable, Hashable] = {}
        self._size: dict[Hashable, int] = {}
        self._met: dict[Hashable, set[Hashable]] = {}
        self._density: list[float] = []
        for position, ring in enumerate(rings):
            self._density.append(ring.density)
            for account in ring.accounts:
                self._account_rings.setdefault(account, set()).add(position)
            for entity in ring.entities:
                self._entity_rings.setdefault(entity, set()).add(position)

    def add(self, account: Hashable, entity: Hashable) -> RingFlag:
        """Take an edge, and say what it connects."""
        root = self._find(account)
        met = self._met.setdefault(entity, set())
        new = account not in met
        joined = False
        if new and len(met) <= self.hub_cap:
            other = next(iter(met), None)
            met.add(account)
            if len(met) > 1 and len(met) <= self.hub_cap:
                joined = self._unite(root, self._find(other))
                root = self._find(account)
        ring, within = self._known(account, entity)
        return RingFlag(new, len(met), self._size[root], joined, ring, within)

    def component_accounts(self, account: Hashable) -> int:
        """How many accounts are connected with this one, itself included; 1 for one that is not known."""
        return self._size[self._find(account)] if account in self._parent else 1

    def _known(self, account: Hashable, entity: Hashable) -> tuple[int | None, bool]:
        of_account = self._account_rings.get(account, set())
        of_entity = self._entity_rings.get(entity, set())
        both = of_account & of_entity
        candidates = both or of_account | of_entity
        if not candidates:
            return None, False
        return min(candidates, key=lambda ring: (-self._density[ring], ring)), bool(both)

    def _find(self, account: Hashable) -> Hashable:
        parent = self._parent
        if account not in parent:
            parent[account] = account
            self._size[account] = 1
            return account
        while parent[account] != account:
            parent[account] = parent[parent[account]]
            account = parent[account]
        return account

    def _unite(self, a: Hashable, b: Hashable) -> bool:
        if a == b:
            return False
        if self._size[a] < self._size[b]:
            a, b = b, a
        self._parent[b] = a
        self._size[a] += self._size.pop(b)
        return True
