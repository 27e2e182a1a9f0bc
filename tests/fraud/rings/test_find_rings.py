"""find_rings against FRAUDAR written out, against all subsets, and on planted blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.fraud.rings import reference

from recocore.errors import InvalidArgumentError
from recocore.fraud import Ring, find_rings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fraud.rings.reference import Edges


def random_graph(seed: int, accounts: int, entities: int, edges: int, weighted: bool) -> Edges:
    random = np.random.default_rng(seed)
    rows = random.integers(0, accounts, edges).tolist()
    columns = random.integers(0, entities, edges).tolist()
    weights = random.uniform(0.1, 1, edges).tolist() if weighted else [1.0] * edges
    graph: Edges = {}
    for r, c, w in zip(rows, columns, weights, strict=True):
        graph[r, c] = max(w, graph.get((r, c), 0.0))
    return graph


def columns_of(graph: Edges) -> tuple[Any, Any, Any]:
    return (
        np.array([r for r, _ in graph], np.int64),
        np.array([c for _, c in graph], np.int64),
        np.array(list(graph.values())),
    )


@pytest.mark.parametrize("seed", range(12))
def test_every_ring_is_that_of_the_written_out_algorithm(seed: int) -> None:
    graph = random_graph(seed, 14, 11, 45, weighted=seed % 2 == 1)
    priors = (
        {r: float(p) for r, p in enumerate(np.random.default_rng(seed).uniform(0, 0.4, 14))} if seed % 3 == 0 else {}
    )
    rings = find_rings(*columns_of(graph), priors=priors, max_rings=4)
    rest, priors_left = dict(graph), dict(priors)
    for ring in rings:
        accounts, entities, density = reference.peel(rest, priors_left)
        assert ring.density == pytest.approx(density, rel=1e-12)
        assert (set(ring.accounts), set(ring.entities)) == (accounts, entities)
        rest = {edge: w for edge, w in rest.items() if not (edge[0] in accounts and edge[1] in entities)}
        priors_left = {r: p for r, p in priors_left.items() if r not in accounts}
    assert len(rings) == 4 or not rest


@pytest.mark.parametrize("seed", range(10))
def test_a_ring_has_half_the_density_of_the_densest_set_at_least(seed: int) -> None:
    graph = random_graph(seed, 6, 6, 15, weighted=True)
    priors = {0: 0.1, 4: 0.2} if seed % 2 else {}
    [ring] = find_rings(*columns_of(graph), priors=priors, max_rings=1)
    best = reference.densest(graph, priors)
    assert best / 2 <= ring.density <= best + 1e-12
    own = reference.density(graph, priors, set(ring.accounts), set(ring.entities))
    assert ring.density == pytest.approx(own, rel=1e-12)


def planted(seed: int, blocks: int) -> tuple[Any, Any, list[tuple[set[int], set[int]]]]:
    """Sparse random edges, and blocks of 30 accounts x 20 entities, the first the fullest."""
    random = np.random.default_rng(seed)
    rows, columns = [random.integers(0, 3_000, 12_000)], [random.integers(0, 2_000, 12_000)]
    truth = []
    for b in range(blocks):
        r, c = np.nonzero(random.random((30, 20)) < 0.95 - 0.18 * b)
        rows.append(3_000 + 30 * b + r)
        columns.append(2_000 + 20 * b + c)
        truth.append((set((3_000 + 30 * b + r).tolist()), set((2_000 + 20 * b + c).tolist())))
    return np.concatenate(rows), np.concatenate(columns), truth


def test_planted_blocks_are_found_one_after_the_other() -> None:
    rows, columns, truth = planted(0, 3)
    rings = find_rings(rows, columns, max_rings=3)
    assert [(set(ring.accounts), set(ring.entities)) for ring in rings[:2]] == truth[:2]
    assert set(rings[2].accounts) <= truth[2][0]
    assert len(rings[2].accounts) >= 27  # the emptiest rows of a block add less than its mean
    assert [ring.density for ring in rings] == sorted((ring.density for ring in rings), reverse=True)
    assert find_rings(rows, columns, max_rings=9, min_density=rings[1].density) == rings[:1]
    assert find_rings(rows, columns, max_rings=0) == []


def test_neither_the_order_of_rows_nor_repeated_edges_change_a_ring() -> None:
    rows, columns, _ = planted(1, 2)
    expected = find_rings(rows, columns, max_rings=3)
    twice = np.random.default_rng(0).permutation(np.concatenate([np.arange(len(rows)), np.arange(0, len(rows), 3)]))
    assert find_rings(rows[twice], columns[twice], max_rings=3) == expected


def test_ids_of_any_kind_come_back() -> None:
    rows, columns, truth = planted(2, 1)
    names, devices = [f"u{r}" for r in rows.tolist()], [("device", c) for c in columns.tolist()]
    [ring] = find_rings(names, devices, max_rings=1)
    assert set(ring.accounts) == {f"u{r}" for r in truth[0][0]}
    assert set(ring.entities) == {("device", c) for c in truth[0][1]}
    mixed: list[Any] = [r if r % 2 else str(r) for r in rows.tolist()]
    [again] = find_rings(mixed, columns.astype(np.uint16), max_rings=1)
    assert set(again.accounts) == {r if r % 2 else str(r) for r in truth[0][0]}
    assert all(type(c) is int for c in again.entities)


def test_entities_of_different_kinds_are_different() -> None:
    ring = [("a", 1, "device"), ("a", 1, "address"), ("b", 1, "device"), ("b", 1, "address")]
    accounts, entities, kinds = (list(column) for column in zip(*ring, strict=True))
    [found] = find_rings(accounts, entities, kinds=kinds, max_rings=1)
    assert found.entities == (("address", 1), ("device", 1))
    assert found.accounts == ("a", "b")


def test_old_edges_fade() -> None:
    old = [(f"old{i}", f"x{j}") for i in range(8) for j in range(6)]
    new = [(f"new{i}", f"y{j}") for i in range(8) for j in range(5)]
    accounts, devices = (list(column) for column in zip(*old, *new, strict=True))
    times = [0.0] * 48 + [900.0] * 40
    [fuller] = find_rings(accounts, devices, max_rings=1)
    [newer] = find_rings(accounts, devices, None, times, half_life=100.0, max_rings=1)
    assert fuller.accounts[0] == "old0"
    assert newer.accounts[0] == "new0"
    dates = np.datetime64("2026-01-01") + np.array(times).astype("timedelta64[s]")
    assert find_rings(accounts, devices, None, dates, half_life=100.0, max_rings=1) == [newer]
    [faded] = find_rings(accounts, devices, None, times, half_life=100.0, now=1_000.0, max_rings=1)
    assert faded.density < newer.density


def test_a_hub_is_left_out_above_its_cap() -> None:
    accounts = [*range(40), 0, 1, 2, 0, 1, 2]
    entities = [*(["wifi"] * 40), *(["x"] * 3), *(["y"] * 3)]
    [ring] = find_rings(accounts, entities, hub_cap=39, max_rings=1)
    assert ring.entities == ("x", "y")
    assert len(find_rings(accounts, entities, hub_cap=40, max_rings=5)) >= 1
    assert any("wifi" in ring.entities for ring in find_rings(accounts, entities, hub_cap=40, max_rings=5))


def test_accounts_suspicious_by_themselves_are_no_ring_but_lead_to_theirs() -> None:
    farm = [(account, device) for account in "abc" for device in "xyz"]
    shop = [(account, "shop") for account in "defgh"]
    accounts, entities = (list(column) for column in zip(*farm, *shop, strict=True))
    rings = find_rings(accounts, entities, priors={"h": 50.0}, max_rings=1)
    assert [ring.accounts for ring in rings] == [("a", "b", "c")]
    [ring] = find_rings(accounts, entities, priors=dict.fromkeys("defgh", 2.0), max_rings=1)
    assert ring.entities == ("shop",)


def test_no_edges_have_no_rings() -> None:
    assert find_rings([], []) == []
    assert find_rings([1, 2], ["x", "y"], [0.0, 0.0]) == []


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1, 2], ["x"]), {}, "entities: expected one for each of 2 edges, got 1"),
        (([1], ["x"], [1.0, 2.0]), {}, "weights: expected one for each of 1 edges, got 2"),
        (([1], ["x"], [-1.0]), {}, "weights: expected finite numbers >= 0"),
        (([1], ["x"], [float("nan")]), {}, "weights: expected finite numbers, got NaN"),
        (([1], ["x"], ["much"]), {}, "weights: expected numbers"),
        (([1], ["x"], None, [1.0]), {}, "half_life: expected together with times"),
        (([1], ["x"]), {"half_life": 3.0}, "half_life: expected together with times"),
        (([1], ["x"], None, [1.0]), {"half_life": 0.0}, "half_life: expected a finite number > 0"),
        (([1], [["x"]]), {}, "entities: expected hashable ids"),
        ((["a", None], ["x", "x"]), {}, "accounts: expected an id in each row, got None; leave rows without one out"),
        ((["a", "b"], np.array([1.0, np.nan])), {}, "entities: expected an id in each row, got nan"),
        ((np.ones((2, 2)), [1, 2]), {}, "accounts: expected a 1-d array of ids, got 2-d"),
        (([1], ["x"]), {"max_rings": -1}, "max_rings: expected an integer of at least 0"),
        (([1], ["x"]), {"hub_cap": 0}, "hub_cap: expected an integer of at least 1"),
        (([1], ["x"]), {"kinds": ["a", "b"]}, "kinds: expected one for each of 1 edges, got 2"),
        (([1], ["x"]), {"priors": {1: -2.0}}, "priors: expected finite numbers >= 0"),
        (([1], ["x"]), {"priors": {1: "bad"}}, "priors: expected numbers"),
        (([1, 2], ["x", "x"], [1e308, 1e308]), {}, r"weights: expected at most 1e\+290"),
        (([1], ["x"], None, [1.0]), {"half_life": 1.0, "now": "x"}, "now: expected numbers"),
        (([1], ["x"], None, [1.0]), {"half_life": 1.0, "now": float("nan")}, "now: expected finite numbers"),
        (([1], ["x"], None, np.array(["NaT"], "M8[s]")), {"half_life": 1.0}, "times: expected finite numbers, got NaN"),
    ],
)
def test_what_is_no_graph_is_refused_by_name(arguments: Any, options: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        find_rings(*arguments, **options)


@pytest.mark.parametrize("column", [pa.array, pd.Series, np.array, lambda ids: pa.chunked_array([ids[:2], ids[2:]])])
def test_ids_of_any_column_come_back_as_plain_values(column: Callable[[list[str]], Any]) -> None:
    [ring] = find_rings(column(["a", "b", "a", "b"]), column(["x", "x", "y", "y"]))
    assert ring.accounts == ("a", "b")
    assert {type(one) for one in (*ring.accounts, *ring.entities)} == {str}


def test_a_ring_is_a_value() -> None:
    assert Ring(("a",), ("x",), 0.5) == Ring(("a",), ("x",), 0.5)
