"""Averages over ties equal the mean over every order of equal scores, taken by brute force."""

from __future__ import annotations

from itertools import groupby, permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from recocore.csr import Csr
from recocore.evaluation import ranking_metrics
from recocore.evaluation.definitions import ACCURACY

if TYPE_CHECKING:
    from recocore.types import Float32Array, Int32Array

ITEMS, DEPTH = 9, 7
CUTOFFS = [1, 2, 3, 5, DEPTH]


def orders(ids: Int32Array, scores: Float32Array) -> Int32Array:
    """Every order of one list in which equal scores may change places, int32 `[orders, depth]`."""
    groups = [[i for i, _ in group] for _, group in groupby(zip(ids, scores, strict=True), key=lambda pair: pair[1])]
    every = product(*(permutations(group) for group in groups))
    return np.array([[i for group in order for i in group] for order in every], np.int32)


@pytest.mark.parametrize("gain", ["linear", "exponential"])
@pytest.mark.parametrize("seed", range(12))
def test_equals_the_mean_over_all_orders(seed: int, gain: Any) -> None:
    rng = np.random.default_rng(seed)
    ids = rng.permutation(ITEMS)[:DEPTH].astype(np.int32)
    scores = -np.sort(rng.integers(0, 1 + seed % 4, DEPTH)).astype(np.float32)
    wanted = rng.choice(ITEMS, 1 + seed % 5, replace=False)
    values = rng.integers(1, 4, len(wanted))
    metrics = list(ACCURACY)

    averaged = ranking_metrics(
        ids[None],
        Csr.from_coo(np.zeros(len(wanted)), wanted, values, (1, ITEMS)),
        CUTOFFS,
        metrics,
        scores=scores[None],
        ties="average",
        gain=gain,
    )
    every = orders(ids, scores)
    n = len(every)
    brute = ranking_metrics(
        every,
        Csr.from_coo(np.repeat(np.arange(n), len(wanted)), np.tile(wanted, n), np.tile(values, n), (n, ITEMS)),
        CUTOFFS,
        metrics,
        gain=gain,
    )
    for name, mean in brute.means.items():
        assert averaged[name] == pytest.approx(mean, abs=1e-12), name


def test_without_ties_the_average_is_the_list(make_lists: Any) -> None:
    lists = make_lists(1, 200, 30, 10)
    plain = ranking_metrics(lists.ids, lists.relevant, [1, 5, 9], list(ACCURACY))
    averaged = ranking_metrics(
        lists.ids, lists.relevant, [1, 5, 9], list(ACCURACY), scores=lists.scores, ties="average"
    )
    for name, values in plain.per_user.items():
        np.testing.assert_array_equal(averaged.per_user[name], values)
    assert plain.cut_ties == 0
    assert averaged.cut_ties == 0


def test_counts_the_lists_that_end_inside_a_tie() -> None:
    ids = np.array([[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 1, -1]], np.int32)
    scores = np.array([[3, 2, 2], [3, 3, 2], [1, 1, 1], [1, 1, -np.inf]], np.float32)
    relevant = Csr.from_coo(range(4), [3] * 4, [1.0] * 4, (4, 5))

    def cut_ties(k: int) -> int:
        return ranking_metrics(ids, relevant, k, "recall", scores=scores, ties="average").cut_ties

    assert cut_ties(1) == 1  # only the third list's tie reaches the first place
    assert cut_ties(2) == 2
    assert cut_ties(3) == 3  # a list that ends early ends there


def test_a_list_of_the_whole_catalogue_cuts_no_tie() -> None:
    ids = np.array([[0, 1, 2]], np.int32)
    relevant = Csr.from_coo([0], [2], [1.0], (1, 3))
    result = ranking_metrics(ids, relevant, 1, "recall", scores=np.ones((1, 3), np.float32), ties="average")
    assert result["recall@1"] == pytest.approx(1 / 3)
    assert result.cut_ties == 0
