"""FRAUDAR written out: density by its definition, greedy peeling in O(n^2), and the densest set by trying all."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Set
    from typing import Any

Edges = dict[tuple[int, int], float]


def column_weights(edges: Edges) -> dict[int, float]:
    degree: dict[int, float] = {}
    for (_, entity), weight in edges.items():
        degree[entity] = degree.get(entity, 0.0) + weight
    return {entity: 1 / math.log(d + 5) for entity, d in degree.items()}


def density(edges: Edges, priors: Mapping[Any, float], accounts: Set[Hashable], entities: Set[Hashable]) -> float:
    columns = column_weights(edges)
    inside = sum(w * columns[c] for (r, c), w in edges.items() if r in accounts and c in entities)
    return (inside + sum(priors.get(r, 0.0) for r in accounts)) / (len(accounts) + len(entities))


def nodes_of(edges: Edges, priors: dict[int, float]) -> tuple[set[int], set[int]]:
    accounts = {r for r, _ in edges} | {r for r, p in priors.items() if p > 0}
    return accounts, {c for _, c in edges}


def peel(edges: Edges, priors: dict[int, float]) -> tuple[set[int], set[int], float]:
    """The densest of the sets left by removing, again and again, the node that adds least."""
    accounts, entities = nodes_of(edges, priors)
    columns = column_weights(edges)
    best = (set(accounts), set(entities), density(edges, priors, accounts, entities))
    while len(accounts) + len(entities) > 1:
        adds: list[tuple[float, int, int]] = []
        for r in accounts:
            own = sum(w * columns[c] for (a, c), w in edges.items() if a == r and c in entities)
            adds.append((own + priors.get(r, 0.0), 0, r))
        for c in entities:
            adds.append((sum(w * columns[c] for (a, e), w in edges.items() if e == c and a in accounts), 1, c))
        least = min(value for value, _, _ in adds)
        _, side, node = min((0.0, side, node) for value, side, node in adds if value <= least + 1e-12)
        (entities if side else accounts).discard(node)
        left = density(edges, priors, accounts, entities)
        if left > best[2] + 1e-12:
            best = (set(accounts), set(entities), left)
    return best


def densest(edges: Edges, priors: dict[int, float]) -> float:
    """The largest density of any set. O(2^nodes)."""
    accounts, entities = nodes_of(edges, priors)
    nodes = [(0, r) for r in sorted(accounts)] + [(1, c) for c in sorted(entities)]
    return max(
        density(edges, priors, {n for side, n in some if side == 0}, {n for side, n in some if side == 1})
        for size in range(1, len(nodes) + 1)
        for some in itertools.combinations(nodes, size)
    )
