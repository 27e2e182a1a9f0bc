"""What is computed, on every way alike, and how much arithmetic and traffic it is at least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Runs once, from inputs where the way has them, to results where it leaves them.
Run: TypeAlias = "Callable[[], Any]"


@dataclass(frozen=True, slots=True)
class Work:
    """One job.

    Attributes:
        name: of it.
        queries: float32 `[n, f]`, of top-k; empty for others.
        items: float32 `[m, f]`: items, or the fixed factors of ALS.
        matrix: `[n, m]` of ALS and similarity.
        k: kept of each row.
        flops: floating-point operations that it takes at least.
        traffic: bytes that have to pass the memory at least once.
    """

    name: str
    queries: Any
    items: Any
    matrix: Any
    k: int
    flops: float
    traffic: float


@dataclass(frozen=True, slots=True)
class Way:
    """Somebody who can do the work.

    Attributes:
        name: of it.
        run: does it once.
        answer: a result of `run` in NumPy, for the comparison.
    """

    name: str
    run: Run
    answer: Callable[[Any], Any]


def topk_work(n: int, m: int, f: int, k: int, seed: int = 0) -> Work:
    """Exact top-k of n queries among m items."""
    rng = np.random.default_rng(seed)
    queries, items = (rng.normal(size=(rows, f)).astype(np.float32) for rows in (n, m))
    none = sp.csr_matrix(np.zeros((0, 0), np.float32))
    return Work(
        f"topk {n} x {m}, f = {f}, k = {k}", queries, items, none, k, 2.0 * n * m * f, 4.0 * (n + m) * f + 8 * n * k
    )


def sparse_matrix(rows: int, cols: int, entries: int, seed: int = 0) -> sp.csr_matrix[np.float32]:
    """A seeded matrix whose columns are used as unevenly as items are."""
    rng = np.random.default_rng(seed)
    columns = np.minimum((cols * rng.random(entries) ** 2.5).astype(np.int64), cols - 1)
    found = sp.csr_matrix((np.ones(entries, np.float32), (rng.integers(0, rows, entries), columns)), shape=(rows, cols))
    found.sum_duplicates()
    found.data[:] = 1
    return found


def als_work(rows: int, cols: int, entries: int, f: int, seed: int = 0) -> Work:
    """An exact half-epoch: every row's system, from the factors of the columns."""
    matrix = sparse_matrix(rows, cols, entries, seed)
    items = np.random.default_rng(seed + 1).normal(0, 0.1, (cols, f)).astype(np.float32)
    flops = float(matrix.nnz) * f * (f + 3) + rows * (f**3 / 3 + 2.0 * f * f)
    traffic = 4.0 * (matrix.nnz * (f + 2) + rows * f)
    return Work(f"als {rows} x {cols}, {matrix.nnz} entries, f = {f}", items[:0], items, matrix, 0, flops, traffic)


def similarity_work(rows: int, cols: int, entries: int, k: int, seed: int = 0) -> Work:
    """The k most similar rows of each row, by cosine."""
    matrix = sparse_matrix(rows, cols, entries, seed).T.tocsr()
    met = float((np.diff(matrix.tocsc().indptr).astype(np.float64) ** 2).sum())
    none = np.zeros((0, 0), np.float32)
    return Work(f"similarity {cols} x {rows}, {matrix.nnz} entries, k = {k}", none, none, matrix, k, 2 * met, 8.0 * met)


def works(names: Sequence[str], *, large: bool) -> list[Work]:
    """The jobs of the named operations: seconds each on a CPU's core, or as large as is worth a GPU."""
    sizes = {
        "topk": [topk_work(16_384, 100_000, 128, 100)] if large else [topk_work(256, 4000, 64, 20)],
        "als": [als_work(138_000, 27_000, 20_000_000, f) for f in (64, 128, 256)]
        if large
        else [als_work(500, 300, 6000, 32)],
        "similarity": [similarity_work(138_000, 27_000, 20_000_000, 100)]
        if large
        else [similarity_work(600, 300, 5000, 20)],
    }
    return [work for name in names for work in sizes[name]]
