"""Neighbours after some rows changed, without comparing those that did not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from recocore.csr import Csr
from recocore.models.matrix_changes import changed_rows, entry_rows, marked, move, rows_with, sharing_a_column

if TYPE_CHECKING:
    from recocore.types import AnyArray, BoolArray, Float32Array, Int32Array, Int64Array, Progress

# What a score s(i, j) depends on beside rows i and j. A kind that is not named here depends on nothing else.
_BY_COLUMN = {"adjusted_cosine", "adjusted_cosine_corated", "tfidf", "p3alpha", "rp3beta"}  # on the columns of row i
_BY_ROW_COUNT = {"tfidf"}
_BY_COLUMN_COUNT = {"lift", "log_likelihood_ratio"}
_BY_EVERYTHING = {"bm25"}

# s(i, j) has the bytes of s(j, i) for every other kind, where tversky and asymmetric_cosine have their default weights.
_ASYMMETRIC = {"conditional_probability", "p3alpha", "rp3beta"}

# Pairs that are looked at at once: some 200 MB.
_PAIRS_AT_ONCE = 2**22


class Compare(Protocol):
    """Similarity over the new matrix, with every option but k fixed."""

    def __call__(self, rows: Int32Array | None, k: int | None, progress: Progress | None) -> Csr:
        """The k rows most like each of `rows`, or of every row."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Updated:
    """The neighbours of every row, and how many rows were compared with all others to get them."""

    neighbors: Csr
    recomputed: int


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What was learned before, and where its rows and columns are now.

    Attributes:
        matrix: canonical CSR of the rows that were compared.
        neighbors: `[rows, rows]` the k rows most like each.
        rows: int32, the new number of each row, -1 for one that is gone.
        columns: int32, likewise.
    """

    matrix: Csr
    neighbors: Csr
    rows: Int32Array
    columns: Int32Array


def updated_neighbors(
    fitted: Fitted,
    after: Csr,
    kind: str,
    k: int,
    compare: Compare,
    progress: Progress | None = None,
    refit_above: float = 0.05,
) -> Updated:
    """The same bytes as `compare(None, k)`, from the neighbours fitted before where these still hold.

    Rows that changed are compared with all rows. Their new scores are merged into the lists of the others; a list that
    was full and lost a member is compared again unless k scores at least as good as its last one are known. For kinds
    that are not symmetric every row that meets a changed one is compared again.

    Args:
        fitted: the state before.
        after: the matrix now, canonical.
        kind: the kind of similarity, with its default parameters.
        k: neighbours kept of each row.
        compare: the similarity over `after`.
        progress: told the part done.
        refit_above: the share of the work of a whole fit above which all rows are compared: one pass over all pairs is
            cheaper than its parts and the merging.

    O(entries) and the time of the rows compared.
    """
    if not (_rising(fitted.rows) and _rising(fitted.columns)) or _global_change(kind, fitted.matrix, after):
        return Updated(compare(None, k, progress), after.shape[0])
    changed = changed_rows(fitted.matrix, fitted.rows, fitted.columns, after, by_column=kind in _BY_COLUMN)
    work = _work(after)
    most = refit_above * work.sum()
    if work[changed].sum() > most:
        return Updated(compare(None, k, progress), after.shape[0])
    lists = _Lists.of(fitted, after.shape[0], k)
    again = changed | lists.lost
    if kind in _ASYMMETRIC:
        again |= sharing_a_column(after, changed) | lists.holding(changed)
        kept = lists.neighbors
    else:
        found = _scores_with(after, changed, lists, compare, _part(progress, 0.0, 0.5))
        rows, merged = lists.merged(changed, found, k)
        again[rows] |= lists.full[rows] & (np.diff(merged.indptr) < k)
        kept = _with_rows(lists.neighbors, rows, merged)
    if work[again].sum() > most:
        return Updated(compare(None, k, _part(progress, 0.5, 1.0)), after.shape[0])
    rows = np.flatnonzero(again).astype(np.int32)
    fresh = compare(rows, k, _part(progress, 0.5, 1.0))
    return Updated(_with_rows(kept, rows, fresh), len(rows))


@dataclass(frozen=True, slots=True, eq=False)
class _Lists:
    """The neighbours fitted before under the new numbers.

    Attributes:
        neighbors: `[rows, rows]`, without those that are gone.
        full: bool `[rows]`, whether a list was k long, so that there may be candidates that it does not name.
        lost: bool `[rows]`, whether a full list named a row that is gone.
        last_score: float32 `[rows]`, the score of the last of a full list.
        last_id: int64 `[rows]`, its row.
    """

    neighbors: Csr
    full: BoolArray
    lost: BoolArray
    last_score: Float32Array
    last_id: Int64Array

    @classmethod
    def of(cls, fitted: Fitted, n_rows: int, k: int) -> _Lists:
        moved, lost = move(fitted.neighbors, fitted.rows, fitted.rows, (n_rows, n_rows))
        here = fitted.rows >= 0
        full = np.zeros(n_rows, np.bool_)
        full[fitted.rows[here]] = np.diff(fitted.neighbors.indptr)[here] == k
        counts = np.diff(moved.indptr)
        starts = moved.indptr[:-1][counts > 0]
        score = np.full(n_rows, -np.inf, np.float32)
        last = np.full(n_rows, -1, np.int64)
        if len(starts):
            score[counts > 0] = np.minimum.reduceat(moved.values, starts)
            worst = np.where(moved.values == np.repeat(score, counts), moved.indices, -1)
            last[counts > 0] = np.maximum.reduceat(worst, starts)
        return cls(moved, full, lost & full, score, last)

    def holding(self, rows: BoolArray) -> BoolArray:
        """Which lists name one of `rows`."""
        return rows_with(self.neighbors, rows[self.neighbors.indices])

    def may_take(self, row: AnyArray, id: AnyArray, score: AnyArray) -> BoolArray:
        """Which candidates rank no lower than the last of their row's full list."""
        last = self.last_score[row]
        better: BoolArray = (score > last) | ((score == last) & (id <= self.last_id[row]))
        return better | ~self.full[row]

    def merged(
        self, changed: BoolArray, found: tuple[Int32Array, Int32Array, Float32Array], k: int
    ) -> tuple[Int32Array, Csr]:
        """The lists that name a changed row or take one in, anew: their row numbers, rising, and the k best of each.

        They are chosen from what was found and from the old lists without their changed rows. What an old full list does
        not name ranks below its last, and nothing here does: k of these are the k best.
        """
        found_rows, found_ids, found_scores = found
        touched = (self.holding(changed) | marked(len(changed), found_rows)) & ~changed
        numbers = np.flatnonzero(touched).astype(np.int32)
        old = self.neighbors.rows(numbers)
        kept = ~changed[old.indices]
        rows = np.concatenate([entry_rows(old)[kept], (np.cumsum(touched, dtype=np.int32) - 1)[found_rows]])
        ids = np.concatenate([old.indices[kept], found_ids])
        scores = np.concatenate([old.values[kept], found_scores])
        order = np.lexsort((ids, -scores, rows))
        counts = np.bincount(rows, minlength=len(numbers))
        rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        best = order[rank < k]
        return numbers, Csr.from_coo(rows[best], ids[best], scores[best], old.shape)


