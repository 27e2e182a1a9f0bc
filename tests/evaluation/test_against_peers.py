"""A thousand random cases against ranx and ir-measures, where their definitions are the same as ours.

Both rank by score, so the lists go in with score = depth - rank, which leaves no ties. ir-measures (trec_eval
underneath) knows no cutoff of the reciprocal rank, so it is compared over whole lists. Graded nDCG with linear gain is
both libraries' nDCG of graded judgements; with exponential gain it is ranx's "ndcg_burges".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from recocore.csr import Csr
from recocore.evaluation import ranking_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.types import Float64Array

USERS, ITEMS, DEPTH = 1000, 60, 20
CUTOFFS = [1, 5, DEPTH]
BINARY = ["recall", "precision", "hit_rate", "map", "mrr", "ndcg"]


@pytest.fixture
def lists(make_lists: Callable[..., Any]) -> Any:
    return make_lists(20240501, USERS, ITEMS, DEPTH)


def binary(relevant: Csr) -> Csr:
    return Csr(relevant.indptr, relevant.indices, np.ones_like(relevant.values), relevant.shape)


def as_dicts(lists: Any, *, graded: bool) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """Judgements and runs by user and item; users rise as strings, too."""
    judgements = {
        f"u{user:04}": {f"i{i}": int(v) if graded else 1 for i, v in lists.truth_of(user).items()}
        for user in range(USERS)
    }
    runs = {
        f"u{user:04}": {f"i{i}": float(DEPTH - rank) for rank, i in enumerate(lists.list_of(user))}
        for user in range(USERS)
    }
    return judgements, runs


def ours(lists: Any, metrics: list[str], *, graded: bool, gain: Any = "linear") -> dict[str, Float64Array]:
    relevant = lists.relevant if graded else binary(lists.relevant)
    result = ranking_metrics(lists.ids, relevant, CUTOFFS, metrics, gain=gain)
    assert result.n_users == USERS
    return dict(result.per_user)


# Compiling ranx's metrics takes a minute and a half, running them as plain Python two seconds.
@pytest.mark.filterwarnings("ignore")
def test_equals_ranx(lists: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    numba = pytest.importorskip("numba")
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    ranx = pytest.importorskip("ranx")
    judgements, runs = as_dicts(lists, graded=True)
    theirs = ranx.evaluate(
        ranx.Qrels(judgements),
        ranx.Run(runs),
        [f"{metric}@{k}" for metric in [*BINARY, "ndcg_burges"] for k in CUTOFFS],
        return_mean=False,
    )

    names = {"ndcg": "ndcg_graded"}  # ranx takes the judgements as gains
    mine = ours(lists, [*BINARY, "ndcg_graded"], graded=True)
    for metric in BINARY:
        for k in CUTOFFS:
            np.testing.assert_allclose(
                mine[f"{names.get(metric, metric)}@{k}"], theirs[f"{metric}@{k}"], rtol=0, atol=1e-9, err_msg=metric
            )
    exponential = ours(lists, ["ndcg_graded"], graded=True, gain="exponential")
    for k in CUTOFFS:
        np.testing.assert_allclose(exponential[f"ndcg_graded@{k}"], theirs[f"ndcg_burges@{k}"], rtol=0, atol=1e-9)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("graded", [False, True])
def test_equals_ir_measures(lists: Any, graded: bool) -> None:
    ir = pytest.importorskip("ir_measures")
    theirs_of = {"recall": ir.R, "precision": ir.P, "hit_rate": ir.Success, "map": ir.AP, "ndcg": ir.nDCG}
    names = {f"{metric}@{k}": measure @ k for metric, measure in theirs_of.items() for k in CUTOFFS}
    names[f"mrr@{DEPTH}"] = ir.RR
    judgements, runs = as_dicts(lists, graded=graded)
    theirs: dict[Any, dict[str, float]] = {measure: {} for measure in names.values()}
    for value in ir.pytrec_eval.iter_calc(list(theirs), judgements, runs):
        theirs[value.measure][value.query_id] = value.value

    mine = ours(lists, [*BINARY, "ndcg_graded"], graded=graded)
    for name, measure in names.items():
        expected = [theirs[measure][f"u{user:04}"] for user in range(USERS)]
        own_name = name.replace("ndcg", "ndcg_graded") if graded else name
        np.testing.assert_allclose(mine[own_name], expected, rtol=0, atol=1e-9, err_msg=name)


def test_equal_gains_make_graded_ndcg_the_binary_one(lists: Any) -> None:
    for gain in ("linear", "exponential"):
        mine = ours(lists, ["ndcg", "ndcg_graded"], graded=False, gain=gain)
        for k in CUTOFFS:
            np.testing.assert_array_equal(mine[f"ndcg@{k}"], mine[f"ndcg_graded@{k}"])
