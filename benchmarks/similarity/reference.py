"""What is right: cosine of chosen rows against all rows in float64, by SciPy and the definition alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness.scenario import WrongResultError

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.similarity.neighbors import Neighbors
    from recocore.types import Float64Array, Int32Array, Int64Array

_MAX_ROWS = 1000
_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """True scores of a sample of rows.

    Attributes:
        rows: int64 `[sample]`.
        scores: float64 `[sample, rows]`, each row's own column 0.
    """

    rows: Int64Array
    scores: Float64Array

    @classmethod
    def of(cls, items: Any, seed: int = 0) -> Reference:
        """Of up to 1,000 rows of a SciPy CSR `[items, users]`, drawn at random, the longest among them."""
        count = min(items.shape[0], _MAX_ROWS, max(1, _MAX_BYTES // (8 * items.shape[0])))
        drawn = np.random.default_rng(seed).choice(items.shape[0], count, replace=False)
        drawn[0] = np.argmax(np.diff(items.indptr))
        rows = np.unique(drawn)
        exact = items.astype(np.float64)
        norms = np.sqrt(np.asarray(exact.multiply(exact).sum(axis=1)).ravel())
        norms[norms == 0] = 1
        scores = (exact[rows] @ exact.T).toarray() / norms[rows][:, None] / norms
        scores[np.arange(len(rows)), rows] = 0
        return cls(rows, scores)

    @classmethod
    def load(cls, path: Path) -> Reference:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["rows"], arrays["scores"])

    def save(self, path: Path) -> None:
        """Write both arrays."""
        with path.open("wb") as file:
            np.savez(file, rows=self.rows, scores=self.scores)

    def check(self, found: Neighbors) -> None:
        """Compare the sampled rows: the best scores, and that each named neighbour has the score it is given.

        Raises:
            WrongResultError: a score is off by more than the tolerance, or a neighbour comes twice.
        """
        k = found.ids.shape[1]
        best = -np.sort(-self.scores, axis=1)[:, :k]
        best = np.pad(best, ((0, 0), (0, k - best.shape[1])))
        ids, scores = found.ids[self.rows], found.scores[self.rows]
        same_scores(best, scores, self.rows, found.tolerance)
        same_scores(self._of(ids), scores, self.rows, found.tolerance)
        ranked = np.sort(ids, axis=1)
        if ((ranked[:, 1:] == ranked[:, :-1]) & (ranked[:, 1:] >= 0)).any():
            raise WrongResultError("a row has the same neighbour twice")

    def largest_error(self, found: Neighbors) -> float:
        """The largest difference between a neighbour's score and its true one, over the sampled rows."""
        return float(np.abs(self._of(found.ids[self.rows]) - found.scores[self.rows]).max())

    def _of(self, ids: Int32Array) -> Float64Array:
        return np.where(ids >= 0, np.take_along_axis(self.scores, np.maximum(ids, 0), axis=1), 0)


def same_scores(expected: Any, found: Any, rows: Any, tolerance: float) -> None:
    """Compare `[n, k]` scores.

    Raises:
        WrongResultError: names the row and rank of the largest difference, or the shapes.
    """
    if expected.shape != found.shape:
        raise WrongResultError(f"expected {expected.shape} scores, got {found.shape}")
    off = np.abs(expected - found)
    off[np.isnan(off)] = np.inf
    row, rank = np.unravel_index(int(off.argmax()), off.shape)
    if off[row, rank] > tolerance:
        raise WrongResultError(
            f"row {rows[row]}: the score at rank {rank + 1} should be {expected[row, rank]:.6f}, is {found[row, rank]:.6f}"
        )
