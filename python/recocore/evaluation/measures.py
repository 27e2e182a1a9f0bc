"""Measures lists batch by batch and keeps only what the result needs: per-user values and exposures of items."""

from __future__ import annotations

from math import sqrt
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore import _native
from recocore.errors import InvalidArgumentError
from recocore.evaluation.definitions import AUC, COVERAGE, DIVERSITY, GINI, NOVELTY, Plan
from recocore.evaluation.evaluation import Evaluation
from recocore.evaluation.inputs import item_vectors_of
from recocore.ops.ranking import list_metrics

if TYPE_CHECKING:
    from recocore.csr import Csr
    from recocore.recommendations import Recommendations
    from recocore.types import Float64Array, Int32Array, Int64Array


def gini(exposures: Int64Array) -> float:
    """How unequal exposures are: 0 when all are the same, near 1 when one item has them all.

    sum of (2i - n - 1) x_i / (n · sum of x_i) over x rising, i from 1; 0 where nothing was exposed. O(n log n).

    Example:
        >>> gini(np.array([0, 0, 0, 8]))
        0.75
    """
    total = int(exposures.sum())
    if total == 0:
        return 0.0
    n = len(exposures)
    rank = np.arange(1, n + 1)
    return float(np.dot(2.0 * rank - n - 1, np.sort(exposures).astype(np.float64)) / (n * total))


def surprise(train: Csr) -> Float64Array:
    """-log2 of the share of users who have each item, float64 `[n_items]`; an item that none has counts as one user's.

    Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 2010, self-information.
    """
    holders = np.bincount(train.indices, minlength=train.shape[1])
    share: Float64Array = np.maximum(holders, 1) / train.shape[0]
    return -np.log2(share)


class Measures:
    """Takes the lists of all users, in order and in batches, and gives an `Evaluation`."""

    def __init__(
        self,
        plan: Plan,
        users: Int64Array,
        relevant: Csr,
        *,
        train: Csr | None,
        exclude_seen: bool,
        item_vectors: Any,
        num_threads: int,
    ) -> None:
        self._plan = plan
        self._users = users
        self._relevant = relevant
        self._exclude_seen = exclude_seen
        self._num_threads = num_threads
        self._excluded = None
        if AUC in plan.metrics and exclude_seen:
            if train is None:
                raise InvalidArgumentError(
                    "train: auc leaves seen items out: expected the training matrix, got None; "
                    "pass train=... or exclude_seen=False",
                    field="train",
                )
            self._excluded = train.native
        self._surprise: Float64Array | None = None
        if NOVELTY in plan.metrics:
            if train is None:
                raise InvalidArgumentError(
                    "train: novelty counts training popularity: expected the training matrix, got None; pass train=...",
                    field="train",
                )
            self._surprise = surprise(train)
        self._vectors: Any = None
        if DIVERSITY in plan.metrics:
            if item_vectors is None:
                raise InvalidArgumentError(
                    "item_vectors: intra_list_diversity compares items: expected a matrix with a row for each, "
                    "got None; pass features or factors",
                    field="item_vectors",
                )
            self._vectors = item_vectors_of(item_vectors, relevant.shape[1])
        self._values = {name: np.empty(len(users)) for name in plan.names if name.split("@")[0] not in {COVERAGE, GINI}}
        counts_exposures = COVERAGE in plan.metrics or GINI in plan.metrics
        self._exposures = {k: np.zeros(relevant.shape[1], np.int64) for k in plan.cutoffs} if counts_exposures else {}
        self._cut_ties = 0
        self._done = 0

    def add(self, lists: Recommendations) -> None:
        """Measure the lists of the next users.

        Raises:
            InvalidArgumentError: a list breaks the contract of `Recommendations`; the message names the user.
        """
        plan = self._plan
        batch = slice(self._done, self._done + len(lists))
        users = np.ascontiguousarray(self._users[batch], np.int32)
        averages = plan.ties == "average"
        # Called even without such a metric: this is what checks the lists.
        values = list_metrics(
            users,
            lists.ids,
            self._relevant,
            plan.accuracy,
            plan.cutoffs,
            scores=lists.scores if averages else None,
            gain=plan.gain,
            average_ties=averages,
            num_threads=self._num_threads,
        )
        for metric, of_metric in zip(plan.accuracy, values, strict=True):
            self._keep(metric, batch, of_metric)
        if averages:
            self._cut_ties += self._count_cut_ties(lists)
        if AUC in plan.metrics:
            self._values[AUC][batch] = _native.ranking_auc(
                users, lists.ids, lists.scores, self._relevant.native, self._excluded, self._num_threads
            )
        if self._vectors is not None:
            diversity = _native.list_diversity(lists.ids, self._vectors, list(plan.cutoffs), self._num_threads)
            self._keep(DIVERSITY, batch, diversity)
        self._add_items(lists.ids[:, : plan.cutoffs[-1]], batch)
        self._done = batch.stop

    def finish(self) -> Evaluation:
        """The result over all users."""
        means: dict[str, float] = {}
        errors: dict[str, float] = {}
        for name in self._plan.names:
            metric, _, cutoff = name.partition("@")
            if metric == COVERAGE:
                means[name] = float(np.count_nonzero(self._exposures[int(cutoff)])) / self._relevant.shape[1]
            elif metric == GINI:
                means[name] = gini(self._exposures[int(cutoff)])
            else:
                values = self._values[name]
                values.flags.writeable = False
                means[name] = float(values.mean())
                if len(values) > 1:
                    errors[name] = float(values.std(ddof=1)) / sqrt(len(values))
        return Evaluation(
            users=self._users,
            per_user=MappingProxyType(self._values),
            means=MappingProxyType(means),
            standard_errors=MappingProxyType(errors),
            exclude_seen=self._exclude_seen,
            ties=self._plan.ties,
            gain=self._plan.gain,
            cut_ties=self._cut_ties,
        )

    def _keep(self, metric: str, batch: slice, values: Float64Array) -> None:
        """Put values `[cutoffs, n]` of one metric in their place."""
        for cutoff, of_cutoff in zip(self._plan.cutoffs, values, strict=True):
            self._values[f"{metric}@{cutoff}"][batch] = of_cutoff

    def _add_items(self, ids: Int32Array, batch: slice) -> None:
        """Count exposures and novelty, of the items listed up to the last cutoff."""
        for cutoff in self._plan.cutoffs:
            top = ids[:, :cutoff]
            listed = top >= 0
            if self._exposures:
                self._exposures[cutoff] += np.bincount(top[listed], minlength=self._relevant.shape[1])
            if self._surprise is not None:
                total = np.where(listed, self._surprise[top], 0.0).sum(axis=1)
                self._values[f"{NOVELTY}@{cutoff}"][batch] = total / np.maximum(1, listed.sum(axis=1))

    def _count_cut_ties(self, lists: Recommendations) -> int:
        """The full lists whose last run of equal scores begins above the last cutoff and may go on below the list."""
        depth = lists.ids.shape[1]
        if depth == 0 or depth >= self._relevant.shape[1]:
            return 0
        last_cut = min(self._plan.cutoffs[-1], depth) - 1
        tied = lists.scores[:, last_cut] == lists.scores[:, -1]
        return int(np.count_nonzero(tied & (lists.ids[:, -1] >= 0)))
