"""Blocks of fraud injected into a bipartite graph, as in section 5.1 of FRAUDAR's paper (Hooi et al., KDD 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable

    from recocore.types import Int64Array

Camouflage = Literal["none", "random", "biased", "hijacked"]
CAMOUFLAGES: tuple[Camouflage, ...] = ("none", "random", "biased", "hijacked")


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Edges between accounts and entities, each once."""

    accounts: Int64Array
    entities: Int64Array

    @property
    def shape(self) -> tuple[int, int]:
        """One more than the largest account and entity."""
        return int(self.accounts.max()) + 1, int(self.entities.max()) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Injected:
    """A graph with a block.

    Attributes:
        graph: honest and fraudulent edges.
        accounts: those of the block.
        entities: those of the block.
    """

    graph: Graph
    accounts: frozenset[Hashable]
    entities: frozenset[Hashable]


def inject(graph: Graph, accounts: int, entities: int, density: float, camouflage: Camouflage, seed: int) -> Injected:
    """Add a block in which each pair is an edge with probability `density`.

    Its entities are new. Its accounts are new too, or with "hijacked" are honest ones, which keep their edges. With
    "random" and "biased" each account of the block gets as many edges again to honest entities, drawn uniformly or by
    their degrees.
    """
    random = np.random.default_rng(seed)
    n, m = graph.shape
    members = random.choice(n, accounts, replace=False) if camouflage == "hijacked" else n + np.arange(accounts)
    targets = m + np.arange(entities)
    rows, columns = np.nonzero(random.random((accounts, entities)) < density)
    new_rows, new_columns = [members[rows]], [targets[columns]]
    if camouflage in {"random", "biased"}:
        each = round(density * entities)
        count = accounts * each
        drawn = random.integers(0, m, count) if camouflage == "random" else random.choice(graph.entities, count)
        new_rows.append(np.repeat(members, each))
        new_columns.append(drawn)
    return Injected(
        Graph(np.concatenate([graph.accounts, *new_rows]), np.concatenate([graph.entities, *new_columns])),
        frozenset(members.tolist()),
        frozenset(targets.tolist()),
    )


def f1(found: set[Hashable], true: frozenset[Hashable]) -> float:
    """The harmonic mean of precision and recall."""
    return 2 * len(found & true) / (len(found) + len(true)) if found else 0.0
