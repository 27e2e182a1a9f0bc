"""sparse-dot-topn: rows of length one, then `sp_matmul_topn` with the transpose; an item counts as its own neighbour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sparse_dot_topn import sp_matmul_topn

from benchmarks.harness.competitor import Competitor as Base
from benchmarks.similarity.inputs import items_by_users
from benchmarks.similarity.neighbors import FLOAT32_SUMS, Neighbors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Competitor(Base):
    """Takes SciPy CSR whose rows are items."""

    packages: ClassVar[tuple[str, ...]] = ("sparse-dot-topn",)

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        self._items = items_by_users(inputs)
        self._k = parameters["k"]
        self._threads = threads

    def run(self) -> Any:
        """Normalise the rows and multiply."""
        lengths = np.diff(self._items.indptr)
        squares = np.add.reduceat(np.append(self._items.data**2, np.float32(0)), self._items.indptr[:-1])
        norms = np.sqrt(np.where(lengths > 0, squares, 1)).astype(np.float32)
        values = self._items.data / np.repeat(norms, lengths)
        rows = sp.csr_matrix((values, self._items.indices, self._items.indptr), shape=self._items.shape)
        return sp_matmul_topn(rows, rows.T.tocsr(), self._k + 1, n_threads=self._threads)

    def save(self, result: Any, path: Path) -> None:
        """Write the neighbours."""
        Neighbors.from_csr(result, self._k, FLOAT32_SUMS).save(path)
