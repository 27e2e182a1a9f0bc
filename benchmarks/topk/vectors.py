"""The vectors that cases are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from benchmarks.datasets import DATASETS
from benchmarks.harness.scenario import UnavailableError
from recocore.models import ALS

if TYPE_CHECKING:
    from pathlib import Path

    from recocore.types import Float32Array, Int32Array

# Of so many items drawn, each query's best are excluded: at 100,000 items two in five queries then lose one of their ten best.
_SEEN_AMONG = 4_000
_ROWS = 1_000


def gaussian(queries: int, items: int, factors: int, seed: int = 0) -> tuple[Float32Array, Float32Array]:
    """Float32 `[queries, factors]` and `[items, factors]`, every value from the standard normal distribution.

    It is the hard case for whatever hopes to skip items: all are about equally long, and no direction is preferred.
    """
    rng = np.random.default_rng(seed)
    return rng.standard_normal((queries, factors), np.float32), rng.standard_normal((items, factors), np.float32)


def learnt(name: str, factors: int, data: Path) -> tuple[Float32Array, Float32Array]:
    """The factors of users and of items that ALS, by default, gives the training part of a data set.

    Raises:
        UnavailableError: the data set is not under `data`.
    """
    dataset = DATASETS[name]
    if not (data / dataset.file).is_file():
        raise UnavailableError(f"{dataset.file} is not in the data folder; name one with --data or RECOCORE_DATA")
    model = ALS(factors=factors).fit(dataset.read(data).train)
    return model.user_factors, model.item_factors


def seen(queries: Float32Array, items: Float32Array, count: int, seed: int = 1) -> Any:
    """SciPy CSR of ones `[queries, items]`: of each row `count` items that score high, as what was bought does.

    They are the query's best of 4,000 items drawn once for all, so that excluding them changes answers.
    """
    drawn = min(len(items), _SEEN_AMONG)
    among = np.sort(np.random.default_rng(seed).choice(len(items), drawn, replace=False)).astype(np.int32)
    indices = np.empty((len(queries), count), np.int32)
    for start in range(0, len(queries), _ROWS):
        scores = queries[start : start + _ROWS] @ items[among].T
        best = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        indices[start : start + _ROWS] = among[np.sort(best, axis=1)]
    indptr = np.arange(len(queries) + 1, dtype=np.int64) * count
    values = np.ones(indices.size, np.float32)
    return sp.csr_matrix((values, indices.ravel(), indptr), shape=(len(queries), len(items)))


def share(items: int, part: float, seed: int = 2) -> Int32Array:
    """int32, ascending: that part of the items, drawn at random."""
    drawn = np.random.default_rng(seed).choice(items, round(part * items), replace=False)
    return np.sort(drawn).astype(np.int32)
