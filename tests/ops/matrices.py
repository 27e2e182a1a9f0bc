"""Small sparse matrices with everything that trips a sparse kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from recocore.types import AnyArray


def ratings(seed: int, rows: int = 23, cols: int = 17, density: float = 0.3, dtype: Any = np.float32) -> Any:
    """Whole numbers 1..5 (ties), with an empty, a single-entry, a constant and a repeated row and an empty column."""
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random((rows, cols)) < density, rng.integers(1, 6, (rows, cols)), 0)
    dense[3] = 0
    dense[5] = 0
    dense[5, 2] = 4
    dense[7] = np.where(dense[7] > 0, 3, 0)
    dense[11] = dense[10]
    dense[:, 9] = 0
    return sp.csr_matrix(dense.astype(dtype))


def reals(seed: int, rows: int = 19, cols: int = 13, density: float = 0.4) -> Any:
    """Real numbers of both signs, among them stored zeros and two equal rows."""
    rng = np.random.default_rng(seed)
    stored = rng.random((rows, cols)) < density
    values = rng.normal(size=(rows, cols)).astype(np.float32)
    values[rng.random((rows, cols)) < 0.15] = 0
    stored[4], values[4] = stored[2], values[2]
    r, c = np.nonzero(stored)
    indptr = np.concatenate([[0], np.cumsum(stored.sum(1))])
    return sp.csr_matrix((values[r, c], c.astype(np.int32), indptr), shape=(rows, cols))


def scattered(seed: int, rows: int, cols: int, density: float) -> Any:
    """Positive numbers in random places."""
    return sp.random(rows, cols, density, "csr", rng=np.random.default_rng(seed), dtype=np.float32)


def best(row: AnyArray, columns: AnyArray, k: int) -> list[int]:
    """The columns of the k best, by score descending and then column ascending, in rising order."""
    order = np.lexsort((columns, -row))[:k]
    return sorted(columns[order].tolist())