def _scores_with(
    after: Csr, changed: BoolArray, lists: _Lists, compare: Compare, progress: Progress | None
) -> tuple[Int32Array, Int32Array, Float32Array]:
    """(row, changed row, score) wherever the list of a row that did not change may take the changed one in."""
    chosen = np.flatnonzero(changed).astype(np.int32)
    step = max(1, _PAIRS_AT_ONCE // max(1, after.shape[0]))
    parts: list[tuple[Int32Array, Int32Array, Float32Array]] = []
    for begin in range(0, len(chosen), step):
        some = chosen[begin : begin + step]
        done = (begin / len(chosen), min(1.0, (begin + step) / len(chosen)))
        met = compare(some, None, _part(progress, *done))
        ids = some[entry_rows(met)]
        wanted = ~changed[met.indices] & lists.may_take(met.indices, ids, met.values)
        parts.append((met.indices[wanted], ids[wanted], met.values[wanted]))
    if not parts:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32)
    rows, ids, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    return rows, ids, scores


def _global_change(kind: str, before: Csr, after: Csr) -> bool:
    """Whether even pairs of rows that stayed as they were may have another score."""
    return (
        kind in _BY_EVERYTHING
        or (kind in _BY_ROW_COUNT and before.shape[0] != after.shape[0])
        or (kind in _BY_COLUMN_COUNT and before.shape[1] != after.shape[1])
    )


def _work(matrix: Csr) -> Int64Array:
    """The pairs of entries that meet when each row is compared with all."""
    holders = np.bincount(matrix.indices, minlength=matrix.shape[1])
    before = np.zeros(matrix.nnz + 1, np.int64)
    np.cumsum(holders[matrix.indices], out=before[1:])
    return np.diff(before[matrix.indptr])


def _with_rows(matrix: Csr, rows: Int32Array, replacements: Csr) -> Csr:
    """The matrix with row q of `replacements` in place of its row rows[q]; `rows` rise."""
    place = np.arange(matrix.shape[0])
    place[rows] = matrix.shape[0] + np.arange(len(rows))
    stacked = Csr(
        np.concatenate([matrix.indptr, matrix.nnz + replacements.indptr[1:]]),
        np.concatenate([matrix.indices, replacements.indices]),
        np.concatenate([matrix.values, replacements.values]),
        (matrix.shape[0] + len(rows), matrix.shape[1]),
    )
    return stacked.rows(place)


def _rising(numbers: Int32Array) -> bool:
    """Whether what is not gone keeps its order, on which sums and ties depend."""
    return bool((np.diff(numbers[numbers >= 0]) > 0).all())


def _part(progress: Progress | None, begin: float, end: float) -> Progress | None:
    """A progress that covers [begin, end] of the whole."""
    return None if progress is None else lambda fraction: progress(begin + fraction * (end - begin))
