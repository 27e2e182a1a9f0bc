"""Paired bootstrap: against a plain one, at its ends, and what it refuses."""

from __future__ import annotations

import json
from math import comb
from typing import Any

import numpy as np
import pytest

from recocore.csr import Csr
from recocore.errors import InvalidArgumentError
from recocore.evaluation import Evaluation, paired_bootstrap, ranking_metrics


def evaluation(lists: Any, metrics: Any = ("recall", "ndcg", "coverage"), **options: Any) -> Evaluation:
    return ranking_metrics(lists.ids, lists.relevant, 5, metrics, **options)


@pytest.fixture
def pair(make_lists: Any) -> tuple[Evaluation, Evaluation]:
    """Two sets of lists for the same users; in b every second list is cut to two items."""
    lists = make_lists(1, 120, 30, 5)
    other = lists.ids.copy()
    other[::2, 2:] = -1
    return evaluation(lists), ranking_metrics(other, lists.relevant, 5, ["recall", "ndcg", "coverage"])


@pytest.mark.parametrize("metric", ["recall@5", "ndcg@5"])
def test_agrees_with_the_standard_error(pair: tuple[Evaluation, Evaluation], metric: str) -> None:
    a, b = pair
    differences = a.per_user[metric] - b.per_user[metric]
    result = paired_bootstrap(a, b, metric, samples=20_000)
    assert result.difference == pytest.approx(differences.mean())
    error = differences.std() / np.sqrt(len(differences))
    assert result.low == pytest.approx(result.difference - 1.96 * error, abs=0.25 * error)
    assert result.high == pytest.approx(result.difference + 1.96 * error, abs=0.25 * error)
    assert result.n_users == a.n_users


def test_agrees_with_resampling_by_numpy(pair: tuple[Evaluation, Evaluation]) -> None:
    a, b = pair
    differences = a.per_user["ndcg@5"] - b.per_user["ndcg@5"]
    means = differences[np.random.default_rng(0).integers(0, a.n_users, (20_000, a.n_users))].mean(axis=1)
    low, high = np.percentile(means, [5, 95])
    result = paired_bootstrap(a, b, "ndcg@5", samples=20_000, confidence=0.9)
    assert result.low == pytest.approx(low, abs=0.03 * (high - low))
    assert result.high == pytest.approx(high, abs=0.03 * (high - low))


def test_the_p_value_of_coins() -> None:
    """9 users gain and 3 lose: sums of 12 fair draws from 9 ones and 3 minus ones, centred, by the binomial formula."""
    n = 12
    relevant = Csr.from_coo(np.arange(n), np.zeros(n), np.ones(n), (n, 2))
    gains = np.arange(n) < 9
    a = ranking_metrics(np.where(gains, 0, 1).astype(np.int32)[:, None], relevant, 1, "recall")
    b = ranking_metrics(np.where(gains, 1, 0).astype(np.int32)[:, None], relevant, 1, "recall")
    exact = sum(comb(n, w) * 0.75**w * 0.25 ** (n - w) for w in range(n + 1) if abs(2 * w - n - 6) >= 6)
    result = paired_bootstrap(a, b, "recall@1", samples=200_000)
    assert result.p_value == pytest.approx(exact, abs=0.003)


def test_no_difference_is_never_significant(pair: tuple[Evaluation, Evaluation]) -> None:
    result = paired_bootstrap(pair[0], pair[0], "recall@5", samples=100)
    assert (result.difference, result.low, result.high, result.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_a_clear_difference_is_significant(pair: tuple[Evaluation, Evaluation]) -> None:
    a, b = pair
    result = paired_bootstrap(a, b, "ndcg@5", samples=2000)
    assert 0.0 < result.low < result.difference < result.high
    assert result.p_value < 0.01
    turned = paired_bootstrap(b, a, "ndcg@5", samples=2000)
    assert turned.difference == -result.difference
    assert turned.p_value == result.p_value


def test_the_seed_decides(pair: tuple[Evaluation, Evaluation]) -> None:
    first = paired_bootstrap(*pair, "ndcg@5", samples=500, seed=1)
    assert first == paired_bootstrap(*pair, "ndcg@5", samples=500, seed=1, num_threads=3)
    assert first != paired_bootstrap(*pair, "ndcg@5", samples=500, seed=2)
    assert json.loads(json.dumps(first.to_dict()))["metric"] == "ndcg@5"
    assert str(first).startswith("ndcg@5: +0.")


def test_wider_confidence_widens_the_bounds(pair: tuple[Evaluation, Evaluation]) -> None:
    narrow = paired_bootstrap(*pair, "ndcg@5", samples=1000, confidence=0.5)
    wide = paired_bootstrap(*pair, "ndcg@5", samples=1000, confidence=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_refuses_what_cannot_be_compared(make_lists: Any, pair: tuple[Evaluation, Evaluation]) -> None:
    a, b = pair
    fewer = evaluation(make_lists(1, 119, 30, 5))
    lists = make_lists(1, 120, 30, 5)
    averaged = evaluation(lists, scores=lists.scores, ties="average")
    for arguments, message in [
        ((a, fewer, "recall@5"), "b: expected the 120 users of a, got 119 users, 119 of them shared"),
        ((a, averaged, "recall@5"), "b: expected ties and gain as in a"),
        ((a, b, "recall@6"), r"metric: expected one with per-user values in a \(recall@5, ndcg@5\), got 'recall@6'"),
        ((a, b, "coverage@5"), "metric: expected one with per-user values"),
        ((a, b, "recall@5", 0), "samples: expected at least 1, got 0"),
        ((a, b, "recall@5", 10, -1), "seed: expected a number in"),
    ]:
        with pytest.raises(InvalidArgumentError, match=message):
            paired_bootstrap(*arguments)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match=r"confidence: expected a number in \(0, 1\), got 95"):
        paired_bootstrap(a, b, "recall@5", confidence=95)
