"""Is one model better than another, or was it luck in the choice of users."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from recocore import _native
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from recocore.evaluation.evaluation import Evaluation
    from recocore.types import Progress


@dataclass(frozen=True, slots=True)
class BootstrapResult:
    """The difference of two means over the same users, and how sure it is.

    Attributes:
        metric: the name of the metric.
        difference: mean of a - mean of b.
        low: lower bound of the difference, at `confidence`.
        high: upper bound.
        p_value: two-sided; how often luck alone gives a difference this large.
        confidence: the share of resamples between `low` and `high`.
        samples: the number of resamples.
        n_users: the number of users.
    """

    metric: str
    difference: float
    low: float
    high: float
    p_value: float
    confidence: float
    samples: int
    n_users: int

    def __str__(self) -> str:
        return (
            f"{self.metric}: {self.difference:+.4f} [{self.low:+.4f}, {self.high:+.4f}] at {self.confidence:.0%}, "
            f"p = {self.p_value:.4f}, {self.n_users:,} users"
        )

    def to_dict(self) -> dict[str, str | int | float]:
        """The fields, as JSON can hold them."""
        return asdict(self)


def paired_bootstrap(
    a: Evaluation,
    b: Evaluation,
    metric: str,
    samples: int = 10_000,
    seed: int = 0,
    *,
    confidence: float = 0.95,
    num_threads: int = 0,
    progress: Progress | None = None,
) -> BootstrapResult:
    """Resample the users that both evaluations share and compare the means of one metric.

    With d the per-user differences, a resample draws n users with replacement and takes d's mean. `low` and `high` are
    percentiles of these means; the p-value is the share of them that lie as far from the mean of d as 0 does, counting
    the data itself: (1 + #{abs(d* - mean d) >= abs(mean d)}) / (1 + samples). Efron and Tibshirani, "An Introduction to
    the Bootstrap" (1993), sections 13.3 and 16.4. The same seed gives the same result at every thread
    count. O(n · samples).

    Args:
        a: an evaluation with per-user values of `metric`.
        b: another, over the same users and with the same rule for ties.
        metric: a name such as "recall@20".
        samples: the number of resamples.
        seed: of the draws.
        confidence: the share of resamples between the bounds.
        num_threads: 0 for one a core.
        progress: told the part of resamples done.

    Raises:
        InvalidArgumentError: the users or the rules differ, or `metric` has no per-user values in both.

    Example:
        >>> from recocore.csr import Csr
        >>> from recocore.evaluation import ranking_metrics
        >>> relevant = Csr.from_coo([0, 1, 2], [0, 1, 2], [1.0, 1.0, 1.0], (3, 3))
        >>> good = ranking_metrics(np.array([[0], [1], [2]], np.int32), relevant, k=1)
        >>> poor = ranking_metrics(np.array([[0], [2], [1]], np.int32), relevant, k=1)
        >>> result = paired_bootstrap(good, poor, "recall@1", samples=1000)
        >>> round(result.difference, 3), result.low >= 0.0, result.high
        (0.667, True, 1.0)
    """
    _require_comparable(a, b, metric)
    if samples < 1:
        raise InvalidArgumentError(f"samples: expected at least 1, got {samples}", field="samples")
    if not 0 <= seed < 2**64:
        raise InvalidArgumentError(f"seed: expected a number in [0, 2**64), got {seed}", field="seed")
    if not 0.0 < confidence < 1.0:
        raise InvalidArgumentError(f"confidence: expected a number in (0, 1), got {confidence}", field="confidence")
    differences = a.per_user[metric] - b.per_user[metric]
    observed = float(differences.mean())
    means = _native.resampled_means(differences, samples, seed, num_threads, progress)
    tail = 50.0 * (1.0 - confidence)
    low, high = np.percentile(means, [tail, 100.0 - tail])
    # Means that are equal on paper differ by roundings, which must not decide a count.
    slack = 1e-12 * float(np.abs(differences).max(initial=0.0))
    extreme = int(np.count_nonzero(np.abs(means - observed) >= abs(observed) - slack))
    return BootstrapResult(
        metric=metric,
        difference=observed,
        low=float(low),
        high=float(high),
        p_value=(1 + extreme) / (1 + samples),
        confidence=confidence,
        samples=samples,
        n_users=len(differences),
    )


def _require_comparable(a: Evaluation, b: Evaluation, metric: str) -> None:
    for name, evaluation in (("a", a), ("b", b)):
        if metric not in evaluation.per_user:
            known = ", ".join(evaluation.per_user)
            raise InvalidArgumentError(
                f"metric: expected one with per-user values in {name} ({known}), got {metric!r}", field="metric"
            )
    if not np.array_equal(a.users, b.users):
        raise InvalidArgumentError(
            f"b: expected the {a.n_users} users of a, got {b.n_users} users, "
            f"{len(np.intersect1d(a.users, b.users))} of them shared; evaluate both on the same test and users",
            field="b",
        )
    if (a.ties, a.gain) != (b.ties, b.gain):
        raise InvalidArgumentError(
            f"b: expected ties and gain as in a, {a.ties} and {a.gain}, got {b.ties} and {b.gain}", field="b"
        )
