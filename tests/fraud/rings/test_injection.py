"""Blocks injected as in FRAUDAR's paper, into a made-up graph and a real one, are found under every camouflage."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.rings.__main__ import large, read
from benchmarks.rings.injection import CAMOUFLAGES, Camouflage, Graph, f1, inject
from tests.real_data import data_set

from recocore.fraud import find_rings


def made_up() -> Graph:
    """Entities' degrees fall as a power law."""
    random = np.random.default_rng(0)
    pairs = np.stack([random.integers(0, 4_000, 30_000), (3_000 * random.random(30_000) ** 3).astype(np.int64)], axis=1)
    pairs = np.unique(pairs, axis=0)
    return Graph(np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1]))


def found(graph: Graph, side: int, density: float, camouflage: Camouflage) -> float:
    injected = inject(graph, side, side, density, camouflage, seed=1)
    [ring] = find_rings(injected.graph.accounts, injected.graph.entities, max_rings=1)
    return f1(set(ring.accounts), injected.accounts)


@pytest.mark.parametrize("camouflage", CAMOUFLAGES)
def test_a_block_in_a_made_up_graph_is_found(camouflage: Camouflage) -> None:
    assert found(made_up(), 60, 0.5, camouflage) >= 0.9


@pytest.mark.parametrize("camouflage", CAMOUFLAGES)
def test_a_block_in_a_real_graph_is_found(camouflage: Camouflage) -> None:
    assert found(read(data_set("amazon-beauty").parent, "amazon-beauty"), 200, 0.2, camouflage) >= 0.9


def test_injection_adds_what_it_says() -> None:
    graph = made_up()
    n, m = graph.shape
    for camouflage in CAMOUFLAGES:
        injected = inject(graph, 50, 40, 0.5, camouflage, seed=3)
        added = slice(len(graph.accounts), None)
        rows, columns = injected.graph.accounts[added], injected.graph.entities[added]
        assert set(rows.tolist()) <= injected.accounts
        assert (set(range(n)).isdisjoint(injected.accounts)) == (camouflage != "hijacked")
        inside = columns >= m
        assert 800 < inside.sum() < 1_200
        assert (~inside).sum() == (1_000 if camouflage in {"random", "biased"} else 0)
    degree = np.bincount(graph.entities, minlength=m)
    biased, uniform = (
        inject(graph, 50, 40, 0.5, c, seed=3).graph.entities[len(graph.entities) :] for c in ("biased", "random")
    )
    assert degree[biased[biased < m]].mean() > 2 * degree[uniform[uniform < m]].mean()


def test_the_large_graph_has_about_as_many_edges_as_asked_for() -> None:
    assert len(large(20_000).accounts) == pytest.approx(20_000 + 2 * 500 * 150, rel=0.02)
