"""Connected components of accounts and entities, held apart at hubs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recocore import _native
from recocore.fraud.rings.edges import Edges
from recocore.ops import arguments

if TYPE_CHECKING:
    from collections.abc import Hashable

    from recocore.fraud.rings.edges import Ids


@dataclass(frozen=True, slots=True)
class Component:
    """Accounts that are connected by entities.

    Attributes:
        accounts: their ids.
        entities: their ids; (kind, id) where kinds were given.
    """

    accounts: tuple[Hashable, ...]
    entities: tuple[Hashable, ...]


def connected_components(
    accounts: Ids, entities: Ids, *, kinds: Ids | None = None, hub_cap: int | None = 100, min_accounts: int = 2
) -> list[Component]:
    """Components by union-find, those with most accounts first, ties by their first account.

    An entity of more than `hub_cap` different accounts, such as a public network, connects nobody and is in no
    component. O(edges log edges).

    Args:
        accounts: `[edges]` ids.
        entities: `[edges]` ids.
        kinds: `[edges]` what each entity is, see `find_rings`.
        hub_cap: None is no cap.
        min_accounts: smaller components are left out.

    Raises:
        InvalidArgumentError: columns of different length, or numbers out of range.

    Example:
        >>> connected_components(["a", "b", "c", "d"], ["x", "x", "y", "z"])
        [Component(accounts=('a', 'b'), entities=('x',))]
    """
    edges = Edges.of(accounts, entities, kinds)
    cap = 0 if hub_cap is None else arguments.integer(hub_cap, "hub_cap", 1)
    least = arguments.integer(min_accounts, "min_accounts", 1)
    labels = _native.connected_components(edges.accounts.indices, edges.entities.indices, edges.shape, cap)
    n = edges.shape[0]
    order = np.argsort(labels, kind="stable").astype(np.int32)
    found = []
    for nodes in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        rows = nodes[nodes < n]
        if len(nodes) == 0 or labels[nodes[0]] < 0 or len(rows) < least:
            continue
        columns = (nodes[nodes >= n] - n).astype(np.int32)
        found.append((-len(rows), int(rows[0]), Component(edges.accounts.named(rows), edges.entities.named(columns))))
    return [component for _, _, component in sorted(found, key=lambda entry: entry[:2])]
