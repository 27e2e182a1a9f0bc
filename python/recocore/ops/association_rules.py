"""What is bought together: rules between two items, from one pass over the baskets."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore import _native
from recocore.csr import Csr
from recocore.errors import InvalidArgumentError
from recocore.memory import require_memory
from recocore.ops.arguments import integer, not_negative, sparse, threads
from recocore.ops.device import checked_device

if TYPE_CHECKING:
    import pyarrow as pa

    from recocore.types import AnyArray, Float64Array, Int32Array, Int64Array, Progress

# The native pass returns counts as float32, which holds every whole number up to this one.
_EXACT_BASKETS = 2**24

_BYTES_EACH_PAIR = 120  # the result's 64 and the temporaries beside it


@dataclass(frozen=True, slots=True, eq=False)
class AssociationRules:
    """Rules "a basket with the antecedent has the consequent", an element of each array for each rule.

    In a rule i -> j, n_i baskets have i, n_j have j, n_ij have both, of N. Sorted by confidence descending, then
    antecedent and consequent ascending.

    Attributes:
        antecedents: int32 `[n]`, i.
        consequents: int32 `[n]`, j.
        counts: int64 `[n]`, n_ij.
        support: float64 `[n]`, n_ij / N.
        confidence: float64 `[n]`, n_ij / n_i: how often j is there when i is.
        lift: float64 `[n]`, n_ij N / (n_i n_j): how many times as often as by chance.
        leverage: float64 `[n]`, n_ij / N - n_i n_j / N^2: the share of baskets above chance.
        conviction: float64 `[n]`, (1 - n_j / N) / (1 - confidence); infinite where the confidence is 1.
        log_likelihood_ratio: float64 `[n]`, G^2 of the 2 x 2 table of i and j (Dunning 1993): how sure it is that the two
            do not meet by chance. Items that avoid each other score high too: their lift is below 1.
    """

    antecedents: Int32Array
    consequents: Int32Array
    counts: Int64Array
    support: Float64Array
    confidence: Float64Array
    lift: Float64Array
    leverage: Float64Array
    conviction: Float64Array
    log_likelihood_ratio: Float64Array

    def __len__(self) -> int:
        return len(self.antecedents)

    def to_arrow(self) -> pa.Table:
        """An Arrow table with a column for each attribute."""
        import pyarrow as pa  # noqa: PLC0415  # the other operations do without it

        return pa.table({field.name: getattr(self, field.name) for field in fields(self)})


def association_rules(
    baskets: Any,
    min_count: int = 1,
    min_confidence: float = 0.0,
    min_lift: float = 0.0,
    min_log_likelihood_ratio: float = 0.0,
    num_threads: int = 0,
    *,
    progress: Progress | None = None,
    device: str = "cpu",
) -> AssociationRules:
    """Find the rules between two items of the same baskets.

    An item is in a basket where its value is above 0: how many of it there are does not matter, and a stored zero or the
    negative quantity of a return is no purchase. Baskets without an item count for N.

    Args:
        baskets: `[n_baskets, n_items]` SciPy sparse matrix of any real dtype, or a `Csr` in canonical form, such as the
            `matrix` of Interactions. Duplicates of a SciPy matrix are summed.
        min_count: rules of which fewer baskets have both items are left out; at least 1.
        min_confidence: in [0, 1]; rules below are left out, as by the next two.
        min_lift: at least 0; 1 leaves out items that avoid each other.
        min_log_likelihood_ratio: at least 0; 10.83 is what chance exceeds once in 1000 pairs.
        num_threads: 0 for one a core; the result does not depend on it.
        progress: told the part done in [0, 1]; an exception that it raises stops the search.
        device: cpu, or cuda, which counts the pairs there.

    Returns:
        The rules, both directions of a pair apart; counts are exact and figures are float64.

    Raises:
        InvalidArgumentError: a parameter outside its range, or baskets that are no sparse matrix of finite numbers.
        OutOfMemoryError: the estimate is above the memory that is free; raise min_count.

    Time is O(sum of squared basket sizes) to count, and O(P log P) for the P pairs that reach min_count, each of which
    takes about 120 bytes.

    Example:
        >>> import scipy.sparse as sp
        >>> rules = association_rules(sp.csr_matrix([[1, 1, 0], [1, 1, 0], [1, 0, 1], [0, 0, 1]]), min_count=2)
        >>> rules.antecedents.tolist(), rules.consequents.tolist()
        ([1, 0], [0, 1])
        >>> rules.confidence.round(2).tolist(), rules.lift.round(2).tolist()
        ([1.0, 0.67], [1.33, 1.33])
    """
    taken = sparse(baskets, "baskets")
    taken.check("baskets")
    held = _held(taken)
    min_count = integer(min_count, "min_count", 1)
    least_confidence = not_negative(min_confidence, "min_confidence")
    if least_confidence > 1:
        raise InvalidArgumentError(
            f"min_confidence: expected a share in [0, 1], got {min_confidence!r}", field="min_confidence"
        )
    least = {
        "confidence": least_confidence,
        "lift": not_negative(min_lift, "min_lift"),
        "log_likelihood_ratio": not_negative(min_log_likelihood_ratio, "min_log_likelihood_ratio"),
    }
    one, other, both = pair_counts(held, min_count, threads(num_threads), progress, device=checked_device(device))
    totals = np.bincount(held.indices, minlength=held.shape[1])
    require_memory(2 * len(both) * _BYTES_EACH_PAIR, "association_rules: the pairs that reach min_count")
    rules = _rules(
        np.concatenate([one, other]), np.concatenate([other, one]), np.concatenate([both, both]), totals, held.shape[0]
    )
    order = np.lexsort((rules.consequents, rules.antecedents, -rules.confidence))
    wanted = np.logical_and.reduce([getattr(rules, name) >= bound for name, bound in least.items()])
    return _take(rules, order[wanted[order]])


def pair_counts(
    held: Csr,
    min_count: int,
    num_threads: int,
    progress: Progress | None,
    baskets_at_once: int = _EXACT_BASKETS,
    device: str = "cpu",
) -> tuple[Int32Array, Int32Array, Int64Array]:
    """The pairs of columns (lower, higher) that at least `min_count` rows have, and how many rows have them.

    Args:
        held: canonical `[n_baskets, n_items]`, every entry of which counts.
        min_count: at least 1.
        num_threads: 0 for one a core.
        progress: told the part done.
        baskets_at_once: at most 2^24, above which float32 counts would not be exact.
        device: cpu or cuda.
    """
    pairs = np.empty(0, np.int64)
    counts = np.empty(0, np.int64)
    parts = range(0, held.shape[0], baskets_at_once)
    for done, begin in enumerate(parts):
        end = min(begin + baskets_at_once, held.shape[0])
        met = Csr.from_native(
            _native.similarity(
                _between(held, begin, end).transpose().native,
                "cooccurrence",
                k=None,
                min_support=min_count if len(parts) == 1 else 1,
                num_threads=num_threads,
                device=device,
                progress=None if progress is None else _part_of(progress, done, len(parts)),
            )
        )
        rows = np.repeat(np.arange(met.shape[0], dtype=np.int64), np.diff(met.indptr))
        once = met.indices > rows
        pairs = np.concatenate([pairs, rows[once] * held.shape[1] + met.indices[once]])
        counts = np.concatenate([counts, met.values[once].astype(np.int64)])
    if len(parts) > 1:
        pairs, inverse = np.unique(pairs, return_inverse=True)
        summed = np.zeros(len(pairs), np.int64)
        np.add.at(summed, inverse, counts)
        enough = summed >= min_count
        pairs, counts = pairs[enough], summed[enough]
    lower, higher = np.divmod(pairs, max(held.shape[1], 1))
    return lower.astype(np.int32), higher.astype(np.int32), counts


def _held(baskets: Csr) -> Csr:
    """The entries above 0."""
    bought = baskets.values > 0
    if bought.all():
        return baskets
    before = np.zeros(baskets.nnz + 1, np.int64)
    np.cumsum(bought, out=before[1:])
    return Csr(before[baskets.indptr], baskets.indices[bought], baskets.values[bought], baskets.shape)


def _between(matrix: Csr, begin: int, end: int) -> Csr:
    """Rows [begin, end), without a copy of their entries."""
    span = slice(int(matrix.indptr[begin]), int(matrix.indptr[end]))
    indptr = matrix.indptr[begin : end + 1] - matrix.indptr[begin]
    return Csr(indptr, matrix.indices[span], matrix.values[span], (end - begin, matrix.shape[1]))


def _part_of(progress: Progress, done: int, parts: int) -> Progress:
    return lambda fraction: progress((done + fraction) / parts)


def _rules(i: Int32Array, j: Int32Array, both: Int64Array, totals: AnyArray, baskets: int) -> AssociationRules:
    """Every figure of the rules i -> j, in the order given.

    Products of two counts stay below 2^62, so numerators are whole numbers and nothing cancels.
    """
    n = np.int64(baskets)
    n_i, n_j = totals[i].astype(np.int64), totals[j].astype(np.int64)
    excess = both * n - n_i * n_j
    with np.errstate(divide="ignore", invalid="ignore"):
        conviction = (n - n_j) * n_i / ((n_i - both) * n)
    conviction[n_i == both] = np.inf
    surprise = sum(
        _surprise(observed, sign * excess, row * column)
        for observed, sign, row, column in (
            (both, 1, n_i, n_j),
            (n_i - both, -1, n_i, n - n_j),
            (n_j - both, -1, n - n_i, n_j),
            (n - n_i - n_j + both, 1, n - n_i, n - n_j),
        )
    )
    return AssociationRules(
        i,
        j,
        both,
        both / n,
        both / n_i,
        both * n / (n_i * n_j),
        excess / np.float64(n) ** 2,
        conviction,
        np.maximum(0.0, 2.0 * surprise),
    )


def _surprise(observed: Int64Array, excess: Int64Array, by_chance: Int64Array) -> Float64Array:
    """One cell's observed * ln(observed / expected), 0 where nothing is observed; `excess` is observed N - by_chance."""
    some = observed > 0
    result = np.zeros(len(observed))
    result[some] = observed[some] * np.log1p(excess[some] / by_chance[some])
    return result


def _take(rules: AssociationRules, order: AnyArray) -> AssociationRules:
    return AssociationRules(*(getattr(rules, field.name)[order] for field in fields(rules)))
