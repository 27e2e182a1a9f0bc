"""Fitting a model before the user's eyes: the options of a long fit, its epochs as they come, and their table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from recocore.cli.terminal import progress, table
from recocore.data import hold_out
from recocore.models import ALS, Validation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.table import Table

    from recocore.data import Interactions
    from recocore.models import BaseModel, EpochReport

    _F = TypeVar("_F", bound="Callable[..., Any]")

_OPTIONS = (
    click.option("--objective", is_flag=True, help="als: compute the objective after each epoch, and show it."),
    click.option(
        "--validate",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        metavar="SHARE",
        help="als: hold out this share of each user's items first, to find the best number of epochs up to --iterations, and "
        "then fit everything for so many.",
    ),
    click.option(
        "--metric", default="ndcg@20", show_default=True, metavar="NAME@K", help="als: what --validate goes by."
    ),
    click.option(
        "--patience",
        type=click.IntRange(min=1),
        default=3,
        show_default=True,
        help="als: epochs without a better value after which --validate ends.",
    ),
    click.option(
        "--checkpoint",
        metavar="FOLDER",
        help="als: write each epoch to FOLDER, and go on from there if the same fit was stopped before.",
    ),
    click.option(
        "--memory-limit", type=click.IntRange(min=1), metavar="MB", help="als: refuse a fit that needs more memory."
    ),
)


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What the command line asks of a long fit; the attributes are the options."""

    objective: bool
    validate: float | None
    metric: str
    patience: int
    checkpoint: str | None
    memory_limit: int | None

    @classmethod
    def take(cls, options: dict[str, Any], model: BaseModel) -> TrainingOptions:
        """Take them out of all the options of a command.

        Raises:
            UsageError: options that do not go together, or that the model does not have.
        """
        taken = cls(**{name: options.pop(name) for name in cls.__slots__})
        given = {
            "--objective": taken.objective,
            "--validate": taken.validate is not None,
            "--checkpoint": taken.checkpoint is not None,
            "--memory-limit": taken.memory_limit is not None,
        }
        for option, is_given in given.items():
            if is_given and not isinstance(model, ALS):
                raise click.UsageError(f"{option} is no parameter of {model.name}")
        context = click.get_current_context()
        for name in ("metric", "patience"):
            if taken.validate is None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"--{name} says how --validate judges epochs; give --validate SHARE too")
        if taken.validate is not None and taken.checkpoint is not None:
            raise click.UsageError("--checkpoint and --validate: expected one of them; validate first, without")
        return taken


def training_options(command: _F) -> _F:
    """Add the options of a long fit to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A fitted model, and the epochs that led to it.

    Attributes:
        model: fitted to everything.
        history: the epochs of the fit, or of the validation's where there was one.
        best_epoch: how many epochs the model was fitted for.
        metric: what the validation went by; None without one.
    """

    model: BaseModel
    history: Sequence[EpochReport]
    best_epoch: int
    metric: str | None

    def table(self) -> Table | None:
        """The epochs, a row each, the best in bold; None where they have no more to say than that they were."""
        measured = [report for report in self.history if report.objective is not None or report.validation is not None]
        if not measured:
            return None
        columns = ["seconds", *(["objective", "change"] if measured[0].objective is not None else [])]
        shown = table("epoch", *columns, *([self.metric] if self.metric else []))
        before: float | None = None
        for report in measured:
            cells = [f"{report.epoch}", f"{report.seconds:.2f}"]
            if report.objective is not None:
                cells += [f"{report.objective:,.1f}", "" if before is None else f"{report.objective / before - 1:+.3%}"]
                before = report.objective
            if report.validation is not None:
                cells.append(f"{report.validation:.4f}")
            best = self.metric is not None and report.epoch == self.best_epoch
            shown.add_row(*cells, style="bold" if best else None)
        return shown


def fit(model: BaseModel, interactions: Interactions, options: TrainingOptions) -> Fitted:
    """Fit a model as the options say, with a bar on standard error that tells of epochs."""
    if not isinstance(model, ALS):
        with progress(f"fitting {model.name}") as bar:
            model.fit(interactions, bar)
        return Fitted(model, (), 0, None)
    limit = None if options.memory_limit is None else options.memory_limit * 1_000_000
    if options.validate is None:
        with progress(f"fitting {model.name}") as bar:
            model.fit(
                interactions,
                bar,
                on_epoch=lambda report: bar.say(_line(report, model.iterations)),
                track_objective=options.objective,
                checkpoint=options.checkpoint,
                memory_limit=limit,
            )
        return Fitted(model, model.history, model.best_epoch, None)
    split = hold_out(interactions, options.validate, model.seed)
    with progress(f"validating {model.name}") as bar:
        model.fit(
            split.train,
            bar,
            on_epoch=lambda report: bar.say(_line(report, model.iterations, options.metric)),
            track_objective=options.objective,
            validation=Validation(split.test, options.metric, options.patience),
            memory_limit=limit,
        )
    whole = ALS(**{**model.params(), "iterations": model.best_epoch})
    with progress(f"fitting {model.name} for {model.best_epoch} epochs") as bar:
        whole.fit(interactions, bar, memory_limit=limit)
    return Fitted(whole, model.history, model.best_epoch, options.metric)


def _line(report: EpochReport, epochs: int, metric: str = "") -> str:
    parts = [f"epoch {report.epoch}/{epochs}"]
    if report.objective is not None:
        parts.append(f"objective {report.objective:,.1f}")
    if report.validation is not None:
        parts.append(f"{metric} {report.validation:.4f}")
    return ", ".join(parts)
