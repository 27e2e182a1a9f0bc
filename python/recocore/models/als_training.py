"""The epochs of ALS: solved, measured, kept, and left where somebody asks."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from recocore.errors import CancelledError, InvalidArgumentError
from recocore.models.epoch_report import EpochReport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recocore.models.als_problem import AlsProblem
    from recocore.models.epoch_store import EpochStore
    from recocore.models.validation import Validation
    from recocore.types import Progress

# The validation metric of the factors as they are; told the progress in case it takes long.
Judge: TypeAlias = "Callable[[Progress | None], float]"


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What a fit does beside solving.

    Attributes:
        epochs: how many at most.
        progress: told the part done.
        on_epoch: told what each epoch did.
        track_objective: whether the reports have the objective's value.
        validation: what decides on the best epoch, and when to end; None takes the last.
        judge: the validation metric of the present factors.
        cancel: asked every 50 ms or less often whether to stop.
        store: keeps whole epochs; None where nobody asks for one later.
    """

    epochs: int
    progress: Progress | None = None
    on_epoch: Callable[[EpochReport], object] | None = None
    track_objective: bool = False
    validation: Validation | None = None
    judge: Judge | None = None
    cancel: Callable[[], bool] | None = None
    store: EpochStore | None = None

    def best(self, history: Sequence[EpochReport]) -> int:
        """The number of the epoch to return."""
        return len(history) if self.validation is None else self.validation.best_epoch(_values(history))

    def is_over(self, history: Sequence[EpochReport]) -> bool:
        """Whether no epoch is to follow."""
        stopped = self.validation is not None and self.validation.is_over(_values(history))
        return stopped or len(history) >= self.epochs

    def part(self, begin: float, end: float) -> Progress | None:
        """The progress of what lies between two epochs as progress of the whole; it also asks whether to stop."""
        if self.progress is None and self.cancel is None:
            return None

        def tell(fraction: float) -> None:
            if self.progress is not None:
                self.progress((begin + fraction * (end - begin)) / self.epochs)
            ask(self.cancel)

        return tell


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What became of the problem.

    Attributes:
        history: the epochs that were done.
        epoch: the number of that whose factors the problem now has.
        stopped: why it ended early on somebody's demand, to be raised again; None where it ran to its end.
    """

    history: tuple[EpochReport, ...]
    epoch: int
    stopped: BaseException | None = None


def ask(cancel: Callable[[], bool] | None) -> None:
    """Raise CancelledError where `cancel` says so."""
    if cancel is not None and cancel():
        raise _CancelledByCallerError("the fit was cancelled")


def train(problem: AlsProblem, run: Run) -> Trained:
    """Run epochs on a problem, after those that the store has of it.

    Ctrl-C, or `run.cancel`, ends it with the best whole epoch so far; so the problem then has factors that a fit may
    return. Where no epoch is whole yet, or no store keeps one, what stopped it is raised and the factors are void.
    """
    done = [] if run.store is None else run.store.resume(problem.arrays())
    if len(done) > run.epochs:
        raise InvalidArgumentError(
            f"checkpoint: is at epoch {len(done)}, beyond iterations={run.epochs}; raise iterations, or choose another "
            "folder",
            field="checkpoint",
        )
    solving = False
    stopped: BaseException | None = None
    try:
        while not run.is_over(done):
            solving = True
            done.append(_measured(problem, run, _solve(problem, run, len(done))))
            solving = False
            if run.store is not None:
                run.store.put(done, run.best(done), problem.arrays())
            if run.on_epoch is not None:
                run.on_epoch(done[-1])
    except (KeyboardInterrupt, _CancelledByCallerError) as stop:
        if run.store is None or not done:
            raise
        stopped = stop
    best = run.best(done)
    if run.store is not None and (solving or best != len(done)):
        run.store.restore(best, problem.arrays())
    return Trained(tuple(done), best, stopped)


class _CancelledByCallerError(CancelledError):
    """`cancel` said so, and not a callback of the caller's own accord."""


def _solve(problem: AlsProblem, run: Run, epoch: int) -> EpochReport:
    started = time.perf_counter()
    # Users last: their factors then solve the final items' equations, as folding a user in later would.
    items = problem.solve_items(_begun(run.part(epoch, epoch + 0.5)))
    users = problem.solve_users(_begun(run.part(epoch + 0.5, epoch + 1)))
    return EpochReport(epoch + 1, time.perf_counter() - started, items, users)


def _begun(progress: Progress | None) -> Progress | None:
    """The progress, after it was told of the beginning: the native code tells of what takes long only."""
    if progress is not None:
        progress(0.0)
    return progress


def _measured(problem: AlsProblem, run: Run, report: EpochReport) -> EpochReport:
    told = run.part(report.epoch, report.epoch)
    return replace(
        report,
        objective=problem.value(told) if run.track_objective else None,
        validation=run.judge(told) if run.judge is not None else None,
    )


def _values(history: Sequence[EpochReport]) -> list[float]:
    return [report.validation for report in history if report.validation is not None]
