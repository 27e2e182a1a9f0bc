"""The result of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.evaluation.definitions import Gain, Ties
    from recocore.types import Float64Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Metrics of ranked lists, by names such as "recall@20"; `recocore.evaluation.definitions` says what each is.

    Attributes:
        users: int64 `[n_users]`, rising: the users with a relevant item, over whom the means run.
        per_user: float64 `[n_users]` for each metric that a user has a value of; not coverage and gini.
        means: the value of every metric.
        standard_errors: of each mean, standard deviation / sqrt(n_users), where there are two users or more.
        exclude_seen: whether items of the user's training row were left out of the lists.
        ties: how equal scores were ordered: "list" or "average".
        gain: the gain of ndcg_graded.
        cut_ties: users whose list ends in a run of equal scores that a cutoff reaches: it may go on below, unseen by
            their averages. 0 when ties were not averaged. A larger `depth` helps.

    Example:
        >>> import numpy as np
        >>> from recocore.csr import Csr
        >>> from recocore.evaluation import ranking_metrics
        >>> relevant = Csr.from_coo([0, 0, 1], [4, 2, 0], [1.0, 1.0, 1.0], (2, 5))
        >>> print(ranking_metrics(np.array([[4, 1], [0, 3]], np.int32), relevant, k=[1, 2]))
        metric        mean      s.e.
        recall@1    0.7500    0.2500
        recall@2    0.7500    0.2500
        ndcg@1      1.0000    0.0000
        ndcg@2      0.8066    0.1934
        2 users
    """

    users: Int64Array
    per_user: Mapping[str, Float64Array]
    means: Mapping[str, float]
    standard_errors: Mapping[str, float]
    exclude_seen: bool
    ties: Ties
    gain: Gain
    cut_ties: int

    @property
    def n_users(self) -> int:
        """The number of users judged."""
        return len(self.users)

    def __getitem__(self, name: str) -> float:
        """The value of a metric, as in `means`."""
        return self.means[name]

    def table(self) -> str:
        """The values and their standard errors, a line each."""
        width = max(len("metric"), *(len(name) for name in self.means))
        lines = [f"{'metric':<{width}}  {'mean':>8}  {'s.e.':>8}"]
        for name, mean in self.means.items():
            error = self.standard_errors.get(name)
            lines.append(f"{name:<{width}}  {mean:8.4f}" + ("" if error is None else f"  {error:8.4f}"))
        lines.append(f"{self.n_users:,} user{'' if self.n_users == 1 else 's'}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold: the means, their standard errors (null where there is none) and how they were taken."""
        return {
            "n_users": self.n_users,
            "exclude_seen": self.exclude_seen,
            "ties": self.ties,
            "gain": self.gain,
            "cut_ties": self.cut_ties,
            "metrics": {
                name: {"mean": mean, "standard_error": self.standard_errors.get(name)}
                for name, mean in self.means.items()
            },
        }
