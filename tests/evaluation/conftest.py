"""Seeded lists with relevant items, for comparison with other implementations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from recocore.csr import Csr

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.types import Float32Array, Int32Array


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists of `depth` items, best first, some of them short, and the values of each user's relevant items."""

    ids: Int32Array
    scores: Float32Array
    relevant: Csr

    def list_of(self, user: int) -> list[int]:
        return [int(i) for i in self.ids[user] if i >= 0]

    def truth_of(self, user: int) -> dict[int, float]:
        items, values = self.relevant.row(user)
        return {int(i): float(v) for i, v in zip(items, values, strict=True)}


def _make_lists(seed: int, users: int, items: int, depth: int, *, score_levels: int = 0) -> Lists:
    """`score_levels` > 0 draws scores from that many values, so that many are equal; else they all differ."""
    rng = np.random.default_rng(seed)
    ids = np.argsort(rng.random((users, items)), axis=1)[:, :depth].astype(np.int32)
    if score_levels > 0:
        scores = -np.sort(-rng.integers(0, score_levels, (users, depth)), axis=1).astype(np.float32)
    else:
        scores = np.tile(np.arange(depth, 0, -1, dtype=np.float32), (users, 1))
    beyond = np.arange(depth) >= rng.integers(1, 2 * depth, users)[:, None]
    ids[beyond] = -1
    scores[beyond] = -np.inf

    relevant = rng.random((users, items)) < rng.uniform(0.02, 0.6, (users, 1))
    relevant[np.arange(users), rng.integers(0, items, users)] = True
    rows, cols = np.nonzero(relevant)
    values = rng.integers(1, 5, len(rows)).astype(np.float32)
    return Lists(ids, scores, Csr.from_coo(rows, cols, values, (users, items)))


@pytest.fixture
def make_lists() -> Callable[..., Lists]:
    return _make_lists
