"""SciPy: what is written without a library: the whole product on one core, then the k best of each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from benchmarks.harness.competitor import Competitor as Base
from benchmarks.similarity.inputs import items_by_users
from benchmarks.similarity.neighbors import FLOAT32_SUMS, Neighbors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Competitor(Base):
    """Takes SciPy CSR whose rows are items; its memory grows with every pair that shares a user."""

    packages: ClassVar[tuple[str, ...]] = ("scipy",)

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        self._items = items_by_users(inputs)
        self._k = parameters["k"]

    def run(self) -> Any:
        """Normalise, multiply, and select row by row."""
        norms = np.sqrt(np.asarray(self._items.multiply(self._items).sum(axis=1)).ravel())
        rows = sp.diags(1 / np.maximum(norms, np.finfo(np.float32).tiny)).astype(np.float32) @ self._items
        product = (rows @ rows.T).tocsr()
        product.setdiag(0)
        kept = [self._best(product, row) for row in range(product.shape[0])]
        indptr = np.concatenate([[0], np.cumsum([len(positions) for positions in kept])])
        chosen = np.concatenate(kept)
        return sp.csr_matrix((product.data[chosen], product.indices[chosen], indptr), shape=product.shape)

    def save(self, result: Any, path: Path) -> None:
        """Write the neighbours."""
        Neighbors.from_csr(result, self._k, FLOAT32_SUMS).save(path)

    def _best(self, product: Any, row: int) -> Any:
        start, end = product.indptr[row], product.indptr[row + 1]
        if end - start <= self._k:
            return np.arange(start, end)
        return start + np.argpartition(product.data[start:end], -self._k)[-self._k :]
