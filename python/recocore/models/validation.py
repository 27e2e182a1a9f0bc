"""Watching a fit on held-out interactions, and stopping it where these are ranked no better any more."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from recocore.data import Interactions
from recocore.errors import InvalidArgumentError
from recocore.ops.arguments import integer, not_negative
from recocore.ops.ranking import RANKING_METRICS, list_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recocore.models.base import BaseModel
    from recocore.types import Int32Array, Progress

# Users ranked between two questions whether to go on: with 128 factors and 40,000 items 0.2 s on two cores.
_USERS_AT_A_TIME = 4096

Metric: TypeAlias = "Callable[[BaseModel, Interactions], float]"


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """Held-out interactions, and how long a fit goes on without ranking them better.

    Attributes:
        held_out: `[n_users, n_items]` under the id maps of what is fitted; entries above zero are relevant. Each epoch ranks
            all items for its users: `held_out.subset_users` makes that cheaper.
        metric: such as ndcg@20 or recall@50 (names of `recocore.evaluation.METRICS` that compare a list with the relevant
            items; means over users, as `recocore.evaluation.evaluate` has them), or a function of the model as it is after
            the epoch and of `held_out` whose value rises as the model gets better.
        patience: how many epochs in a row may be no better than the best before the fit ends; None lets it run on.
        min_delta: how much better counts as better.

    Raises:
        InvalidArgumentError: an unknown metric, nothing relevant, or a number out of range.

    Example:
        >>> import recocore
        >>> met = recocore.Interactions.from_coo([0, 0, 0, 1, 1, 1, 2, 2], [0, 1, 2, 0, 1, 2, 0, 2])
        >>> split = recocore.data.hold_out(met, 0.3)
        >>> model = recocore.models.ALS(factors=2, iterations=9, regularization=0.002, alpha0=0.05)
        >>> validation = recocore.models.Validation(split.test, "recall@1", patience=2)
        >>> model = model.fit(split.train, validation=validation)
        >>> len(model.history), model.best_epoch  # the fourth epoch was the second that was no better
        (4, 2)
    """

    held_out: Interactions
    metric: str | Metric = "ndcg@20"
    patience: int | None = 3
    min_delta: float = 0.0
    _users: Int32Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.held_out, Interactions):
            raise InvalidArgumentError(
                f"validation: expected held-out Interactions, got {type(self.held_out).__name__}; "
                "recocore.data.hold_out(interactions) makes some",
                field="validation",
            )
        if isinstance(self.metric, str):
            _parse(self.metric)
        elif not callable(self.metric):
            raise InvalidArgumentError(f"metric: expected a name or a function, got {self.metric!r}", field="metric")
        if self.patience is not None:
            integer(self.patience, "patience", 1)
        not_negative(self.min_delta, "min_delta")
        matrix = self.held_out.matrix
        relevant_before = np.concatenate([[0], np.cumsum(matrix.values > 0)])
        users = np.flatnonzero(np.diff(relevant_before[matrix.indptr])).astype(np.int32)
        if not len(users):
            raise InvalidArgumentError(
                "validation: expected at least one entry above zero, got none; hold out some interactions",
                field="validation",
            )
        object.__setattr__(self, "_users", users)

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.metric if isinstance(self.metric, str) else getattr(self.metric, "__name__", "metric")

    def fingerprint(self) -> dict[str, Any]:
        """What tells the choice of one best epoch from another, as JSON holds it. O(nnz)."""
        return {"metric": self.name, "min_delta": self.min_delta, **self.held_out.matrix.fingerprint()}

    def check_shape(self, shape: tuple[int, int]) -> None:
        """Refuse held-out interactions of other users and items than those of the fit."""
        if self.held_out.matrix.shape != shape:
            raise InvalidArgumentError(
                f"validation: expected the shape of the interactions, {shape}, got {self.held_out.matrix.shape}; "
                "split one Interactions so that both share its id maps",
                field="validation",
            )

    def value(self, model: BaseModel, progress: Progress | None = None) -> float:
        """The metric of a fitted model. O(users n_items f) for factors."""
        metric = self.metric
        value = self._mean(model, metric, progress) if isinstance(metric, str) else metric(model, self.held_out)
        if not math.isfinite(value):
            raise InvalidArgumentError(
                f"metric: expected a finite value, got {value!r} from {self.name}", field="metric"
            )
        return float(value)

    def best_epoch(self, values: Sequence[float]) -> int:
        """The number, from 1, of the best epoch by the value after each."""
        best = 0
        for epoch, value in enumerate(values):
            if value > values[best] + self.min_delta:
                best = epoch
        return best + 1

    def is_over(self, values: Sequence[float]) -> bool:
        """Whether the last `patience` epochs were no better than the best."""
        return self.patience is not None and len(values) - self.best_epoch(values) >= self.patience

    def _mean(self, model: BaseModel, metric: str, progress: Progress | None) -> float:
        name, cutoff = _parse(metric)
        values = np.empty(len(self._users))
        for begin in range(0, len(self._users), _USERS_AT_A_TIME):
            if progress is not None:
                progress(begin / len(self._users))
            some = self._users[begin : begin + _USERS_AT_A_TIME]
            lists = model.recommend(some, cutoff)
            found = list_metrics(some, lists.ids, self.held_out.matrix, [name], [cutoff], num_threads=model.num_threads)
            values[begin : begin + _USERS_AT_A_TIME] = found[0, 0]
        return float(values.mean())


def _parse(metric: str) -> tuple[str, int]:
    """("ndcg", 20) of "ndcg@20"."""
    name, _, cutoff = metric.partition("@")
    if name not in RANKING_METRICS or not cutoff.isdecimal() or not 1 <= int(cutoff) < 2**31:
        raise InvalidArgumentError(
            f"metric: expected NAME@K with a name among {', '.join(RANKING_METRICS)}, such as ndcg@20, got {metric!r}; "
            "for another metric pass a function of the model and the held-out interactions",
            field="metric",
        )
    return name, int(cutoff)
