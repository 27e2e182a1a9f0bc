"""Seeded interaction matrices: users by items, log-normal user activity, Zipf item popularity, at most one entry a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sp

if TYPE_CHECKING:
    from pathlib import Path

# Non-zeros a user of `scaled`: an average user of `ml20m_like` has as many.
_PER_USER = 107


def popularity_matrix(users: int, items: int, draws: int, seed: int) -> Any:
    """Ones at pairs drawn with a user's activity and an item's popularity; about `draws` draws, fewer distinct pairs.

    Args:
        users: rows.
        items: columns; item i is drawn with weight 1 / rank**0.95 under a random ranking.
        draws: entries before pairs drawn twice become one.
        seed: of the one generator; the order of its calls is part of what the name of a matrix means.

    Returns:
        float32 SciPy CSR `[users, items]` in canonical form.
    """
    rng = np.random.default_rng(seed)
    activity = rng.lognormal(4.3, 1.1, users)
    degree = np.maximum(1, activity / activity.sum() * draws).astype(int)
    degree = np.minimum(degree, 9000)
    popularity = 1 / np.arange(1, items + 1) ** 0.95
    cdf = np.cumsum(popularity / popularity.sum())
    rows = np.repeat(np.arange(users, dtype=np.int32), degree)
    cols = np.searchsorted(cdf, rng.random(len(rows))).clip(0, items - 1)
    cols = rng.permutation(items).astype(np.int32)[cols]
    matrix = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, cols)), shape=(users, items))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def ml20m_like() -> Any:
    """138,493 x 26,744 with about 14.8 million ones: the shape of MovieLens 20M."""
    return popularity_matrix(138_493, 26_744, 20_000_263, seed=0)


def small_like() -> Any:
    """30,000 x 10,000 with about 1.5 million ones."""
    return popularity_matrix(30_000, 10_000, 2_000_000, seed=1)


def weighted(matrix: Any, seed: int = 2) -> Any:
    """The same pattern with whole numbers from 1 to 5."""
    made = matrix.copy()
    made.data = np.random.default_rng(seed).integers(1, 6, matrix.nnz).astype(np.float32)
    return made


def scaled(non_zeros: int) -> Any:
    """About so many ones over 26,744 items: more non-zeros are more users like those of `ml20m_like`."""
    users = max(1, round(non_zeros / _PER_USER))
    return popularity_matrix(users, 26_744, round(users * 20_000_263 / 138_493), seed=3)


def gowalla(data: Path) -> Any:
    """29,858 x 40,981 with 810,128 ones: the check-ins of the published training part, from `data`/gowalla."""
    log = pq.read_table(data / "gowalla" / "train.parquet", columns=["user", "item"])
    users, items = log["user"].to_numpy(), log["item"].to_numpy()
    shape = (int(users.max()) + 1, int(items.max()) + 1)
    matrix = sp.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix
