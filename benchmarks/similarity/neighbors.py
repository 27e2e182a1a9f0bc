"""A result in the form that is checked: for each row its k best neighbours, best first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from pathlib import Path

    from recocore.types import Float32Array, Int32Array

TOLERANCE = 1e-5
# Adding n terms one by one in float32 may be off by n/2 ulps, and tens of thousands of users share two popular items.
FLOAT32_SUMS = 4e-3


@dataclass(frozen=True, slots=True, eq=False)
class Neighbors:
    """The k best of each row by score descending, then index ascending, the row itself left out.

    Attributes:
        ids: int32 `[rows, k]`, -1 where there are fewer.
        scores: float32 `[rows, k]`, 0 where there are fewer.
        tolerance: how far a score may be from the true one.
    """

    ids: Int32Array
    scores: Float32Array
    tolerance: float = TOLERANCE

    @classmethod
    def from_csr(cls, matrix: Any, k: int, tolerance: float = TOLERANCE) -> Neighbors:
        """The k best entries above 0 of each row of a SciPy CSR `[rows, rows]`."""
        coo = sp.coo_matrix(matrix)
        kept = (coo.row != coo.col) & (coo.data > 0)
        rows, cols, scores = coo.row[kept], coo.col[kept], coo.data[kept].astype(np.float32)
        order = np.lexsort((cols, -scores, rows))
        rows, cols, scores = rows[order], cols[order], scores[order]
        starts = np.searchsorted(rows, np.arange(matrix.shape[0]))
        ranks = np.arange(len(rows)) - starts[rows]
        best = ranks < k
        shape = (matrix.shape[0], k)
        made = cls(np.full(shape, -1, np.int32), np.zeros(shape, np.float32), tolerance)
        made.ids[rows[best], ranks[best]] = cols[best]
        made.scores[rows[best], ranks[best]] = scores[best]
        return made

    @classmethod
    def load(cls, path: Path) -> Neighbors:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["ids"], arrays["scores"], float(arrays["tolerance"]))

    def save(self, path: Path) -> None:
        """Write everything."""
        with path.open("wb") as file:
            np.savez(file, ids=self.ids, scores=self.scores, tolerance=self.tolerance)
