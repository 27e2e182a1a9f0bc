"""Lists under rules against rules followed by the letter, item by item."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.retrieval.stand_in import BruteForce, by_the_letter, cosine, mask

from recocore.csr import Csr
from recocore.errors import InvalidArgumentError
from recocore.retrieval.diversity import Closeness, VectorLikeness
from recocore.retrieval.reranking import rank_candidates, rank_with_rules
from recocore.retrieval.retriever import Retriever
from recocore.retrieval.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True, scope="module")
def _pools_that_start_too_small() -> Iterator[None]:
    """Small catalogues too are then reached by widening."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recocore.retrieval.reranking._POOL_FOR_CHOICE", 1)
        yield


def integers(rows: int, factors: int, seed: int) -> Any:
    """Small integers: products are exact in float32, and ties and copies are many."""
    return np.random.default_rng(seed).integers(-2, 3, (rows, factors)).astype(np.float32)


def assert_by_the_letter(retriever: BruteForce, queries: Any, k: int, rules: dict[str, Any], **filters: Any) -> Any:
    found = rank_with_rules(retriever, queries, k, Rules(**rules), **filters)
    shape = (len(queries), len(retriever))
    assert found.ids.shape == found.scores.shape == (len(queries), k)
    assert found.ids.dtype == np.int32
    assert found.scores.dtype == np.float32
    may = mask(filters.get("allow"), shape, True)
    for name in ("exclude", "block"):
        may &= ~mask(filters.get(name), shape, False)
    scores = retriever.scores(queries)
    for row in range(len(queries)):
        ids, listed_scores = by_the_letter(retriever.items, scores[row], may[row], k, rules)
        pads = k - len(ids)
        assert found.ids[row].tolist() == ids + [-1] * pads, (row, rules)
        assert found.scores[row].tolist() == listed_scores + [-np.inf] * pads
    return found


GROUPS = [0, 1, 0, 2, -1, 5, 1, 0, -1, 2] * 3
EVERY_RULE: dict[str, dict[str, Any]] = {
    "none": {},
    "boosts": {"boosts": {3: 4.0, 7: -2.5, 11: 0.25, 29: 100.0}},
    "buries": {"buries": [0, 5, 6, 12, 20, 21]},
    "pins": {"pins": {0: 4, 2: 17, 3: 9, 40: 28}},
    "caps": {"groups": GROUPS, "max_per_group": 2},
    "diversity": {"diversity": 0.6},
}
EVERY_RULE["all"] = {name: value for rule in EVERY_RULE.values() for name, value in rule.items()}
EVERY_RULE["all but diversity"] = {**EVERY_RULE["all"], "diversity": None}


