"""Every similarity kind by its formula, dense and in float64, one pair of rows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from recocore.types import BoolArray, Float64Array


class Rows:
    """A dense matrix and which of its entries are stored."""

    def __init__(self, matrix: Any) -> None:
        self.values: Float64Array = matrix.toarray().astype(np.float64)
        self.stored: BoolArray = np.zeros(matrix.shape, bool)
        coo = matrix.tocoo()
        self.stored[coo.row, coo.col] = True

    def mean(self, axis: int) -> Float64Array:
        """The mean over stored entries, 0 where there are none."""
        count = self.stored.sum(axis)
        means: Float64Array = np.divide(self.values.sum(axis), count, out=np.zeros(len(count)), where=count > 0)
        return means


def divide(numerator: Any, denominator: Any) -> float:
    return float(numerator / denominator) if denominator > 0 else 0.0


def dense_cosine(x: Float64Array, y: Float64Array) -> float:
    return divide(x @ y, np.linalg.norm(x) * np.linalg.norm(y))


def idf(rows: Rows) -> Float64Array:
    df = rows.stored.sum(0)
    weights: Float64Array = np.maximum(0.0, np.log(len(rows.stored) / (1.0 + df)))
    return weights


def pearson(rows: Rows, i: int, j: int) -> float:
    common = rows.stored[i] & rows.stored[j]
    if common.sum() < 2:
        return 0.0
    x, y = rows.values[i, common], rows.values[j, common]
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def cosine(rows: Rows, i: int, j: int) -> float:
    return dense_cosine(rows.values[i], rows.values[j])


def adjusted_cosine(rows: Rows, i: int, j: int) -> float:
    centred = np.where(rows.stored, rows.values - rows.mean(0), 0.0)
    return dense_cosine(centred[i], centred[j])


def adjusted_cosine_corated(rows: Rows, i: int, j: int) -> float:
    common = rows.stored[i] & rows.stored[j]
    centred = rows.values - rows.mean(0)
    return dense_cosine(centred[i, common], centred[j, common])


def pearson_whole(rows: Rows, i: int, j: int) -> float:
    centred = np.where(rows.stored, rows.values - rows.mean(1)[:, None], 0.0)
    return dense_cosine(centred[i], centred[j])


def jaccard(rows: Rows, i: int, j: int) -> float:
    return divide((rows.stored[i] & rows.stored[j]).sum(), (rows.stored[i] | rows.stored[j]).sum())


def tanimoto(rows: Rows, i: int, j: int) -> float:
    x, y = rows.values[i], rows.values[j]
    return divide(x @ y, x @ x + y @ y - x @ y)


def dice(rows: Rows, i: int, j: int) -> float:
    return divide(2 * (rows.stored[i] & rows.stored[j]).sum(), rows.stored[i].sum() + rows.stored[j].sum())


def tversky(rows: Rows, i: int, j: int, alpha: float = 0.5, beta: float = 0.5) -> float:
    x, y = rows.stored[i], rows.stored[j]
    both = (x & y).sum()
    return divide(both, both + alpha * (x & ~y).sum() + beta * (y & ~x).sum())


def asymmetric_cosine(rows: Rows, i: int, j: int, alpha: float = 0.5) -> float:
    x, y = rows.values[i], rows.values[j]
    return divide(x @ y, np.linalg.norm(x) ** (2 * alpha) * np.linalg.norm(y) ** (2 * (1 - alpha)))


def tfidf(rows: Rows, i: int, j: int) -> float:
    weights = np.sqrt(rows.values) * idf(rows)
    return dense_cosine(weights[i], weights[j])


def bm25(rows: Rows, i: int, j: int, k1: float = 1.2, b: float = 0.75) -> float:
    lengths = rows.values.sum(1)
    norm = k1 * (1 - b + b * lengths / lengths.mean())[:, None] + rows.values
    saturated = np.divide(rows.values * (k1 + 1), norm, out=np.zeros_like(norm), where=rows.values > 0)
    weights = saturated * idf(rows)
    return float(weights[i] @ weights[j])


def lift(rows: Rows, i: int, j: int) -> float:
    share = rows.stored.mean(1)
    return divide((rows.stored[i] & rows.stored[j]).mean(), share[i] * share[j])


def conditional_probability(rows: Rows, i: int, j: int) -> float:
    return float(rows.stored[j, rows.stored[i]].mean()) if rows.stored[i].any() else 0.0


def log_likelihood_ratio(rows: Rows, i: int, j: int) -> float:
    table = np.array([[(rows.stored[i] == p) & (rows.stored[j] == q) for q in (1, 0)] for p in (1, 0)]).sum(-1)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    seen = table > 0
    return max(0.0, float(2 * (table[seen] * np.log(table[seen] / expected[seen])).sum()))


def cooccurrence(rows: Rows, i: int, j: int) -> float:
    return float((rows.stored[i] & rows.stored[j]).sum())


def p3alpha(rows: Rows, i: int, j: int, alpha: float = 1.0) -> float:
    total = 0.0
    for u in np.flatnonzero((rows.values[i] > 0) & (rows.values[j] > 0)):
        to_column = rows.values[i, u] / rows.values[i].sum()
        back = rows.values[j, u] / rows.values[:, u].sum()
        total += to_column**alpha * back**alpha
    return float(total)


def rp3beta(rows: Rows, i: int, j: int, alpha: float = 1.0, beta: float = 0.6) -> float:
    return divide(p3alpha(rows, i, j, alpha), float(rows.stored[j].sum()) ** beta)


FORMULAS: Mapping[str, Callable[..., float]] = {
    formula.__name__: formula
    for formula in (
        cosine,
        adjusted_cosine,
        adjusted_cosine_corated,
        pearson,
        pearson_whole,
        jaccard,
        tanimoto,
        dice,
        tversky,
        asymmetric_cosine,
        tfidf,
        bm25,
        lift,
        conditional_probability,
        log_likelihood_ratio,
        cooccurrence,
        p3alpha,
        rp3beta,
    )
}


def reference(
    matrix: Any,
    kind: str,
    shrinkage: float = 0.0,
    min_support: int = 1,
    include_self: bool = False,
    **parameters: float,
) -> Float64Array:
    """The score of every pair of rows, dense; 0 for a pair that is left out."""
    rows = Rows(matrix)
    n = len(rows.stored)
    scores = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            common = int((rows.stored[i] & rows.stored[j]).sum())
            if common >= min_support and (include_self or i != j):
                scores[i, j] = FORMULAS[kind](rows, i, j, **parameters) * common / (common + shrinkage)
    return scores
