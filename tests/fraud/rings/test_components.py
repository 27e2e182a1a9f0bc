"""Components and the watch over new edges, against a search through the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recocore.errors import InvalidArgumentError
from recocore.fraud import Component, Ring, RingFlag, RingWatch, connected_components


def by_search(edges: set[tuple[int, int]], hub_cap: int | None) -> set[tuple[frozenset[int], frozenset[int]]]:
    degree: dict[int, int] = {}
    for _, c in edges:
        degree[c] = degree.get(c, 0) + 1
    kept = {(r, c) for r, c in edges if hub_cap is None or degree[c] <= hub_cap}
    found = set()
    left = {r for r, _ in edges}
    while left:
        accounts, entities = {left.pop()}, set[int]()
        while True:
            entities_now = {c for r, c in kept if r in accounts}
            accounts_now = accounts | {r for r, c in kept if c in entities_now}
            if accounts_now == accounts and entities_now == entities:
                break
            accounts, entities = accounts_now, entities_now
        left -= accounts
        found.add((frozenset(accounts), frozenset(entities)))
    return found


@pytest.mark.parametrize("hub_cap", [None, 1, 2, 5])
@pytest.mark.parametrize("seed", range(4))
def test_components_are_those_of_a_search(seed: int, hub_cap: int | None) -> None:
    random = np.random.default_rng(seed)
    rows, columns = random.integers(0, 60, 90), random.integers(0, 40, 90)
    found = connected_components(rows, columns, hub_cap=hub_cap, min_accounts=1)
    expected = by_search(set(zip(rows.tolist(), columns.tolist(), strict=True)), hub_cap)
    assert {(frozenset(c.accounts), frozenset(c.entities)) for c in found} == expected
    sizes = [(-len(c.accounts), c.accounts[0]) for c in found]
    assert sizes == sorted(sizes)


def test_small_components_are_left_out_and_kinds_keep_entities_apart() -> None:
    accounts, entities, kinds = ["a", "b", "b", "c"], [1, 1, 2, 2], ["device", "device", "device", "address"]
    assert connected_components(accounts, entities) == [Component(("a", "b", "c"), (1, 2))]
    [two] = connected_components(accounts, entities, kinds=kinds)
    assert two == Component(("a", "b"), (("device", 1), ("device", 2)))
    assert connected_components(accounts, entities, min_accounts=4) == []
    assert connected_components([], []) == []
    with pytest.raises(InvalidArgumentError, match="min_accounts"):
        connected_components(accounts, entities, min_accounts=0)


@pytest.mark.parametrize("seed", range(4))
def test_a_watch_knows_the_components_of_the_edges_so_far(seed: int) -> None:
    random = np.random.default_rng(seed)
    edges = list(zip(random.integers(0, 40, 120).tolist(), random.integers(0, 60, 120).tolist(), strict=True))
    watch = RingWatch(hub_cap=1_000)
    seen: list[tuple[int, int]] = []
    for account, entity in edges:
        flag = watch.add(account, entity)
        components = {r: c for c in map(set, accounts_of(seen)) for r in c}
        was = components.get(account, {account})
        met = {r for r, c in seen if c == entity}
        assert flag.new == (account not in met)
        assert flag.joined == bool(met - was)
        seen.append((account, entity))
        now = next(c for c in accounts_of(seen) if account in c)
        assert flag.component_accounts == len(now) == watch.component_accounts(account)
        assert flag.entity_accounts == len(met | {account})
    assert watch.component_accounts("nobody") == 1


def accounts_of(edges: list[tuple[int, int]]) -> list[tuple[Any, ...]]:
    found = connected_components([r for r, _ in edges], [c for _, c in edges], hub_cap=None, min_accounts=1)
    return [component.accounts for component in found]


def test_a_hub_connects_nobody_beyond_its_cap() -> None:
    watch = RingWatch(hub_cap=3)
    flags = [watch.add(account, "wifi") for account in range(6)]
    assert [flag.component_accounts for flag in flags] == [1, 2, 3, 1, 1, 1]
    assert [flag.joined for flag in flags] == [False, True, True, False, False, False]
    assert flags[-1].entity_accounts == 4  # counted as far as one above the cap


def test_edges_of_known_rings_are_flagged() -> None:
    rings = [Ring(("a", "b"), ("x", "y"), 0.9), Ring(("b", "c"), ("y", "z"), 0.5)]
    watch = RingWatch(rings)
    assert watch.add("a", "x") == RingFlag(True, 1, 1, False, 0, within=True)
    assert watch.add("new", "y") == RingFlag(True, 1, 1, False, 0, within=False)
    assert watch.add("c", "y").ring == 1
    assert watch.add("c", "other").within is False
    assert watch.add("d", "other").ring is None
    assert watch.add("a", "x").new is False
