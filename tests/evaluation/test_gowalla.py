"""Popularity on the fixed gowalla split, against the published recall@20 and nDCG@20 of that baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.real_data import data_set

from recocore.csr import Csr
from recocore.evaluation import evaluate
from recocore.recommendations import Recommendations

if TYPE_CHECKING:
    from recocore.types import Int32Array


class MostPopular:
    """The items with the most users, without those that a user has."""

    def __init__(self, train: Csr) -> None:
        self.train = train
        self.holders = np.bincount(train.indices, minlength=train.shape[1])
        self.order = np.argsort(-self.holders, kind="stable").astype(np.int32)

    def recommend(self, user_indices: Int32Array, k: int, *, exclude_seen: bool) -> Recommendations:
        assert exclude_seen
        ids = np.empty((len(user_indices), k), np.int32)
        for row, user in enumerate(user_indices):
            seen = self.train.row(int(user))[0]
            best = self.order[: k + len(seen)]
            ids[row] = best[~np.isin(best, seen)][:k]
        return Recommendations(ids, self.holders[ids].astype(np.float32))


def test_popularity_has_its_published_quality() -> None:
    tables = [pq.read_table(data_set("gowalla") / f"{part}.parquet") for part in ("train", "test")]
    users = [table["user"].to_numpy() for table in tables]
    items = [table["item"].to_numpy() for table in tables]
    shape = (max(int(u.max()) for u in users) + 1, max(int(i.max()) for i in items) + 1)
    train, test = (Csr.from_coo(u, i, np.ones(len(u)), shape) for u, i in zip(users, items, strict=True))

    result = evaluate(MostPopular(train), test, 20, ["recall", "ndcg"], train=train)

    assert result.n_users == 29_858
    assert result["recall@20"] == pytest.approx(0.0416, abs=5e-5)
    assert result["ndcg@20"] == pytest.approx(0.0317, abs=5e-5)
