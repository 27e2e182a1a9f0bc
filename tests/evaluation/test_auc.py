"""The area under the ROC curve against counting every pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recocore.csr import Csr
from recocore.errors import InvalidArgumentError
from recocore.evaluation import ranking_metrics


def by_pairs(listed: dict[int, float], relevant: set[int], candidates: set[int]) -> float:
    won = [
        (a > b) + 0.5 * (a == b)
        for a in (listed.get(i, -np.inf) for i in relevant & candidates)
        for b in (listed.get(i, -np.inf) for i in candidates - relevant)
    ]
    return float(np.mean(won)) if won else 0.5


@pytest.mark.parametrize("levels", [0, 3])
@pytest.mark.parametrize("exclude_seen", [False, True])
def test_equals_the_share_of_pairs(make_lists: Any, levels: int, exclude_seen: bool) -> None:
    users, items = 60, 25
    lists = make_lists(11, users, items, items, score_levels=levels)
    rng = np.random.default_rng(5)
    # Seen items are in no list; some of them are relevant all the same.
    seen = (rng.random((users, items)) < 0.3) & ~(np.array([np.isin(range(items), row) for row in lists.ids]))
    rows, cols = np.nonzero(seen)
    train = Csr.from_coo(rows, cols, np.ones(len(rows)), (users, items))

    result = ranking_metrics(
        lists.ids, lists.relevant, 1, "auc", scores=lists.scores, train=train, exclude_seen=exclude_seen
    )
    for user, value in zip(result.users, result.per_user["auc"], strict=True):
        listed = {int(i): float(s) for i, s in zip(lists.ids[user], lists.scores[user], strict=True) if i >= 0}
        candidates = set(range(items)) - (set(np.flatnonzero(seen[user]).tolist()) if exclude_seen else set())
        assert value == pytest.approx(by_pairs(listed, set(lists.truth_of(user)), candidates), abs=1e-12)


def test_half_without_pairs_and_without_a_list() -> None:
    ids = np.array([[0, 1], [0, 1], [-1, -1]], np.int32)
    scores = np.array([[2, 1], [2, 1], [-np.inf, -np.inf]], np.float32)
    relevant = Csr.from_coo([0, 0, 1, 2], [0, 1, 0, 0], np.ones(4), (3, 2))
    result = ranking_metrics(ids, relevant, 1, "auc", scores=scores, exclude_seen=False)
    assert result.per_user["auc"].tolist() == [0.5, 1.0, 0.5]


def test_needs_scores_and_to_know_what_was_seen() -> None:
    ids = np.array([[0, 1]], np.int32)
    relevant = Csr.from_coo([0], [0], [1.0], (1, 3))
    with pytest.raises(InvalidArgumentError, match="scores: expected float32 scores"):
        ranking_metrics(ids, relevant, 1, "auc", exclude_seen=False)
    scores = np.array([[2, 1]], np.float32)
    with pytest.raises(InvalidArgumentError, match=r"train: auc leaves seen items out.*pass train="):
        ranking_metrics(ids, relevant, 1, "auc", scores=scores)
    with pytest.raises(InvalidArgumentError, match="item 1, which is excluded, in the list of user 0"):
        ranking_metrics(ids, relevant, 1, "auc", scores=scores, train=Csr.from_coo([0], [1], [1.0], (1, 3)))
