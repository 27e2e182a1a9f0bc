"""Searching for the parameters of ALS by successive halving."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.data import Interactions, hold_out
from recocore.errors import InvalidArgumentError
from recocore.models.als import ALS
from recocore.models.base import check_learnable
from recocore.models.entry_weights import entry_weights, weights_of_part
from recocore.models.search_space import SearchSpace
from recocore.models.validation import Validation
from recocore.ops.arguments import integer, real, threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.models.validation import Metric
    from recocore.types import Float32Array, Progress

# A first epoch only finds the directions in which the data is widest: it says nothing of how parameters compare.
_FEWEST_EPOCHS = 2
_SEARCHED = ("factors", "regularization", "alpha0", "nu")


@dataclass(frozen=True, slots=True)
class Rung:
    """One fit of a trial.

    Attributes:
        epochs: of the fit.
        value: of the metric on the held-out interactions.
        seconds: that fitting and judging took.
    """

    epochs: int
    value: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Trial:
    """One choice of parameters.

    Attributes:
        number: from 0; number 0 is the default parameters, where the space has them.
        factors: of `ALS`, as are the next three.
        regularization: see `ALS`.
        alpha0: see `ALS`.
        nu: see `ALS`.
        rungs: its fits, each longer than the one before.
    """

    number: int
    factors: int
    regularization: float
    alpha0: float
    nu: float
    rungs: tuple[Rung, ...] = ()

    @property
    def epochs(self) -> int:
        """Of the longest fit; 0 before the first."""
        return self.rungs[-1].epochs if self.rungs else 0

    @property
    def value(self) -> float:
        """Of the metric after the longest fit; -inf before the first."""
        return self.rungs[-1].value if self.rungs else -math.inf


@dataclass(frozen=True, slots=True)
class TuningResult:
    """What a search found.

    Attributes:
        metric: its name; more is better.
        trials: every trial by its number.
        parameters: keywords of `ALS` for the best trial, `iterations` and those that were fixed included.
        complete: whether the search ended by itself rather than by the limit of seconds.
    """

    metric: str
    trials: tuple[Trial, ...]
    parameters: Mapping[str, Any]
    complete: bool

    @property
    def ranked(self) -> tuple[Trial, ...]:
        """The trials, best first: longer fits before shorter ones, then by value, then by number."""
        return tuple(sorted(self.trials, key=_rank))

    @property
    def best(self) -> Trial:
        """The best of those that got the longest fits."""
        return self.ranked[0]

    def table(self) -> str:
        """The trials, best first, a line each."""
        lines = [
            f"{'trial':>5} {'factors':>7} {'regularization':>14} {'alpha0':>9} {'nu':>5} {'epochs':>6} {self.metric:>10}"
        ]
        lines += [
            f"{trial.number:>5} {trial.factors:>7} {trial.regularization:>14.4g} {trial.alpha0:>9.4g} {trial.nu:>5.2f} "
            f"{trial.epochs:>6} {trial.value:>10.4f}"
            for trial in self.ranked
            if trial.rungs
        ]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()


def tune(
    interactions: Interactions,
    *,
    validation: Interactions | None = None,
    weights: Any = None,
    metric: str | Metric = "ndcg@20",
    space: SearchSpace | None = None,
    fixed: Mapping[str, Any] | None = None,
    trials: int = 27,
    iterations: int = 16,
    reduction: int = 3,
    seconds: float | None = None,
    max_users: int = 10_000,
    seed: int = 0,
    num_threads: int = 0,
    on_trial: Callable[[Trial], object] | None = None,
    progress: Progress | None = None,
) -> TuningResult:
    """Search for good parameters of `ALS` on held-out interactions.

    Successive halving (Jamieson and Talwalkar, AISTATS 2016) on epochs: all trials get short fits, the best
    1 / `reduction` of them `reduction` times longer ones, and so on up to `iterations`. Trials cover the space evenly (a
    Latin hypercube); the first is the default parameters, so that the result is as good as these on what was held out, up to
    what short fits tell. The same seed gives the same result at any number of threads, unless `seconds` cuts it short.

    Args:
        interactions: to learn from; a tenth of each user's pairs is held out of them where `validation` is None.
        validation: held-out interactions under the same id maps, which are then not in `interactions`.
        weights: of `interactions`, as in `ALS.fit`; None for ones. What is held out is judged without them.
        metric: what to make large, as in `Validation`.
        space: what to search; `SearchSpace()` where it is None.
        fixed: other keywords of `ALS` for every fit, such as `{"loss": "original"}`.
        trials: choices of parameters.
        iterations: epochs of the longest fits.
        reduction: at least 2; 3 with 27 trials and 16 iterations fits 27, 9 and 3 times for 2, 6 and 16 epochs.
        seconds: after which no other fit begins; the first always runs.
        max_users: how many of the users with held-out interactions are judged, drawn by the seed.
        seed: of the split, the trials, the judged users and each fit's first factors.
        num_threads: of each fit; 0 is one for each core.
        on_trial: told each trial after each of its fits.
        progress: told the part of all epochs done; an exception that it raises ends the search.

    Raises:
        InvalidArgumentError: an argument out of range, a parameter that is both searched and fixed, or nothing held out.

    Example:
        >>> import recocore, scipy.sparse
        >>> met = recocore.Interactions.from_csr(scipy.sparse.random(60, 30, 0.3, format="csr", dtype="f4", rng=1))
        >>> found = tune(met, trials=3, iterations=4, space=SearchSpace(factors=(8, 16)))
        >>> [(len(trial.rungs), trial.epochs) for trial in found.ranked]
        [(2, 4), (1, 2), (1, 2)]
        >>> model = recocore.models.ALS(**found.parameters).fit(met)
    """
    check_learnable(interactions)
    space = SearchSpace() if space is None else space
    if not isinstance(space, SearchSpace):
        raise InvalidArgumentError(f"space: expected a SearchSpace, got {type(space).__name__}", field="space")
    integer(trials, "trials", 1)
    integer(reduction, "reduction", 2)
    limit = None if seconds is None else _positive(seconds, "seconds")
    keywords = _fixed(fixed, integer(seed, "seed", 0), threads(num_threads))
    held_out, learned = _split(interactions, validation, seed)
    own = None if weights is None else entry_weights(weights, interactions.matrix)
    if own is not None and validation is None:
        own = weights_of_part(own, interactions.matrix, learned.matrix)
    most = integer(max_users, "max_users", 1)
    judge = Validation(_some_users(Validation(held_out, metric).held_out, most, seed), metric)
    judge.check_shape(learned.matrix.shape)
    plan = halvings(trials, integer(iterations, "iterations", 1), reduction)
    search = _Search(learned, own, judge, keywords, limit, on_trial, progress, sum(n * epochs for n, epochs in plan))
    drawn = space.draw(learned.matrix, trials, seed, own)
    default = _default(learned, own, keywords)
    if space.has(*default):
        drawn[0] = default
    found = [Trial(number, *chosen) for number, chosen in enumerate(drawn)]
    for n, epochs in plan:
        for trial in sorted(found, key=_rank)[:n]:
            if search.is_over():
                break
            found[trial.number] = search.fit(trial, epochs)
    best = min(found, key=_rank)
    if progress is not None:
        progress(1.0)
    return TuningResult(
        judge.name,
        tuple(found),
        {**keywords, **{name: getattr(best, name) for name in _SEARCHED}, "iterations": best.epochs},
        not search.is_over(),
    )


def halvings(trials: int, iterations: int, reduction: int) -> list[tuple[int, int]]:
    """How many trials get fits of how many epochs, shortest fits first.

    Example:
        >>> halvings(27, 16, 3)
        [(27, 2), (9, 6), (3, 16)]
        >>> halvings(1, 16, 3)
        [(1, 16)]
    """
    plan = []
    left, rungs = trials, 1
    while left >= reduction and math.ceil(iterations / reduction**rungs) >= _FEWEST_EPOCHS:
        left, rungs = math.ceil(left / reduction), rungs + 1
    left = trials
    for rung in reversed(range(rungs)):
        plan.append((left, math.ceil(iterations / reduction**rung)))
        left = math.ceil(left / reduction)
    return plan


class _Search:
    """Fits trials and judges them while there is time."""

    def __init__(
        self,
        learned: Interactions,
        weights: Float32Array | None,
        judge: Validation,
        keywords: Mapping[str, Any],
        limit: float | None,
        on_trial: Callable[[Trial], object] | None,
        progress: Progress | None,
        all_epochs: int,
    ) -> None:
        self._learned = learned
        self._weights = weights
        self._judge = judge
        self._keywords = keywords
        self._until = math.inf if limit is None else time.monotonic() + limit
        self._on_trial = on_trial
        self._progress = progress
        self._all_epochs = all_epochs
        self._done = 0
        self._cut_short = False

    def is_over(self) -> bool:
        """Whether the time is up, once something was fitted."""
        self._cut_short = self._cut_short or (self._done > 0 and time.monotonic() >= self._until)
        return self._cut_short

    def fit(self, trial: Trial, epochs: int) -> Trial:
        """The trial with one rung more."""
        started = time.monotonic()
        model = ALS(**{**self._keywords, **{name: getattr(trial, name) for name in _SEARCHED}, "iterations": epochs})
        model.fit(self._learned, self._part(epochs), weights=self._weights)
        rung = Rung(epochs, self._judge.value(model), time.monotonic() - started)
        self._done += epochs
        longer = Trial(trial.number, trial.factors, trial.regularization, trial.alpha0, trial.nu, (*trial.rungs, rung))
        if self._on_trial is not None:
            self._on_trial(longer)
        return longer

    def _part(self, epochs: int) -> Progress | None:
        told = self._progress
        if told is None:
            return None
        done, whole = self._done, self._all_epochs
        return lambda fraction: told((done + fraction * epochs) / whole)


def _rank(trial: Trial) -> tuple[int, float, int]:
    return -trial.epochs, -trial.value, trial.number


def _default(
    learned: Interactions, weights: Float32Array | None, keywords: Mapping[str, Any]
) -> tuple[int, float, float, float]:
    """The parameters of `ALS` that are searched, as it would have them on this data."""
    model = ALS(**keywords)
    objective = model.objective_for(learned, weights)
    return model.factors, objective.regularization, objective.alpha0, objective.nu


def _fixed(fixed: Mapping[str, Any] | None, seed: int, num_threads: int) -> dict[str, Any]:
    if fixed is not None and not isinstance(fixed, Mapping):
        raise InvalidArgumentError(
            f"fixed: expected keywords of ALS by name, got {type(fixed).__name__}", field="fixed"
        )
    given = dict(fixed or {})
    for name in (*_SEARCHED, "iterations", "seed", "num_threads"):
        if name in given:
            where = "the space" if name in _SEARCHED else "tune itself"
            raise InvalidArgumentError(f"fixed: expected keywords that {where} does not set, got {name}", field="fixed")
    try:
        ALS(**given)
    except TypeError as error:
        raise InvalidArgumentError(
            f"fixed: expected keywords of ALS, got {sorted(given)}: {error}", field="fixed"
        ) from None
    return {**given, "seed": seed, "num_threads": num_threads}


def _split(interactions: Interactions, validation: Interactions | None, seed: int) -> tuple[Interactions, Interactions]:
    """What is held out, and what is left to learn from."""
    if validation is None:
        split = hold_out(interactions, 0.1, seed=seed)
        if split.test.nnz == 0:
            raise InvalidArgumentError(
                "interactions: expected a user with five pairs or more to hold a tenth of them out, got none; pass "
                "validation=..., from recocore.data.leave_last_out for example",
                field="interactions",
            )
        return split.test, split.train
    return validation, interactions


def _some_users(held_out: Interactions, most: int, seed: int) -> Interactions:
    users = np.flatnonzero(np.diff(held_out.matrix.indptr))
    if len(users) <= most:
        return held_out
    return held_out.subset_users(np.random.default_rng(seed).choice(users, most, replace=False))


def _positive(value: Any, name: str) -> float:
    number = real(value, name)
    if not number > 0:
        raise InvalidArgumentError(f"{name}: expected a number above 0, got {value!r}", field=name)
    return number
