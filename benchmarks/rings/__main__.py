"""How well injected rings are found in real graphs, and how fast ten million edges are peeled.

    python -m benchmarks.rings DATA [--graphs amazon-beauty gowalla] [--seeds 3] [--rings 1] [--json FILE]
    python -m benchmarks.rings --edges 10000000

A block of 200 accounts x 200 entities is injected at several densities with each camouflage; the first ring is
compared with it by F1 over accounts, the mean over seeds. Prints Markdown. With --edges a made-up graph with
heavy-tailed degrees and one block is peeled once on one thread, from integer arrays to a ring.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.rings.injection import CAMOUFLAGES, Graph, f1, inject
from recocore.fraud import find_rings

GRAPHS = {"amazon-beauty": "sequences", "gowalla": "train"}
DENSITIES = (0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5)
SIDE = 200


def read(data: Path, name: str) -> Graph:
    """A real graph of users and items, each pair once."""
    table = pq.read_table(data / name / f"{GRAPHS[name]}.parquet", columns=["user", "item"])
    pairs = np.unique(np.stack([table["user"].to_numpy(), table["item"].to_numpy()], axis=1).astype(np.int64), axis=0)
    return Graph(np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1]))


def measure(graph: Graph, seeds: int, rings: int) -> dict[str, dict[str, float]]:
    """F1 of the best of the first rings, by camouflage and density."""
    table: dict[str, dict[str, float]] = {}
    for camouflage in CAMOUFLAGES:
        for density in DENSITIES:
            found = []
            for seed in range(seeds):
                injected = inject(graph, SIDE, SIDE, density, camouflage, seed)
                first = find_rings(injected.graph.accounts, injected.graph.entities, max_rings=rings)
                found.append(max(f1(set(ring.accounts), injected.accounts) for ring in first))
            table.setdefault(camouflage, {})[str(density)] = statistics.mean(found)
    return table


def large(edges: int, seed: int = 0) -> Graph:
    """Edges with entities' degrees falling as a power law, and a block of 500 x 500 of density 0.3."""
    random = np.random.default_rng(seed)
    nodes = max(edges // 10, 1_000)
    entities = (nodes * random.random(edges) ** 3).astype(np.int64)
    return inject(Graph(random.integers(0, nodes, edges), entities), 500, 500, 0.3, "biased", seed).graph


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--graphs", nargs="*", choices=list(GRAPHS), default=list(GRAPHS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rings", type=int, default=1)
    parser.add_argument("--edges", type=int)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    result: dict[str, Any] = {}
    if asked.edges is not None:
        graph = large(asked.edges)
        start = time.perf_counter()
        [ring] = find_rings(graph.accounts, graph.entities, max_rings=1)
        seconds = time.perf_counter() - start
        planted = frozenset(range(int(graph.accounts.max()) - 499, int(graph.accounts.max()) + 1))
        found = f1(set(ring.accounts), planted)
        result["peeled"] = {"edges": len(graph.accounts), "seconds": seconds, "f1": found}
        print(f"{len(graph.accounts):,} edges: {seconds:.1f} s on one thread; F1 of the block {found:.3f}")
    if asked.data is not None:
        for name in asked.graphs:
            graph = read(asked.data, name)
            result[name] = measure(graph, asked.seeds, asked.rings)
            print(f"\n{name}: {graph.shape[0]:,} x {graph.shape[1]:,}, {len(graph.accounts):,} edges\n")
            print("| camouflage | " + " | ".join(f"{density:g}" for density in DENSITIES) + " |")
            print("|---|" + "---|" * len(DENSITIES))
            for camouflage, row in result[name].items():
                print(f"| {camouflage} | " + " | ".join(f"{value:.3f}" for value in row.values()) + " |")
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
