"""Several models on one split: what evaluate and demo measure and show."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.text import Text

from recocore.cli.terminal import progress, table
from recocore.evaluation import evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from recocore.data import Split
    from recocore.evaluation import Evaluation
    from recocore.models import BaseModel


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A fitted model and how it did."""

    model: BaseModel
    fit_seconds: float
    evaluation: Evaluation


def measure(
    models: Sequence[BaseModel],
    split: Split,
    k: Sequence[int],
    metrics: Sequence[str],
    *,
    exclude_seen: bool = True,
    newcomers: bool = False,
) -> list[Measured]:
    """Fit each model on the split's training side and judge it on the other.

    Users without a training pair are judged only if `newcomers`: a model knows nothing of them, and a server gives them
    the fallback.
    """
    users = None if newcomers else np.flatnonzero(np.diff(split.train.matrix.indptr))
    measured = []
    for model in models:
        started = time.perf_counter()
        with progress(f"fitting {model.name}") as told:
            model.fit(split.train, told)
        seconds = time.perf_counter() - started
        with progress(f"judging {model.name}") as told:
            evaluation = evaluate(
                model,
                split.test,
                k=k,
                metrics=metrics,
                train=split.train,
                exclude_seen=exclude_seen,
                users=users,
                progress=told,
            )
        measured.append(Measured(model, seconds, evaluation))
    return measured


def count_newcomers(split: Split) -> int:
    """How many users have held-out pairs but none to learn from."""
    learned, asked = (np.diff(side.matrix.indptr) > 0 for side in (split.train, split.test))
    return int((asked & ~learned).sum())


def comparison_table(measured: Sequence[Measured], title: str | None = None) -> Table:
    """Metrics by row, models by column; the best value of an accuracy metric is bold."""
    shown = table("", *(one.model.name for one in measured), title=title)
    for name in measured[0].evaluation.means:
        values = [one.evaluation[name] for one in measured]
        # Where values differ by rounding only there is no best; of spread and novelty, more is not better.
        best = max(values) if name.split("@")[0] not in _NEITHER_GOOD_NOR_BAD else None
        shown.add_row(name, *(Text(f"{v:.4f}", style="bold" if v == best else "") for v in values))
    shown.add_row("fit seconds", *(f"{one.fit_seconds:.2f}" for one in measured), style="dim")
    return shown


def as_json(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """The same as JSON holds it."""
    return [
        {
            "model": one.model.name,
            "params": one.model.params(),
            "fit_seconds": one.fit_seconds,
            **one.evaluation.to_dict(),
        }
        for one in measured
    ]


_NEITHER_GOOD_NOR_BAD = frozenset({"coverage", "gini", "novelty", "intra_list_diversity"})
