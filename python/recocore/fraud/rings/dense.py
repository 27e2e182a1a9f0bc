"""Rings: blocks of accounts and entities with far more edges than others of their size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recocore import _native
from recocore.fraud.rings.edges import Edges, decayed, priors_of
from recocore.ops import arguments

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from recocore.fraud.rings.edges import Ids


@dataclass(frozen=True, slots=True)
class Ring:
    """A dense block.

    Attributes:
        accounts: their ids.
        entities: their ids; (kind, id) where kinds were given.
        density: g(S) of the paper, see `find_rings`.
    """

    accounts: tuple[Hashable, ...]
    entities: tuple[Hashable, ...]
    density: float


def find_rings(
    accounts: Ids,
    entities: Ids,
    weights: Any | None = None,
    times: Any | None = None,
    *,
    kinds: Ids | None = None,
    priors: Mapping[Any, float] | None = None,
    max_rings: int = 10,
    half_life: float | None = None,
    now: Any | None = None,
    hub_cap: int | None = None,
    min_density: float = 0.0,
) -> list[Ring]:
    """The densest blocks of a graph of accounts and what they share, by FRAUDAR (Hooi et al., KDD 2016), in the order found.

    g(S) = (sum of priors of accounts in S + sum over edges in S of weight / log(d + 5)) / |S|, where d is the weight
    of all of the
    entity's edges: links to popular entities, such as those of camouflage, count little. Nodes are peeled off in the
    order of what they add; the densest set on the way has at least half the density of the densest there is (theorem
    2). The block's edges and its accounts' priors are then taken away, and the search goes on in the rest.
    Accounts that are dense by their priors alone are no ring: their priors are taken away too.

    Of several edges between the same two the heaviest counts once. Equals are peeled accounts first, then by id (by
    first coming where ids cannot be compared). O(max_rings edges log nodes) on one thread; 80 bytes an edge.

    Args:
        accounts: `[edges]` ids: integers, strings, or anything hashable.
        entities: `[edges]` ids of devices, addresses, payments, coupons.
        weights: `[edges]`, at least 0; None is 1 each.
        times: `[edges]` numbers or datetime64 (then in seconds); with `half_life`.
        kinds: `[edges]` what each entity is: entities of different kinds are different, and come back as (kind, id).
        priors: suspicion of accounts by themselves, in the unit of g, at least 0; those not named have none.
        max_rings: at most as many.
        half_life: the age at which an edge weighs half, in the unit of `times`.
        now: the time from which age counts; None is the latest of `times`.
        hub_cap: entities of more accounts are left out; None is no cap.
        min_density: the search ends at a block that is not denser.

    Raises:
        InvalidArgumentError: columns of different length, or numbers out of range.

    Example:
        >>> farm = [(account, device) for account in ("a", "b", "c") for device in ("x", "y", "z")]
        >>> edges = farm + [("a", "shop"), ("d", "shop"), ("e", "shop"), ("e", "own")]
        >>> [ring] = find_rings(*zip(*edges), max_rings=1)
        >>> ring.accounts, ring.entities, round(ring.density, 3)
        (('a', 'b', 'c'), ('x', 'y', 'z'), 0.721)
    """
    edges = Edges.of(accounts, entities, kinds)
    life = None if half_life is None else arguments.positive(half_life, "half_life")
    blocks = _native.dense_blocks(
        edges.accounts.indices,
        edges.entities.indices,
        decayed(len(edges), weights, times, life, now),
        edges.shape,
        priors=priors_of(priors, edges.accounts),
        max_blocks=arguments.integer(max_rings, "max_rings", 0),
        min_density=arguments.not_negative(min_density, "min_density"),
        hub_cap=0 if hub_cap is None else arguments.integer(hub_cap, "hub_cap", 1),
    )
    return [Ring(edges.accounts.named(rows), edges.entities.named(columns), float(g)) for rows, columns, g in blocks]
