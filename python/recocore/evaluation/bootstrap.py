"""Is one model better than another, or was it luck in the choice of users."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from recocore.evaluation.evaluation import Evaluation
    from recocore.types import Float64Array

_DRAWS_AT_A_TIME = 1 << 20


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
    a: Evaluation, b: Evaluation, metric: str, samples: int = 10_000, seed: int = 0, *, confidence: float = 0.95
) -> BootstrapResult:
    """Resample the users that both evaluations share and compare the means of one metric.

    With d the per-user differences, a resample draws n users with replacement and takes d's mean. `low` and `high` are
    percentiles of these means; the p-value is the share of them that lie as far from the mean of d as 0 does, counting
    the data itself: (1 + #{abs(d* - mean d) >= abs(mean d)}) / (1 + samples). Efron and Tibshirani, "An Introduction to
    the Bootstrap" (1993), sections 13.3 and 16.4. The same seed gives the same result. O(n · samples), or
    O(m · samples) for m distinct differences where these are few.

    Args:
        a: an evaluation with per-user values of `metric`.
        b: another, over the same users and with the same rule for ties.
        metric: a name such as "recall@20".
        samples: the number of resamples.
        seed: of the draws.
        confidence: the share of resamples between the bounds.

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
    if not 0.0 < confidence < 1.0:
        raise InvalidArgumentError(f"confidence: expected a number in (0, 1), got {confidence}", field="confidence")
    differences = a.per_user[metric] - b.per_user[metric]
    observed = float(differences.mean())
    means = _resampled_means(differences, samples, np.random.default_rng(seed))
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


def _resampled_means(differences: Float64Array, samples: int, rng: np.random.Generator) -> Float64Array:
    """The mean of each resample, float64 `[samples]`."""
    n = len(differences)
    distinct, counts = np.unique(differences, return_counts=True)
    means = np.empty(samples)
    # Drawing how often each distinct value comes has the same distribution and is far cheaper where these are few.
    by_count = len(distinct) * 16 <= n
    step = max(1, _DRAWS_AT_A_TIME // (len(distinct) if by_count else n))
    for begin in range(0, samples, step):
        rows = min(step, samples - begin)
        if by_count:
            means[begin : begin + rows] = rng.multinomial(n, counts / n, size=rows) @ distinct / n
        else:
            means[begin : begin + rows] = differences[rng.integers(0, n, size=(rows, n))].mean(axis=1)
    return means


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
