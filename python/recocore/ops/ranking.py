"""How good ranked lists are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recocore import _native

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.csr import Csr
    from recocore.types import Float32Array, Float64Array, Int32Array

# Metrics that compare a list with the relevant items at a cutoff; `recocore.evaluation.definitions` has their formulas.
RANKING_METRICS = (
    "recall",
    "capped_recall",
    "precision",
    "hit_rate",
    "map",
    "map_capped",
    "mrr",
    "ndcg",
    "ndcg_graded",
)


def list_metrics(
    users: Int32Array,
    ids: Int32Array,
    relevant: Csr,
    metrics: Sequence[str],
    cutoffs: Sequence[int],
    *,
    scores: Float32Array | None = None,
    gain: str = "linear",
    average_ties: bool = False,
    num_threads: int = 0,
) -> Float64Array:
    """Every metric at every cutoff for every list, float64 `[metrics, cutoffs, n]`.

    Args:
        users: int32 `[n]`, the row of `relevant` that each list is judged by.
        ids: int32 `[n, depth]`, best first; -1 after a list's end.
        relevant: `[n_users, n_items]`; the stored entries above zero are relevant.
        metrics: names of `RANKING_METRICS`.
        cutoffs: each at least 1.
        scores: float32 `[n, depth]` that never rise along a list; for averaged ties.
        gain: linear or exponential, of ndcg_graded.
        average_ties: the mean over all orders of equal scores in place of the list's order.
        num_threads: 0 is one for each core. The result does not depend on it.

    Raises:
        InvalidArgumentError: shapes that do not fit, or a list with an unknown item or an item twice, naming its user.

    Example:
        >>> import numpy as np
        >>> from recocore.csr import Csr
        >>> relevant = Csr.from_coo([0, 0], [4, 2], [1.0, 1.0], (1, 5))
        >>> list_metrics(np.zeros(1, np.int32), np.array([[4, 1]], np.int32), relevant, ["recall"], [1, 2]).tolist()
        [[[0.5], [0.5]]]
    """
    return _native.ranking_metrics(
        users, ids, relevant.native, list(metrics), list(cutoffs), scores, gain, average_ties, num_threads
    )
