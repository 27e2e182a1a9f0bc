"""Offline evaluation: a model or ready lists against held-out interactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.errors import InvalidArgumentError
from recocore.evaluation.definitions import AUC, Gain, Plan, Ties
from recocore.evaluation.inputs import HasMatrix, Recommender, matrix_of, training_matrix, users_to_judge
from recocore.evaluation.measures import Measures
from recocore.recommendations import Recommendations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.csr import Csr
    from recocore.evaluation.evaluation import Evaluation
    from recocore.types import Float32Array, Int32Array, Progress

# Ids and scores of a batch take 8 bytes an entry: 32 MiB.
_ENTRIES_AT_A_TIME = 1 << 22
_USERS_AT_A_TIME = 1 << 14


def evaluate(
    model: Recommender,
    test: Csr | HasMatrix,
    k: int | Sequence[int] = (20,),
    metrics: str | Sequence[str] = ("recall", "ndcg"),
    *,
    train: Csr | HasMatrix | None = None,
    exclude_seen: bool = True,
    users: Any = None,
    item_vectors: Any = None,
    ties: Ties = "list",
    depth: int | None = None,
    gain: Gain = "linear",
    num_threads: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a model's full-catalogue rankings against held-out interactions.

    Equal scores are taken in the order of the lists, which is index ascending; `ties="average"` gives instead the mean
    over all orders of equal scores (McSherry and Najork, ECIR 2008). It sees only what a list holds: when a run of
    equal scores goes on below the last cutoff, ask for longer lists with `depth`; `Evaluation.cut_ties` counts the
    users that need it. Novelty, diversity, coverage and gini always take the lists as they are.

    Users go through the model in batches, so memory stays bounded; auc ranks the whole catalogue for each. Results do
    not depend on batches or threads. A test set with repurchases wants `exclude_seen=False`.

    Args:
        model: has `recommend(user_indices, k, exclude_seen=...) -> Recommendations`.
        test: `[n_users, n_items]`, indexed as in training; entries above zero are relevant.
        k: the cutoffs.
        metrics: names of `recocore.evaluation.METRICS`.
        train: what the model was fitted on, for novelty, and for auc's candidates; `model.scorer.interactions` if None.
        exclude_seen: leave out the items of the user's training row.
        users: int `[m]` the users to judge; those without relevant items are left out. None for all.
        item_vectors: float32 `[n_items, d]` or a sparse matrix `[n_items, d]`, for intra_list_diversity.
        ties: "list" or "average".
        depth: the length of the lists to ask for, at least the largest cutoff; None for just that, or for one more when
            ties are averaged, which tells whether a tie crosses the cutoff.
        gain: "linear" or "exponential", of ndcg_graded.
        num_threads: of the metrics; 0 for one a core.
        progress: told the part of users done.

    Raises:
        InvalidArgumentError: an unknown metric, a cutoff below 1, an empty test, shapes that differ, or something that
            a metric needs is missing; the message names the argument.

    Example:
        >>> from recocore.csr import Csr
        >>> class Best:
        ...     def recommend(self, user_indices, k, *, exclude_seen):
        ...         ids = np.tile(np.arange(k, dtype=np.int32), (len(user_indices), 1))
        ...         return Recommendations(ids, -ids.astype(np.float32))
        >>> test = Csr.from_coo([0, 2, 2], [1, 0, 4], [1.0, 1.0, 1.0], (3, 5))
        >>> result = evaluate(Best(), test, k=2, metrics=["recall", "mrr", "coverage"])
        >>> result.users.tolist(), dict(result.means)
        ([0, 2], {'recall@2': 0.75, 'mrr@2': 0.75, 'coverage@2': 0.4})
    """
    plan = Plan.of(k, metrics, ties, gain)
    relevant = matrix_of(test, "test")
    judged = users_to_judge(relevant, users)
    measures = Measures(
        plan,
        judged,
        relevant,
        train=training_matrix(model, train, relevant.shape),
        exclude_seen=exclude_seen,
        item_vectors=item_vectors,
        num_threads=num_threads,
    )
    length = _list_length(plan, depth, relevant.shape[1])
    step = min(_USERS_AT_A_TIME, max(1, _ENTRIES_AT_A_TIME // length))
    for begin in range(0, len(judged), step):
        batch = np.ascontiguousarray(judged[begin : begin + step], np.int32)
        lists = model.recommend(batch, length, exclude_seen=exclude_seen)
        _require_shape(lists, (len(batch), length))
        measures.add(lists)
        if progress is not None:
            progress(min(1.0, (begin + step) / len(judged)))
    return measures.finish()


def ranking_metrics(
    ids: Int32Array,
    relevant: Csr | HasMatrix,
    k: int | Sequence[int],
    metrics: str | Sequence[str] = ("recall", "ndcg"),
    *,
    scores: Float32Array | None = None,
    train: Csr | HasMatrix | None = None,
    exclude_seen: bool = True,
    item_vectors: Any = None,
    ties: Ties = "list",
    gain: Gain = "linear",
    num_threads: int = 0,
) -> Evaluation:
    """Measure ready lists, of any origin, as `evaluate` does those of a model.

    Args:
        ids: int32 `[n, depth]`, best first; -1 after a list's end. Row u is the list of user u.
        relevant: `[n, n_items]`; entries above zero are relevant.
        k: cutoffs of at most `depth`.
        metrics: names of `recocore.evaluation.METRICS`.
        scores: float32 `[n, depth]` that never rise along a list; for auc and `ties="average"`.
        train: `[n, n_items]` for novelty, and, when `exclude_seen`, the items that are no candidates of auc.
        exclude_seen: whether the lists leave out the items of the user's row of `train`.
        item_vectors: as in `evaluate`.
        ties: as in `evaluate`; lists longer than k see more of the ties.
        gain: as in `evaluate`.
        num_threads: 0 for one a core.

    Raises:
        InvalidArgumentError: as `evaluate`, and for a list with an unknown item, an item twice or a rising score.

    Example:
        >>> from recocore.csr import Csr
        >>> relevant = Csr.from_coo([0, 0], [4, 2], [1.0, 1.0], (1, 5))
        >>> ranking_metrics(np.array([[0, 4, 3]], np.int32), relevant, k=3, metrics=["map", "mrr"])["map@3"]
        0.25
    """
    plan = Plan.of(k, metrics, ties, gain)
    matrix = matrix_of(relevant, "relevant")
    _require_array("ids", ids, np.int32, (matrix.shape[0], None))
    if plan.cutoffs[-1] > ids.shape[1]:
        raise InvalidArgumentError(
            f"k: expected at most the length of the lists, {ids.shape[1]}, got {plan.cutoffs[-1]}", field="k"
        )
    if scores is None and (ties == "average" or AUC in plan.metrics):
        raise InvalidArgumentError("scores: expected float32 scores for auc or averaged ties, got None", field="scores")
    if scores is not None:
        _require_array("scores", scores, np.float32, ids.shape)
    judged = users_to_judge(matrix, None)
    measures = Measures(
        plan,
        judged,
        matrix,
        train=training_matrix(None, train, matrix.shape),
        exclude_seen=exclude_seen,
        item_vectors=item_vectors,
        num_threads=num_threads,
    )
    kept_scores = np.empty((len(judged), 0), np.float32) if scores is None else scores[judged]
    measures.add(Recommendations(ids[judged], kept_scores))
    return measures.finish()


def _list_length(plan: Plan, depth: int | None, n_items: int) -> int:
    largest = plan.cutoffs[-1]
    if depth is not None and depth < largest:
        raise InvalidArgumentError(
            f"depth: expected at least the largest cutoff, {largest}, got {depth}", field="depth"
        )
    length = largest + (plan.ties == "average") if depth is None else depth
    return max(length, n_items) if AUC in plan.metrics else length


def _require_shape(lists: Recommendations, expected: tuple[int, int]) -> None:
    if lists.ids.shape != expected or lists.scores.shape != expected:
        raise InvalidArgumentError(
            f"model: expected recommend() to return ids and scores of shape {expected}, "
            f"got {lists.ids.shape} and {lists.scores.shape}",
            field="model",
        )


def _require_array(argument: str, array: Any, dtype: type[np.generic], shape: tuple[int | None, ...]) -> None:
    """A NumPy array of this dtype and shape; None stands for any length."""
    expected = f"{argument}: expected {np.dtype(dtype)} {str(shape).replace('None', 'any')}, got "
    if not isinstance(array, np.ndarray):
        raise InvalidArgumentError(expected + type(array).__name__, field=argument)
    fits = len(array.shape) == len(shape) and all(want in {None, n} for want, n in zip(shape, array.shape, strict=True))
    if array.dtype != dtype or not fits:
        raise InvalidArgumentError(f"{expected}{array.dtype} {array.shape}", field=argument)
