"""Long fits of ALS: what they tell, when they end by themselves, and what is left where somebody ends them."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore.data import Interactions, hold_out
from recocore.errors import CancelledError, InvalidArgumentError, NotFittedError
from recocore.evaluation import evaluate
from recocore.models import ALS, EpochReport, Validation

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.data import Split
    from recocore.models import BaseModel


@pytest.fixture(scope="module")
def split() -> Split:
    rng = np.random.default_rng(4)
    popularity = 1 / np.arange(1, 61)
    items = rng.choice(60, 3000, p=popularity / popularity.sum())
    return hold_out(Interactions.from_coo(rng.integers(0, 120, 3000), items), 0.25)


def same_factors(first: ALS, second: ALS) -> bool:
    return first.user_factors.tobytes() == second.user_factors.tobytes() and (
        first.item_factors.tobytes() == second.item_factors.tobytes()
    )


@pytest.mark.parametrize("solver", ["cholesky", "cg", "subspace"])
def test_history_has_the_objective_after_each_epoch(split: Split, solver: str) -> None:
    told: list[EpochReport] = []
    model = ALS(factors=8, iterations=4, solver=solver)
    assert (model.history, model.best_epoch) == ((), 0)
    model.fit(split.train, on_epoch=told.append, track_objective=True)
    assert tuple(told) == model.history
    assert [report.epoch for report in told] == [1, 2, 3, 4]
    assert model.best_epoch == 4
    for report in told:
        alone = ALS(factors=8, iterations=report.epoch, solver=solver).fit(split.train)
        assert report.objective == alone.objective(split.train)
        assert report.seconds > 0
        assert report.validation is None
        assert (report.items, report.users) == alone.reports[-2:]


def test_nothing_is_measured_that_nobody_asked_for(split: Split) -> None:
    model = ALS(factors=4, iterations=2).fit(split.train)
    assert [(report.objective, report.validation) for report in model.history] == [(None, None)] * 2


def test_a_report_survives_its_dictionary(split: Split) -> None:
    report = ALS(factors=4, iterations=1).fit(split.train, track_objective=True).history[0]
    assert EpochReport.from_dict(report.to_dict()) == report


@pytest.mark.parametrize("metric", ["ndcg@20", "recall@5", "map@10"])
def test_validation_is_the_metric_of_evaluate(split: Split, metric: str) -> None:
    model = ALS(factors=8, iterations=3).fit(split.train, validation=Validation(split.test, metric, patience=None))
    name, _, k = metric.partition("@")
    for report in model.history:
        alone = ALS(factors=8, iterations=report.epoch).fit(split.train)
        assert report.validation == evaluate(alone, split.test, k=int(k), metrics=name)[metric]


def by_script(values: list[float]) -> Callable[[BaseModel, Interactions], float]:
    """A metric whose values after each epoch are known."""
    left = iter(values)
    return lambda model, held_out: next(left)


@pytest.mark.parametrize(
    ("values", "patience", "min_delta", "epochs", "best"),
    [
        ([1, 2, 3, 4, 5, 6], 2, 0.0, 6, 6),
        ([1, 3, 2, 2.5, 9, 9], 2, 0.0, 4, 2),
        ([1, 3, 2, 2.5, 9, 9], 3, 0.0, 6, 5),
        ([3, 2, 1, 0, -1, -2], None, 0.0, 6, 1),
        ([1, 1.05, 1.09, 1.2, 1.25, 1.2], 3, 0.1, 6, 4),
        ([1, 1.05, 1.09, 1.2, 1.25, 1.2], 2, 0.1, 3, 1),
        ([2, 2, 2, 2, 2, 2], 1, 0.0, 2, 1),
    ],
)
def test_a_fit_ends_after_the_patience_with_the_factors_of_the_best_epoch(
    split: Split, values: list[float], patience: int | None, min_delta: float, epochs: int, best: int
) -> None:
    validation = Validation(split.test, by_script(values), patience=patience, min_delta=min_delta)
    model = ALS(factors=6, iterations=6).fit(split.train, validation=validation)
    assert [report.validation for report in model.history] == values[:epochs]
    assert model.best_epoch == best
    assert same_factors(model, ALS(factors=6, iterations=best).fit(split.train))


def test_held_out_interactions_alone_are_enough(split: Split) -> None:
    model = ALS(factors=8, iterations=40).fit(split.train, validation=split.test)
    values = [report.validation for report in model.history if report.validation is not None]
    assert len(values) == len(model.history)
    assert values[model.best_epoch - 1] == max(values)
    assert len(values) in {40, model.best_epoch + 3}


def test_a_metric_of_ones_own_sees_the_model_as_it_is(split: Split) -> None:
    seen: list[Any] = []

    def loss(model: BaseModel, held_out: Interactions) -> float:
        assert isinstance(model, ALS)
        assert held_out is split.test
        seen.append(model.user_factors.copy())
        return -model.objective(split.train)

    model = ALS(factors=6, iterations=3).fit(split.train, validation=Validation(split.test, loss), track_objective=True)
    assert [report.validation == -(report.objective or 0) for report in model.history] == [True] * 3
    assert (seen[-1] == model.user_factors).all()


def test_bad_validations_are_refused_before_anything_is_solved(split: Split) -> None:
    eye: Any = np.eye(3)
    refused: list[tuple[Callable[[], Validation], str]] = [
        (lambda: Validation(split.test, "ndcg"), r"metric: expected NAME@K with a name among recall, .*, got 'ndcg'"),
        (lambda: Validation(split.test, "auc@3"), "for another metric pass a function"),
        (lambda: Validation(split.test, patience=0), "patience: expected an integer of at least 1, got 0"),
        (lambda: Validation(split.test, min_delta=-1), "min_delta: expected a finite number >= 0, got -1"),
        (lambda: Validation(split.test.subset_users([])), "validation: expected at least one entry above zero"),
        (lambda: Validation(eye), "validation: expected held-out Interactions, got ndarray"),
    ]
    for make, message in refused:
        with pytest.raises(InvalidArgumentError, match=message):
            make()
    other = Interactions.from_coo([0, 1], [0, 1])
    with pytest.raises(InvalidArgumentError, match=r"validation: expected the shape of the interactions, \(120, 60\)"):
        ALS(factors=4).fit(split.train, validation=other)
    with pytest.raises(InvalidArgumentError, match="metric: expected a finite value, got nan"):
        ALS(factors=4).fit(split.train, validation=Validation(split.test, lambda model, held_out: float("nan")))


# A fit asks before it draws the first factors, of users and of items, and before each half-epoch: the items' and the users'
# of epoch 1, then of epoch 2.
@pytest.mark.parametrize(("asked", "whole"), [(1, 0), (3, 0), (4, 0), (5, 0), (6, 1), (7, 1), (8, 2), (11, 3)])
def test_a_cancelled_fit_leaves_the_last_whole_epoch(split: Split, asked: int, whole: int) -> None:
    times = 0

    def cancel() -> bool:
        nonlocal times
        times += 1
        return times >= asked

    model = ALS(factors=6, iterations=9)
    with pytest.raises(CancelledError, match="the fit was cancelled"):
        model.fit(split.train, cancel=cancel)
    assert times == asked
    assert (len(model.history), model.best_epoch) == (whole, whole)
    if whole:
        assert same_factors(model, ALS(factors=6, iterations=whole).fit(split.train))
    else:
        with pytest.raises(NotFittedError):
            model.recommend([0])


@pytest.mark.parametrize("asked", [2, 6, 7, 9])
def test_a_fit_is_cancelled_while_the_first_factors_are_drawn(monkeypatch: pytest.MonkeyPatch, asked: int) -> None:
    """No more than 1,024 rows come between two questions: five and three of them for these users and items."""
    rng = np.random.default_rng(0)
    data = Interactions.from_csr(sp.random(5_000, 3_000, 0.001, format="csr", random_state=rng, dtype=np.float32))
    drawn: list[int] = []
    model = ALS(factors=4, iterations=1)

    class Generator:
        def normal(self, loc: float, scale: float, shape: tuple[int, int]) -> Any:
            drawn.append(shape[0])
            return np.zeros(shape)

    def cancel() -> bool:
        return len(drawn) == asked - 2

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Generator())
    with pytest.raises(CancelledError, match="the fit was cancelled"):
        model.fit(data, cancel=cancel)
    assert drawn == [1024, 1024, 1024, 1024, 904, 1024, 1024, 952][: asked - 2]
    with pytest.raises(NotFittedError):
        model.recommend([0])


def test_a_fit_that_is_cancelled_at_once_leaves_the_model_as_it_was(split: Split) -> None:
    model = ALS(factors=6, iterations=2).fit(split.train)
    with pytest.raises(CancelledError):
        model.fit(split.test, cancel=lambda: True)
    assert same_factors(model, ALS(factors=6, iterations=2).fit(split.train))


def test_a_cancelled_fit_with_validation_leaves_the_best_epoch(split: Split) -> None:
    epochs: list[EpochReport] = []
    model = ALS(factors=6, iterations=9)
    with pytest.raises(CancelledError):
        model.fit(
            split.train,
            on_epoch=epochs.append,
            validation=Validation(split.test, by_script([1, 5, 2, 3, 4])),
            cancel=lambda: len(epochs) == 4,
        )
    assert (len(model.history), model.best_epoch) == (4, 2)
    assert same_factors(model, ALS(factors=6, iterations=2).fit(split.train))


@pytest.fixture(scope="module")
def heavy() -> Interactions:
    """Half an epoch at 160 factors takes 100 GFLOP, and so polls before it ends; 20 did not on two quick cores."""
    matrix: Any = sp.random(4000, 2000, 0.25, format="csr", random_state=1, dtype=np.float32)
    return Interactions.from_csr(matrix)


@pytest.fixture(scope="module")
def heavy_epoch(heavy: Interactions) -> ALS:
    return ALS(factors=160, iterations=1, solver="cholesky").fit(heavy)


@pytest.mark.parametrize(("how", "threads"), [("cancel", 1), ("cancel", 2), ("ctrl-c", 2)])
def test_a_native_half_epoch_is_left_midway(heavy: Interactions, heavy_epoch: ALS, how: str, threads: int) -> None:
    """The second epoch is stopped the first time that native code tells of its first half."""
    told: list[float] = []

    def midway() -> bool:
        return bool(told) and 0.5 < told[-1] < 0.75

    def progress(fraction: float) -> None:
        told.append(fraction)
        if how == "ctrl-c" and midway():
            os.kill(os.getpid(), signal.SIGINT)

    model = ALS(factors=160, iterations=2, solver="cholesky", num_threads=threads)
    with pytest.raises(CancelledError if how == "cancel" else KeyboardInterrupt):
        model.fit(heavy, progress, cancel=lambda: how == "cancel" and midway())
    assert told == sorted(told)
    assert midway()
    assert model.best_epoch == 1
    assert same_factors(model, heavy_epoch)


def test_a_callback_that_fails_leaves_the_model_as_it_was(split: Split) -> None:
    model = ALS(factors=6, iterations=3).fit(split.train)
    before = model.history

    def fail(report: EpochReport) -> None:
        raise CancelledError("of the caller's own accord")

    with pytest.raises(CancelledError, match="own accord"):
        model.fit(split.train, on_epoch=fail, cancel=lambda: False)
    assert model.history == before
    assert same_factors(model, ALS(factors=6, iterations=3).fit(split.train))
