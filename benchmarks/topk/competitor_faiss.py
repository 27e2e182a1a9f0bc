"""faiss: `IndexFlatIP`, filled before the run. Exclusions by asking for as many more and dropping them, which is exact.

Its own filters, `IDSelector`, hold for all queries of a call and leave BLAS for a plain loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import faiss
import numpy as np

from benchmarks.topk.searching import Gathering

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Competitor(Gathering):
    """Copies float32 arrays into the index; an index of the allowed items is filled in each run."""

    packages: ClassVar[tuple[str, ...]] = ("faiss-cpu",)

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        super().__init__(inputs, parameters, threads)
        faiss.omp_set_num_threads(threads)
        self._index = None if self.problem.allowed is not None else self._filled()
        excluded = self.problem.excluded
        self._excluded = None if excluded is None else self.problem.pairs
        self._more = 0 if excluded is None else int(np.diff(excluded.indptr).max())

    def search(self, queries: Any) -> Any:
        """Scores and ids."""
        index = self._filled() if self._index is None else self._index
        scores, ids = index.search(queries, self.k + self._more)
        if self._excluded is None:
            return scores, ids
        pairs = np.arange(len(ids))[:, None] * len(self.problem.items) + ids
        dropped = np.isin(pairs, self._excluded)
        kept = np.argsort(dropped, axis=1, kind="stable")[:, : self.k]
        return np.take_along_axis(scores, kept, axis=1), np.take_along_axis(ids, kept, axis=1)

    def read(self, answer: Any) -> tuple[Any, Any]:
        """The other way round."""
        scores, ids = answer
        return self.original(ids), scores

    def _filled(self) -> Any:
        index = faiss.IndexFlatIP(self.problem.items.shape[1])
        index.add(self.problem.candidates)
        return index
