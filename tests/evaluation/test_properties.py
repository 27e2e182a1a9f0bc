"""What must hold of any lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recocore.csr import Csr
from recocore.evaluation import ranking_metrics

ACCURACY = ["recall", "capped_recall", "precision", "hit_rate", "map", "map_capped", "mrr", "ndcg", "ndcg_graded"]
PER_USER = [*ACCURACY, "auc"]


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """Lists of up to `depth` items for a few users, scores with ties, and relevant items with values."""
    users, items = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    depth = draw(st.integers(1, items))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ids = np.argsort(rng.random((users, items)), axis=1)[:, :depth].astype(np.int32)
    scores = -np.sort(rng.integers(0, draw(st.integers(1, 6)), (users, depth)), axis=1).astype(np.float32)
    beyond = np.arange(depth) >= rng.integers(0, depth + 1, users)[:, None]
    ids[beyond], scores[beyond] = -1, -np.inf
    relevant = rng.random((users, items)) < rng.random()
    relevant[0, 0] = True
    rows, cols = np.nonzero(relevant)
    matrix = Csr.from_coo(rows, cols, rng.integers(1, 6, len(rows)), (users, items))
    return {"ids": ids, "scores": scores, "relevant": matrix, "k": list(range(1, depth + 1)), "exclude_seen": False}


options = st.fixed_dictionaries(
    {"ties": st.sampled_from(["list", "average"]), "gain": st.sampled_from(["linear", "exponential"])}
)


@given(cases(), options)
def test_values_are_shares(case: dict[str, Any], how: dict[str, Any]) -> None:
    result = ranking_metrics(**case, metrics=[*PER_USER, "coverage", "gini"], **how)
    for values in result.per_user.values():
        assert values.min() >= 0.0
        assert values.max() <= 1.0
    assert all(0.0 <= value <= 1.0 for value in result.means.values())


@given(cases(), options)
def test_longer_lists_never_lose(case: dict[str, Any], how: dict[str, Any]) -> None:
    values = ranking_metrics(**case, metrics=["recall", "hit_rate", "map", "mrr"], **how).per_user
    for metric in ("recall", "hit_rate", "map", "mrr"):
        along_k = np.array([values[f"{metric}@{k}"] for k in case["k"]])
        assert (np.diff(along_k, axis=0) >= -1e-12).all()


@given(cases(), st.sampled_from(["linear", "exponential"]))
def test_a_perfect_list_scores_one(case: dict[str, Any], gain: Any) -> None:
    matrix: Csr = case["relevant"]
    dense = matrix.to_scipy().toarray()
    ids = np.argsort(-dense, axis=1, kind="stable").astype(np.int32)
    scores = np.take_along_axis(dense, ids, axis=1).astype(np.float32)
    cutoffs = list(range(1, ids.shape[1] + 1))
    result = ranking_metrics(ids, matrix, cutoffs, PER_USER, scores=scores, exclude_seen=False, gain=gain)
    for metric in ("capped_recall", "hit_rate", "map_capped", "mrr", "ndcg", "ndcg_graded"):
        for k in cutoffs:
            np.testing.assert_array_equal(result.per_user[f"{metric}@{k}"], 1.0)
    all_relevant = np.diff(matrix.indptr)[result.users] == ids.shape[1]
    np.testing.assert_array_equal(result.per_user["auc"], np.where(all_relevant, 0.5, 1.0))


@given(cases(), options, st.randoms(use_true_random=False))
def test_names_of_users_and_items_do_not_matter(case: dict[str, Any], how: dict[str, Any], random: Any) -> None:
    matrix: Csr = case["relevant"]
    n_users, n_items = matrix.shape
    users = np.array(random.sample(range(n_users), n_users))
    items = np.array([*random.sample(range(n_items), n_items), -1], np.int32)  # -1 stays -1
    dense = matrix.to_scipy().toarray()
    renamed = np.zeros_like(dense)
    renamed[:, items[:-1]] = dense[users]
    rows, cols = np.nonzero(renamed)
    again = case | {
        "ids": items[case["ids"][users]],
        "scores": case["scores"][users],
        "relevant": Csr.from_coo(rows, cols, renamed[rows, cols], matrix.shape),
    }
    before = ranking_metrics(**case, metrics=[*PER_USER, "coverage", "gini"], **how)
    after = ranking_metrics(**again, metrics=[*PER_USER, "coverage", "gini"], **how)
    for name, mean in before.means.items():
        assert after[name] == pytest.approx(mean, abs=1e-12)
    for name, values in before.per_user.items():
        place = {int(user): position for position, user in enumerate(before.users)}
        np.testing.assert_array_equal(after.per_user[name], values[[place[int(users[u])] for u in after.users]])


@given(cases(), options)
@settings(max_examples=20)
def test_order_below_the_cutoff_does_not_matter(case: dict[str, Any], how: dict[str, Any]) -> None:
    if how["ties"] == "average" or len(case["k"]) < 2:
        return
    k = case["k"][-1] // 2 or 1
    shuffled = case["ids"].copy()
    for row in shuffled:
        length = int((row >= 0).sum())
        row[k:length] = row[k:length][::-1].copy()
    before = ranking_metrics(**(case | {"k": k}), metrics=ACCURACY, **how)
    after = ranking_metrics(**(case | {"k": k, "ids": shuffled}), metrics=ACCURACY, **how)
    for name, values in before.per_user.items():
        np.testing.assert_array_equal(after.per_user[name], values)


@pytest.mark.parametrize("ties", ["list", "average"])
def test_same_bytes_at_every_thread_count(make_lists: Any, ties: Any) -> None:
    lists = make_lists(7, 500, 40, 30, score_levels=5)
    vectors = np.random.default_rng(3).normal(size=(40, 8)).astype(np.float32)
    metrics = [*PER_USER, "intra_list_diversity", "novelty", "coverage", "gini"]

    def measured(threads: int) -> dict[str, bytes]:
        result = ranking_metrics(
            lists.ids,
            lists.relevant,
            [1, 10, 30],
            metrics,
            scores=lists.scores,
            train=Csr.from_coo(np.arange(500), np.arange(500) % 40, np.ones(500), (500, 40)),
            exclude_seen=False,
            item_vectors=vectors,
            ties=ties,
            num_threads=threads,
        )
        return {name: values.tobytes() for name, values in result.per_user.items()}

    alone = measured(1)
    assert all(measured(threads) == alone for threads in (2, 5))
