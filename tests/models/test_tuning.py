"""The search for parameters: what it finds, in what order, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from recocore.data import Interactions, Split, hold_out
from recocore.errors import InvalidArgumentError
from recocore.evaluation import evaluate
from recocore.models import ALS, SearchSpace, Trial, tune
from recocore.models.tuning import Rung, TuningResult, halvings

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.models import BaseModel

SMALL = SearchSpace(factors=(4, 8))


@pytest.fixture(scope="module")
def planted() -> Split:
    """Users of eight tastes; of twelve items each half belongs to its taste, the other half to nobody's."""
    rng = np.random.default_rng(4)
    users = np.repeat(np.arange(240), 12)
    own = 12 * (users % 8) + rng.integers(0, 12, len(users))
    items = np.where(rng.random(len(users)) < 0.6, own, rng.integers(0, 150, len(users)))
    return hold_out(Interactions.from_coo(users, items, duplicates="max"), 0.25, seed=1)


def judged(split: Split, **parameters: Any) -> float:
    return evaluate(ALS(**parameters).fit(split.train), split.test, k=10, metrics=["ndcg"])["ndcg@10"]


def test_it_finds_better_parameters_than_a_poor_choice_and_no_worse_than_the_default(planted: Split) -> None:
    found = tune(
        planted.train, validation=planted.test, metric="ndcg@10", space=SearchSpace(factors=(8, 128)), trials=18
    )
    values = sorted(trial.value for trial in found.trials)
    default = judged(planted, seed=0)
    again = judged(planted, **found.parameters)
    assert again == pytest.approx(found.best.value, rel=1e-12)  # the parameters are those of the value, and all of them
    assert again >= default
    assert again > judged(planted, factors=64, regularization=1e-6, alpha0=1e-6) + 0.05
    assert values[0] < again


def test_the_same_seed_gives_the_same_result_at_any_number_of_threads(planted: Split) -> None:
    first, second = (
        tune(planted.train, space=SMALL, trials=9, iterations=6, seed=3, num_threads=threads) for threads in (1, 2)
    )
    assert [(t.factors, t.regularization, t.alpha0, t.nu) for t in first.trials] == [
        (t.factors, t.regularization, t.alpha0, t.nu) for t in second.trials
    ]
    assert [[(r.epochs, r.value) for r in t.rungs] for t in first.trials] == [
        [(r.epochs, r.value) for r in t.rungs] for t in second.trials
    ]
    assert {**first.parameters, "num_threads": 0} == {**second.parameters, "num_threads": 0}
    other = tune(planted.train, space=SMALL, trials=9, iterations=6, seed=4)
    assert {t.regularization for t in other.trials}.isdisjoint({t.regularization for t in first.trials})


def test_the_best_of_each_rung_go_on(planted: Split) -> None:
    seen: list[Trial] = []
    found = tune(planted.train, space=SMALL, trials=9, iterations=9, on_trial=seen.append)
    assert [(trial.number, trial.epochs) for trial in seen[:9]] == [(number, 3) for number in range(9)]
    order = sorted(range(9), key=lambda number: (-seen[number].value, number))
    assert [trial.number for trial in seen[9:12]] == order[:3]
    assert {trial.epochs for trial in seen[9:]} == {9}
    assert found.best == max(seen[9:], key=lambda trial: (trial.value, -trial.number))
    assert found.parameters["iterations"] == 9
    assert found.complete


def test_equal_values_go_by_the_number_of_the_trial(planted: Split) -> None:
    def constant(model: BaseModel, held_out: Interactions) -> float:
        return 0.5

    found = tune(planted.train, metric=constant, space=SMALL, trials=6, iterations=4)
    assert [trial.number for trial in found.ranked] == list(range(6))
    assert found.metric == "constant"


@pytest.mark.parametrize(
    ("trials", "iterations", "reduction", "expected"),
    [
        (27, 16, 3, [(27, 2), (9, 6), (3, 16)]),
        (8, 16, 2, [(8, 2), (4, 4), (2, 8), (1, 16)]),
        (2, 16, 3, [(2, 16)]),
        (9, 1, 3, [(9, 1)]),
        (100, 3, 2, [(100, 2), (50, 3)]),
    ],
)
def test_the_plan_of_the_halvings(
    trials: int, iterations: int, reduction: int, expected: list[tuple[int, int]]
) -> None:
    assert halvings(trials, iterations, reduction) == expected


def test_a_budget_of_one_trial_is_the_default(planted: Split) -> None:
    found = tune(planted.train, space=SearchSpace(factors=(ALS().factors,)), trials=1, iterations=2)
    (only,) = found.trials
    default = ALS().objective_for(hold_out(planted.train, 0.1, seed=0).train)
    assert (only.regularization, only.alpha0, only.nu) == (default.regularization, default.alpha0, default.nu)
    assert found.best == only


