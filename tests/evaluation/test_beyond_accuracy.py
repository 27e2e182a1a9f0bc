"""Coverage, Gini, novelty and diversity against their formulas written out."""

from __future__ import annotations

from itertools import combinations
from math import log2
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recocore.csr import Csr
from recocore.errors import InvalidArgumentError
from recocore.evaluation import ranking_metrics
from recocore.evaluation.measures import gini

USERS, ITEMS, DEPTH, K = 80, 30, 8, 5


@pytest.fixture
def lists(make_lists: Any) -> Any:
    return make_lists(3, USERS, ITEMS, DEPTH)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_gini_is_half_the_relative_mean_difference(exposures: list[int]) -> None:
    total = sum(exposures)
    expected = 0.0
    if total > 0:
        n = len(exposures)
        expected = sum(abs(x - y) for x in exposures for y in exposures) / (2 * n * total)
    assert gini(np.array(exposures)) == pytest.approx(expected, abs=1e-12)


def test_gini_at_its_ends() -> None:
    assert gini(np.array([3, 3, 3])) == 0.0
    assert gini(np.array([0, 0, 0, 7])) == 0.75
    assert gini(np.zeros(4, np.int64)) == 0.0


def test_coverage_and_gini_count_what_is_listed(lists: Any) -> None:
    result = ranking_metrics(lists.ids, lists.relevant, K, ["coverage", "gini"])
    shown = [i for user in range(USERS) for i in lists.list_of(user)[:K]]
    assert result[f"coverage@{K}"] == len(set(shown)) / ITEMS
    assert result[f"gini@{K}"] == pytest.approx(gini(np.bincount(shown, minlength=ITEMS)))
    assert dict(result.per_user) == {}
    assert dict(result.standard_errors) == {}


def test_novelty_is_the_mean_surprise(lists: Any) -> None:
    rng = np.random.default_rng(2)
    has = rng.random((USERS, ITEMS)) < rng.random(ITEMS)
    has[:, 4] = False  # an item that nobody has counts as one user's
    rows, cols = np.nonzero(has)
    train = Csr.from_coo(rows, cols, rng.random(len(rows)) + 1, (USERS, ITEMS))
    result = ranking_metrics(lists.ids, lists.relevant, [1, K], "novelty", train=train)
    for user in range(USERS):
        surprises = [-log2(max(1, has[:, i].sum()) / USERS) for i in lists.list_of(user)]
        assert result.per_user["novelty@1"][user] == pytest.approx(surprises[0])
        assert result.per_user[f"novelty@{K}"][user] == pytest.approx(float(np.mean(surprises[:K])))


@pytest.mark.parametrize("sparse", [False, True])
def test_diversity_is_one_less_the_mean_cosine(lists: Any, sparse: bool) -> None:
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(ITEMS, 12)).astype(np.float32)
    vectors[rng.random(vectors.shape) < 0.6] = 0.0
    vectors[7] = 0.0
    rows, cols = np.nonzero(vectors)
    source = Csr.from_coo(rows, cols, vectors[rows, cols], (ITEMS, 12)) if sparse else vectors
    cutoffs = [1, 2, K]
    result = ranking_metrics(lists.ids, lists.relevant, cutoffs, "intra_list_diversity", item_vectors=source)

    exact = vectors.astype(np.float64)
    norms = np.linalg.norm(exact, axis=1, keepdims=True)
    unit = np.divide(exact, norms, out=np.zeros_like(exact), where=norms > 0)
    for user in range(USERS):
        for k in cutoffs:
            cosines = [unit[a] @ unit[b] for a, b in combinations(lists.list_of(user)[:k], 2)]
            expected = 1.0 - float(np.mean(cosines)) if cosines else 0.0
            value = result.per_user[f"intra_list_diversity@{k}"][user]
            assert value == pytest.approx(expected, abs=1e-12)


def test_says_what_is_missing(lists: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"train: novelty .* pass train="):
        ranking_metrics(lists.ids, lists.relevant, K, "novelty")
    with pytest.raises(InvalidArgumentError, match="item_vectors: intra_list_diversity compares items"):
        ranking_metrics(lists.ids, lists.relevant, K, "intra_list_diversity")


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.ones((ITEMS, 3)), "C-contiguous float32, got float64"),
        (np.ones((ITEMS - 1, 3), np.float32), f"a row for each of {ITEMS} items"),
        (np.ones(ITEMS, np.float32), f"a row for each of {ITEMS} items"),
        (np.full((ITEMS, 3), np.nan, np.float32), "item_vectors: expected finite values"),
        ([[1.0]] * ITEMS, "item_vectors: expected .*, got list"),
    ],
)
def test_refuses_vectors_that_do_not_fit(lists: Any, vectors: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        ranking_metrics(lists.ids, lists.relevant, K, "intra_list_diversity", item_vectors=vectors)
