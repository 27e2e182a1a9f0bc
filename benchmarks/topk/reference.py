"""What is right: the inner products of sampled queries with all items in float64, by NumPy and the definition alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness.scenario import WrongResultError

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.topk.problem import Problem
    from benchmarks.topk.ranking import Ranking
    from recocore.types import BoolArray, Float64Array, Int32Array, Int64Array

_MAX_QUERIES = 1_000
# Scores held at a time: 400 MB.
_MAX_SCORES = 50_000_000
_ITEMS = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The k + 1 best of a sample of queries, where there are as many candidates.

    Attributes:
        rows: int64 `[sample]`, the queries.
        ids: int32 `[sample, k + 1]`, by score descending, then id.
        scores: float64 `[sample, k + 1]`.
    """

    rows: Int64Array
    ids: Int32Array
    scores: Float64Array

    @classmethod
    def of(cls, problem: Problem, k: int, seed: int = 0) -> Reference:
        """Of up to 1,000 queries, drawn at random; fewer where there are many items."""
        n, m = len(problem.queries), len(problem.items)
        count = min(n, _MAX_QUERIES, max(1, _MAX_SCORES // m))
        rows = np.sort(np.random.default_rng(seed).choice(n, count, replace=False))
        scores = np.empty((count, m))
        sampled = problem.queries[rows].astype(np.float64)
        for start in range(0, m, _ITEMS):
            scores[:, start : start + _ITEMS] = sampled @ problem.items[start : start + _ITEMS].astype(np.float64).T
        if problem.allowed is not None:
            scores[:, np.setdiff1d(np.arange(m), problem.allowed)] = -np.inf
        if problem.excluded is not None:
            for own, row in zip(scores, rows, strict=True):
                own[problem.excluded.indices[problem.excluded.indptr[row] : problem.excluded.indptr[row + 1]]] = -np.inf
        best = [_best(own, k + 1) for own in scores]
        return cls(rows, np.array(best, np.int32), np.take_along_axis(scores, np.array(best), axis=1))

    @classmethod
    def load(cls, path: Path) -> Reference:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["rows"], arrays["ids"], arrays["scores"])

    def save(self, path: Path) -> None:
        """Write every array."""
        with path.open("wb") as file:
            np.savez(file, rows=self.rows, ids=self.ids, scores=self.scores)

    def check(self, found: Ranking, problem: Problem) -> None:
        """Check what may come back in all rows, and scores and items of the sampled ones.

        Raises:
            WrongResultError: an item may not come back or comes twice, a score is off by more than float32 rounding allows,
                or another item is better by more than that.
        """
        k = self.ids.shape[1] - 1
        _check_candidates(found, problem, k)
        tolerance = rounding(problem)[self.rows, None]
        ids, scores = found.ids[self.rows], found.scores[self.rows]
        same_scores(self.scores[:, :k], scores, self.rows, tolerance)
        same_scores(_exact(problem, self.rows, ids), scores, self.rows, tolerance)
        same_ids(self.ids[:, :k], ids, self.rows, _settled(self.scores, 2 * tolerance)[:, :k])

    def largest_error(self, found: Ranking, problem: Problem) -> float:
        """The largest difference between an item's score and its true one, over the sampled queries."""
        return float(np.abs(_exact(problem, self.rows, found.ids[self.rows]) - found.scores[self.rows]).max())


def rounding(problem: Problem) -> Float64Array:
    """How far a float32 inner product may be from the true one for each query, whatever the order of its sum.

    That is f u |q| |x| / (1 - f u) with u the half of float32's epsilon (Higham, "Accuracy and Stability of Numerical
    Algorithms", section 3.1) for the longest item; the whole epsilon leaves room for a library that returns 1 - q.x.
    """
    lengths = [np.sqrt(np.einsum("ij,ij->i", one, one, dtype=np.float64)) for one in (problem.queries, problem.items)]
    allowed: Float64Array = problem.items.shape[1] * np.finfo(np.float32).eps * lengths[0] * lengths[1].max()
    return allowed


def agree(found: Ranking, accepted: Ranking, problem: Problem) -> None:
    """Compare all rows of two rankings that are each as right as float32 allows.

    Raises:
        WrongResultError: scores differ by more than that, or items do where the scores around them leave no doubt.
    """
    rows, tolerance = np.arange(len(problem.queries)), rounding(problem)[:, None]
    same_scores(accepted.scores, found.scores, rows, 2 * tolerance)
    # The last rank has no neighbour to be told from.
    settled = _settled(accepted.scores.astype(np.float64), 4 * tolerance)
    settled[:, -1] = False
    same_ids(accepted.ids, found.ids, rows, settled)


def same_scores(expected: Any, found: Any, rows: Any, tolerance: Any) -> None:
    """Compare `[n, k]` scores, each row with its tolerance `[n, 1]`.

    Raises:
        WrongResultError: names the row and rank that is furthest beyond it.
    """
    beyond = np.abs(expected - found) - tolerance
    beyond[np.isnan(beyond)] = np.inf
    row, rank = np.unravel_index(int(beyond.argmax()), beyond.shape)
    if beyond[row, rank] > 0:
        raise WrongResultError(
            f"query {rows[row]}: the score at rank {rank + 1} should be {expected[row, rank]:.6f}, is {found[row, rank]:.6f}"
        )


def same_ids(expected: Any, found: Any, rows: Any, where: BoolArray) -> None:
    """Compare `[n, k]` items where there is no doubt about them.

    Raises:
        WrongResultError: names the first row and rank.
    """
    wrong = np.argwhere(where & (expected != found))
    if len(wrong):
        row, rank = wrong[0]
        raise WrongResultError(
            f"query {rows[row]}: the item at rank {rank + 1} should be {expected[row, rank]}, is {found[row, rank]}"
        )


def _best(scores: Float64Array, count: int) -> Any:
    """The ids of the largest, in order."""
    kept = np.argpartition(-scores, count - 1)[:count] if count < len(scores) else np.arange(len(scores))
    return kept[np.lexsort((kept, -scores[kept]))]


def _exact(problem: Problem, rows: Int64Array, ids: Int32Array) -> Float64Array:
    """The true scores of items `[sample, k]`."""
    queries = problem.queries[rows].astype(np.float64)
    return np.array([problem.items[own].astype(np.float64) @ query for own, query in zip(ids, queries, strict=True)])


def _settled(scores: Float64Array, doubt: Float64Array) -> BoolArray:
    """Whether each score of `[n, k]` is further from both of its neighbours than `doubt` `[n, 1]`."""
    apart = -np.diff(scores, axis=1) > doubt
    edge = np.ones((len(scores), 1), bool)
    settled: BoolArray = np.hstack([edge, apart]) & np.hstack([apart, edge])
    return settled


def _check_candidates(found: Ranking, problem: Problem, k: int) -> None:
    """Shapes, order, and that every item may come back, once."""
    ids, scores = found.ids, found.scores
    expected, m = (len(problem.queries), k), len(problem.items)
    if ids.shape != expected or scores.shape != expected:
        raise WrongResultError(f"expected ids and scores {expected}, got {ids.shape} and {scores.shape}")
    _none(~np.isfinite(scores), "has a score that is not finite")
    _none(np.diff(scores, axis=1) > 0, "is not in the order of the scores")
    _none((ids < 0) | (ids >= m), "names an item that is not there")
    _none(np.diff(np.sort(ids, axis=1), axis=1) == 0, "has the same item twice")
    if problem.allowed is not None:
        _none(~np.isin(ids, problem.allowed), "has an item that is not allowed")
    if problem.excluded is not None:
        _none(np.isin(np.arange(len(ids))[:, None] * m + ids, problem.pairs), "has an excluded item")


def _none(wrong: BoolArray, what: str) -> None:
    rows = np.flatnonzero(wrong.any(axis=1))
    if len(rows):
        raise WrongResultError(f"query {rows[0]} {what} (so do {len(rows):,} in all)")