def test_the_default_is_no_trial_where_the_space_excludes_it(planted: Split) -> None:
    space = SearchSpace(factors=(4,), regularization=(0.5, 0.6), alpha0=(0.7, 0.8), nu=(0.1, 0.2))
    found = tune(planted.train, space=space, trials=5, iterations=2)
    for trial in found.trials:
        assert trial.factors == 4
        assert 0.5 <= trial.regularization <= 0.6
        assert 0.7 <= trial.alpha0 <= 0.8
        assert 0.1 <= trial.nu <= 0.2


def test_a_limit_of_seconds_ends_the_search_with_what_it_has(planted: Split) -> None:
    found = tune(planted.train, space=SMALL, trials=9, iterations=6, seconds=1e-9)
    assert not found.complete
    assert [len(trial.rungs) for trial in found.trials] == [1, *[0] * 8]
    assert found.best.number == 0
    assert len(str(found).splitlines()) == 2


def test_a_longer_fit_ranks_before_a_better_short_one() -> None:
    short = Trial(0, 4, 0.1, 0.1, 1.0, (Rung(2, 0.9, 0.0),))
    long = Trial(1, 4, 0.1, 0.1, 1.0, (Rung(2, 0.8, 0.0), Rung(6, 0.7, 0.0)))
    assert TuningResult("ndcg@20", (short, long), {}, True).best == long


def test_progress_rises_to_one_and_can_end_the_search(planted: Split) -> None:
    told: list[float] = []
    tune(planted.train, space=SMALL, trials=3, iterations=6, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0

    def stop(fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(planted.train, space=SMALL, trials=3, iterations=6, progress=stop)


def test_few_users_are_judged_where_many_are_held_out(planted: Split) -> None:
    asked: list[int] = []

    def metric(model: BaseModel, held_out: Interactions) -> float:
        asked.append(int((np.diff(held_out.matrix.indptr) > 0).sum()))
        return 0.0

    tune(planted.train, validation=planted.test, metric=metric, space=SMALL, trials=1, iterations=1, max_users=17)
    assert asked == [17]


def test_fixed_keywords_reach_every_fit(planted: Split) -> None:
    def is_original(model: BaseModel, held_out: Interactions) -> float:
        return float(model.params()["loss"] == "original")

    found = tune(planted.train, metric=is_original, fixed={"loss": "original"}, space=SMALL, trials=2, iterations=2)
    assert {trial.value for trial in found.trials} == {1.0}
    assert found.parameters["loss"] == "original"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": 0}, "trials: expected an integer of at least 1, got 0"),
        ({"reduction": 1}, "reduction: expected an integer of at least 2, got 1"),
        ({"iterations": 0}, "iterations: expected an integer of at least 1, got 0"),
        ({"seconds": 0}, "seconds: expected a number above 0, got 0"),
        ({"max_users": 0}, "max_users: expected an integer of at least 1, got 0"),
        ({"seed": -1}, "seed: expected an integer of at least 0, got -1"),
        ({"metric": "beauty@20"}, "metric: expected NAME@K"),
        ({"fixed": {"nu": 0.5}}, "fixed: expected keywords that the space does not set, got nu"),
        ({"fixed": {"seed": 5}}, "fixed: expected keywords that tune itself does not set, got seed"),
        ({"fixed": {"colour": 5}}, r"fixed: expected keywords of ALS, got \['colour'\]"),
        ({"validation": Interactions.from_coo([0], [0])}, "validation: expected the shape of the interactions"),
        ({"space": {"factors": [8]}}, "space: expected a SearchSpace, got dict"),
        ({"fixed": 5}, "fixed: expected keywords of ALS by name, got int"),
        ({"validation": "some"}, "validation: expected held-out Interactions, got str"),
    ],
)
def test_a_bad_argument_is_named(planted: Split, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        tune(planted.train, **{"space": SMALL, **arguments})


def test_interactions_too_short_to_hold_out_of_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="to hold a tenth of them out"):
        tune(Interactions.from_coo([0, 1, 2], [0, 1, 2]), space=SMALL)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SearchSpace(factors=()), r"factors: expected a tuple of lengths to choose from, got \(\)"),
        (lambda: SearchSpace(factors=(0,)), "factors: expected an integer from 1 to 2048, got 0"),
        (lambda: SearchSpace(alpha0=(0.0, 1.0)), r"alpha0: expected \(least, most\) above 0"),
        (lambda: SearchSpace(regularization=(2.0, 1.0)), "regularization: .*least first"),
        (lambda: SearchSpace(nu=(0.0, float("nan"))), "nu: expected a finite number"),
        (lambda: SearchSpace(nu=1.0), r"nu: expected \(least, most\), got 1.0"),  # type: ignore[arg-type]
    ],
)
def test_an_unsound_space_is_refused(make: Callable[[], SearchSpace], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        make()