@pytest.mark.parametrize("metric", ["inner_product", "cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 2, 5, 30, 33])
@pytest.mark.parametrize("rules", EVERY_RULE.values(), ids=EVERY_RULE)
def test_equals_the_rules_by_the_letter(rules: dict[str, Any], k: int, metric: str) -> None:
    retriever, queries = BruteForce(integers(30, 3, 1), metric), integers(7, 3, 2)
    rng = np.random.default_rng(k)
    some, few = sp.csr_matrix(rng.random((7, 30)) < 0.3), sp.csr_matrix(rng.random((7, 30)) < 0.1)
    assert_by_the_letter(retriever, queries, k, rules)
    assert_by_the_letter(retriever, queries, k, rules, exclude=some)
    assert_by_the_letter(retriever, queries, k, rules, allow=few, block=np.array([4, 17, 5]))
    assert_by_the_letter(retriever, queries, k, rules, exclude=few, block=some, allow=np.arange(2, 30, 3))


@pytest.mark.parametrize("first_look", [1, 64])
@pytest.mark.parametrize("trade_off", [0.05, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_diversity_of_random_vectors(trade_off: float, first_look: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recocore.retrieval.diversity._FIRST_LOOK", first_look)
    rng = np.random.default_rng(4)
    items = np.abs(rng.normal(size=(300, 8))).astype(np.float32)
    items[100:150] = items[:50]  # copies
    items[150:160] = 0
    items[160:200] = 3 * items[:40]  # the same direction
    queries = rng.normal(size=(3, 8)).astype(np.float32)
    assert_by_the_letter(BruteForce(items), queries, 12, {"diversity": trade_off})


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """A catalogue with ties, rules of every kind, and filters of every form."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    m, n, factors = draw(st.integers(0, 40)), draw(st.integers(0, 3)), draw(st.integers(1, 3))
    some = st.sets(st.integers(0, m - 1), max_size=6) if m else st.just(set())
    pinned = rng.permutation(sorted(draw(some))).tolist()
    places = draw(st.sets(st.integers(0, 12), min_size=len(pinned), max_size=len(pinned)))
    rules: dict[str, Any] = {
        "boosts": {item: draw(st.sampled_from([-3.0, 0.0, 0.5, 1.0, 4.0])) for item in draw(some)},
        "buries": draw(some),
        "pins": dict(zip(sorted(places), pinned, strict=True)),
        "diversity": draw(st.sampled_from([None, 0.1, 0.5, 0.8, 1.0])),
    }
    if draw(st.booleans()):
        rules |= {"groups": rng.integers(-1, draw(st.integers(0, 6)), m), "max_per_group": draw(st.integers(1, 3))}
    forms: dict[str, Callable[[float], Any]] = {
        "nothing": lambda share: None,
        "rows": lambda share: sp.csr_matrix(rng.random((n, m)) < share),
        "ids": lambda share: np.flatnonzero(rng.random(m) < share),
        "mask": lambda share: rng.random(m) < share,
    }
    form = st.sampled_from(sorted(forms))
    shares = {"exclude": 0.2, "allow": draw(st.sampled_from([0.1, 0.7])), "block": 0.1}
    return {
        "items": rng.integers(-2, 3, (m, factors)).astype(np.float32),
        "queries": rng.integers(-2, 3, (n, factors)).astype(np.float32),
        "k": draw(st.integers(1, 8)),
        "rules": rules,
        "filters": {name: forms[draw(form)](share) for name, share in shares.items()},
    }


@settings(max_examples=300, deadline=None)
@given(cases())
def test_any_rules_and_filters(case: dict[str, Any]) -> None:
    assert_by_the_letter(BruteForce(case["items"]), case["queries"], case["k"], case["rules"], **case["filters"])


@settings(max_examples=150, deadline=None)
@given(cases(), st.sampled_from(["inner_product", "euclidean"]))
def test_the_retriever_leads_to_the_same_lists(case: dict[str, Any], metric: Any) -> None:
    # Whole numbers: float64 and float32 agree on every score, so the lists are the same to the bit.
    if len(case["items"]) == 0:
        return
    rules, filters = Rules(**case["rules"]), case["filters"]
    expected = rank_with_rules(BruteForce(case["items"], metric), case["queries"], case["k"], rules, **filters)
    found = rank_with_rules(Retriever(case["items"], metric=metric), case["queries"], case["k"], rules, **filters)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.scores, expected.scores)


@settings(deadline=None)
@given(cases())
def test_a_shorter_list_is_the_beginning_of_a_longer_one(case: dict[str, Any]) -> None:
    retriever, rules = BruteForce(case["items"]), Rules(**case["rules"])
    longer = rank_with_rules(retriever, case["queries"], case["k"] + 5, rules, **case["filters"])
    shorter = rank_with_rules(retriever, case["queries"], case["k"], rules, **case["filters"])
    np.testing.assert_array_equal(shorter.ids, longer.ids[:, : case["k"]])


def test_a_pin_stands_where_it_is_pinned_and_closes_up_at_the_end() -> None:
    retriever, query = BruteForce([[5], [4], [3], [2], [1]]), np.ones((1, 1), np.float32)

    def listed(pins: dict[int, int], k: int = 6, **filters: Any) -> list[int]:
        ids: list[int] = rank_with_rules(retriever, query, k, Rules(pins=pins), **filters).ids[0].tolist()
        return ids

    assert listed({1: 4}) == [0, 4, 1, 2, 3, -1]
    assert listed({1: 4}, exclude=[4]) == [0, 1, 2, 3, -1, -1]
    assert listed({1: 4}, allow=[0, 1]) == [0, 1, -1, -1, -1, -1]
    assert listed({3: 0, 90: 1}, allow=[0, 1, 2]) == [2, 0, 1, -1, -1, -1]
    assert listed({3: 0}, k=2) == [1, 2]  # the best item waits for its place
    assert listed({0: 4, 1: 3, 2: 2}, k=2) == [4, 3]


def test_pins_win_over_caps_and_buries_and_count_for_the_cap() -> None:
    retriever, query = BruteForce([[5], [4], [3], [2], [1]]), np.ones((1, 1), np.float32)
    rules = Rules(pins={0: 4, 1: 3}, buries=[4, 0], groups=[1, 0, 1, 0, 0], max_per_group=1)
    # 3 and 4 fill their group beyond its cap, so 1 is out; 2 takes the other group before 0, which is buried.
    assert rank_with_rules(retriever, query, 5, rules).ids.tolist() == [[4, 3, 2, -1, -1]]


def test_what_a_boost_adds_means_the_same_for_negative_scores() -> None:
    retriever, query = BruteForce([[1], [2], [3]]), np.full((1, 1), -1, np.float32)
    found = rank_with_rules(retriever, query, 3, Rules(boosts={2: 2.5}))
    assert found.ids.tolist() == [[2, 0, 1]]
    assert found.scores.tolist() == [[-0.5, -1, -2]]


def test_a_boost_lifts_an_item_from_the_end_of_the_catalogue() -> None:
    retriever = BruteForce(np.arange(1000, 0, -1, dtype=np.float32)[:, None])
    found = rank_with_rules(retriever, np.ones((1, 1), np.float32), 3, Rules(boosts={999: 998.5}))
    assert found.ids.tolist() == [[0, 999, 1]]
    assert found.scores.tolist() == [[1000, 999.5, 999]]
    assert retriever.asked == [1, 3]


def test_buried_items_come_when_nothing_else_is_left() -> None:
    retriever, query = BruteForce([[5], [4], [3], [2]]), np.ones((1, 1), np.float32)
    rules = Rules(buries=[1, 0], boosts={1: 2})
    assert rank_with_rules(retriever, query, 2, rules).ids.tolist() == [[2, 3]]
    assert rank_with_rules(retriever, query, 4, rules).ids.tolist() == [[2, 3, 1, 0]]
    assert rank_with_rules(retriever, query, 4, rules, allow=[0, 1]).ids.tolist() == [[1, 0, -1, -1]]


def test_a_cap_looks_as_far_as_it_must_and_no_further() -> None:
    falling = BruteForce(np.arange(4096, 0, -1, dtype=np.float32)[:, None])
    query = np.ones((1, 1), np.float32)
    # The second group begins at 1000, so the pool doubles until it is there.
    groups = np.repeat([0, 1], [1000, 3096])
    assert rank_with_rules(falling, query, 2, Rules(groups=groups, max_per_group=1)).ids.tolist() == [[0, 1000]]
    assert 1000 < max(falling.asked) < 4096
    # Where every group is full the list ends, however many items are left.
    falling.asked.clear()
    found = rank_with_rules(falling, query, 9, Rules(groups=np.arange(4096) % 3, max_per_group=2)).ids
    assert found.tolist() == [[0, 1, 2, 3, 4, 5, -1, -1, -1]]
    assert max(falling.asked) < 100


def test_diversity_looks_as_far_as_it_must_and_no_further() -> None:
    # A thousand copies of a direction before the first of another; scores beyond are too low to be chosen.
    angle = np.array([[1, 0]] * 1000 + [[0, 1]] * 3000, np.float32)
    retriever = BruteForce(angle * np.linspace(4, 0.1, 4000, dtype=np.float32)[:, None])
    query = np.ones((1, 2), np.float32)
    found = assert_diverse(retriever, query, 2, 0.5)
    assert found == [[0, 1000]]
    assert 1000 < max(retriever.asked) < 4000
    retriever.asked.clear()
    assert assert_diverse(retriever, query, 2, 0.9999) == [[0, 1]]
    assert max(retriever.asked) < 100


def assert_diverse(retriever: BruteForce, queries: Any, k: int, trade_off: float) -> Any:
    """The first k by a whole pass over all items each."""
    found = rank_with_rules(retriever, queries, k, Rules(diversity=trade_off)).ids
    for row, scores in enumerate(retriever.scores(queries).astype(np.float64)):
        chosen: list[int] = []
        for _ in range(k):
            closest = [max((cosine(item, retriever.items[j]) for j in chosen), default=0.0) for item in retriever.items]
            values = trade_off * scores - (1 - trade_off) * np.array(closest)
            values[chosen] = -np.inf
            chosen.append(int(np.argmax(values)))
        assert found[row].tolist() == chosen
    return found.tolist()


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 6))
def test_no_item_is_farther_from_the_chosen_than_the_bound(seed: int, factors: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    chosen = (rng.normal(size=(count, factors)) + rng.normal(size=factors)).astype(np.float32)
    candidates = rng.normal(size=(40, factors)).astype(np.float32)
    closeness = Closeness(VectorLikeness(np.concatenate([candidates, chosen])), np.arange(40, dtype=np.int32))
    for at in range(count):
        closeness.compare(np.arange(at, 40, 7))  # some are compared with the first of the chosen already
        closeness.choose(40 + at)
    units = chosen / np.linalg.norm(chosen, axis=1, keepdims=True)
    opposite = -units.sum(axis=0)  # the worst for the mean
    farthest = max(cosine(opposite, item) for item in chosen)
    assert farthest >= -closeness.farthest
    assert closeness.farthest <= 1
    for some in (np.arange(0, 40, 3), np.arange(40)):
        closeness.compare(some)
        for candidate in some:
            closest = max(cosine(candidates[candidate], item) for item in chosen)
            assert closeness.at_least()[candidate] == closest
            assert closest >= -closeness.farthest


def test_no_queries_no_items_nothing_allowed() -> None:
    rules = Rules(diversity=0.5)
    empty, some = np.empty((0, 2), np.float32), np.ones((3, 2), np.float32)
    assert rank_with_rules(BruteForce(some), empty, 4, rules).ids.shape == (0, 4)
    assert rank_with_rules(BruteForce(empty), some, 2, rules).ids.tolist() == [[-1, -1]] * 3
    nothing = rank_with_rules(BruteForce(some), some, 2, Rules(pins={0: 1}, boosts={2: 1.0}), allow=np.zeros(3, bool))
    assert nothing.ids.tolist() == [[-1, -1]] * 3
    assert nothing.scores.tolist() == [[-np.inf, -np.inf]] * 3


def test_many_queries_are_worked_on_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    retriever, queries = BruteForce(integers(30, 3, 1)), integers(11, 3, 2)
    seen = sp.csr_matrix(np.random.default_rng(3).random((11, 30)) < 0.3)
    whole = rank_with_rules(retriever, queries, 3, Rules(**EVERY_RULE["all"]), exclude=seen)
    monkeypatch.setattr("recocore.retrieval.reranking._PAIRS_AT_ONCE", 50)
    retriever.asked.clear()
    blocked = rank_with_rules(retriever, queries, 3, Rules(**EVERY_RULE["all"]), exclude=seen)
    assert len(retriever.asked) > 8
    np.testing.assert_array_equal(blocked.ids, whole.ids)


@pytest.mark.parametrize("rules", EVERY_RULE.values(), ids=EVERY_RULE)
def test_given_candidates_are_ordered_by_the_same_rules(rules: dict[str, Any]) -> None:
    retriever, queries = BruteForce(integers(30, 3, 1)), integers(4, 3, 2)
    lists = [[9, 3, 3, 28, 17], [], [4], list(range(30))]
    listed = np.zeros((4, 30), bool)
    for row, ids in enumerate(lists):
        listed[row, ids] = True
    expected = assert_by_the_letter(retriever, queries, 30, rules, allow=sp.csr_matrix(listed))
    for candidates in (lists, sp.csr_matrix(listed), Csr.from_scipy(sp.csr_matrix(listed))):
        found = rank_candidates(retriever, queries, candidates, Rules(**rules))
        np.testing.assert_array_equal(found.ids, expected.ids)
        np.testing.assert_array_equal(found.scores, expected.scores)


def test_given_candidates_without_rules_or_without_candidates() -> None:
    retriever = BruteForce([[1], [3], [2]])
    queries = np.ones((2, 1), np.float32)
    assert rank_candidates(retriever, queries, [[0, 2], [1]]).ids.tolist() == [[2, 0], [1, -1]]
    assert rank_candidates(retriever, queries, [[], []]).ids.shape == (2, 0)
    assert rank_candidates(retriever, queries[:0], []).ids.shape == (0, 0)


def test_rules_are_values_that_do_not_change() -> None:
    boosts, groups = {3: 1.0}, np.array([0, 1])
    rules = Rules(boosts=boosts, groups=groups, max_per_group=1)
    boosts[4] = 2.0
    groups[0] = 7
    assert dict(rules.boosts) == {3: 1.0}
    assert rules.groups.tolist() == [0, 1]
    with pytest.raises(FrozenInstanceError):
        rules.diversity = 0.5  # type: ignore[misc]
    with pytest.raises(TypeError):
        rules.boosts[3] = 2.0  # type: ignore[index]
    arrays: list[Any] = [rules.groups, rules.special, rules.amounts, rules.group_numbers]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"boosts": [(1, 2.0)]}, "boosts: expected a mapping, got list"),
        ({"boosts": {1: np.nan}}, "boosts: expected amounts that are finite in float32, got nan"),
        ({"boosts": {1: 1e39}}, r"boosts: expected amounts that are finite in float32, got 1e\+39"),
        ({"boosts": {1: "2"}}, "boosts: expected a real number, got '2'"),
        ({"boosts": {-1: 2.0}}, "boosts: expected an integer of at least 0, got -1"),
        ({"buries": 3}, "buries: expected a collection of items, got int"),
        ({"buries": "12"}, "buries: expected a collection of items, got str"),
        ({"buries": [1.5]}, "buries: expected an integer of at least 0, got 1.5"),
        ({"pins": {-1: 3}}, "pins: expected an integer of at least 0, got -1"),
        ({"pins": {0: 3, 4: 3}}, "pins: expected one place an item, got item 3 at 0 and 4"),
        ({"groups": [0, 1]}, "max_per_group: expected it beside groups, got None"),
        ({"max_per_group": 2}, "groups: expected it beside max_per_group, got None"),
        ({"groups": [0], "max_per_group": 0}, "max_per_group: expected an integer of at least 1, got 0"),
        ({"groups": [0, -2], "max_per_group": 1}, "groups: expected -1 for no group or .*, got -2 to 0"),
        ({"groups": [0.5], "max_per_group": 1}, "groups: expected a 1-d array of integers, got 1-d float64"),
        ({"diversity": 0}, r"diversity: expected a number in \(0, 1\], got 0"),
        ({"diversity": 1.01}, r"diversity: expected a number in \(0, 1\], got 1.01"),
        ({"diversity": np.nan}, r"diversity: expected a number in \(0, 1\], got nan"),
    ],
)
def test_bad_rules_are_named(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        Rules(**rules)
    assert caught.value.field == message.split(":", maxsplit=1)[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k: expected an integer of at least 1, got 0"),
        ({"queries": [[1.0]]}, "queries: expected a 2-d array of float32, got list"),
        ({"queries": np.ones(2, np.float32)}, "queries: expected a 2-d array of float32, got 1-d float32"),
        ({"rules": Rules(boosts={5: 1.0})}, r"boosts: expected items in \[0, 5\), got 5"),
        ({"rules": Rules(buries=[7, 1])}, r"buries: expected items in \[0, 5\), got 7"),
        ({"rules": Rules(pins={0: 5})}, r"pins: expected items in \[0, 5\), got 5"),
        ({"rules": Rules(groups=[1], max_per_group=1)}, "groups: expected a group for each of 5 items, got 1"),
        ({"exclude": [5]}, r"exclude: expected indices in \[0, 5\), got 5 to 5"),
        ({"allow": np.ones(4, bool)}, r"allow: expected a mask of shape \(5,\), got \(4,\)"),
        ({"block": sp.csr_matrix((3, 5))}, r"block: expected a sparse matrix of shape \(2, 5\), got \(3, 5\)"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"queries": np.ones((2, 1), np.float32), "k": 2, "rules": Rules(), **change}
    with pytest.raises(InvalidArgumentError, match=message):
        rank_with_rules(BruteForce(np.ones((5, 1))), **arguments)


def test_bad_candidates_are_named() -> None:
    retriever, queries = BruteForce(np.ones((5, 1))), np.ones((2, 1), np.float32)
    with pytest.raises(InvalidArgumentError, match="candidates: expected a list for each of 2 queries, got 1"):
        rank_candidates(retriever, queries, [[1]])
    with pytest.raises(InvalidArgumentError, match=r"candidates\[1\]: expected indices in \[0, 5\), got 9 to 9"):
        rank_candidates(retriever, queries, [[1], [9]])
