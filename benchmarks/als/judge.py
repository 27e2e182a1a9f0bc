"""How good rankings by factors are, on users drawn once for all competitors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.csr import Csr
from recocore.evaluation import ranking_metrics
from recocore.ops import topk

if TYPE_CHECKING:
    from benchmarks.als.solution import Factors

K = 20
METRIC = f"nDCG@{K}"
# The standard error of their mean is .003 on gowalla, but all are judged on the same ones.
_USERS = 6_000
_SEED = 5


def ndcg(factors: Factors, train: Any, test: Any) -> float:
    """The mean nDCG@20 over test users of SciPy CSR `[users, items]`; items of the training row are left out."""
    users = np.flatnonzero(np.diff(test.indptr))
    if len(users) > _USERS:
        users = np.sort(np.random.default_rng(_SEED).choice(users, _USERS, replace=False))
    items = np.ascontiguousarray(factors.items, np.float32)
    ids, _ = topk(np.ascontiguousarray(factors.users[users], np.float32), items, K, exclude=train[users])
    return ranking_metrics(ids, Csr.from_scipy(test[users], "test"), k=K, metrics=["ndcg"])[f"ndcg@{K}"]
