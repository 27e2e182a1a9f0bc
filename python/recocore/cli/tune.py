"""`recocore tune`: which parameters of ALS suit a log."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from recocore.cli.events import LogOptions, log_options, report_counts, report_table
from recocore.cli.parameters import cutoffs
from recocore.cli.terminal import console, note, print_json, progress, table
from recocore.data import Interactions
from recocore.models import SearchSpace
from recocore.models import tune as search

if TYPE_CHECKING:
    from recocore.models import TuningResult

_SHOWN = ("factors", "regularization", "alpha0", "nu", "iterations")


@click.command("tune")
@click.argument("events", metavar="EVENTS")
@click.option(
    "--trials", type=click.IntRange(min=1), default=27, show_default=True, help="Choices of parameters to try."
)
@click.option(
    "--iterations", type=click.IntRange(min=1), default=16, show_default=True, help="Epochs of the longest fits."
)
@click.option(
    "--factors", type=cutoffs, metavar="N,...", default="64,128", show_default=True, help="Lengths to choose from."
)
@click.option("--metric", default="ndcg@20", show_default=True, help="What to make large, such as recall@50.")
@click.option("--seconds", type=float, help="Begin no further fit after this long.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of everything drawn.")
@click.option("--num-threads", type=int, default=0, show_default=True, help="0 for one a core.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@log_options
def command(
    events: str,
    trials: int,
    iterations: int,
    factors: list[int],
    metric: str,
    seconds: float | None,
    seed: int,
    num_threads: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Search for the parameters of als that rank a held-out tenth of each user's items in EVENTS best.

    All trials get short fits, the best third of them longer ones, and so on. The last line is the command that fits the
    winner; the same seed finds the same one.

    \b
    Examples:
      recocore tune events.parquet
      recocore tune events.parquet --trials 9 --factors 32,64 --metric recall@50 --json
    """
    log = LogOptions.take(options)
    cleaned = log.read(events)
    if not as_json:
        console().print(report_table(cleaned))
    interactions = Interactions.from_events(cleaned.events, log.weights, log.half_life)
    with progress("searching") as told:
        found = search(
            interactions,
            metric=metric,
            space=SearchSpace(factors=tuple(factors)),
            trials=trials,
            iterations=iterations,
            seconds=seconds,
            seed=seed,
            num_threads=num_threads,
            progress=told,
        )
    if as_json:
        print_json(
            {
                "events": report_counts(cleaned),
                "metric": found.metric,
                "complete": found.complete,
                "parameters": dict(found.parameters),
                "trials": [asdict(trial) for trial in found.ranked],
            }
        )
        return
    _show(found)
    chosen = " ".join(f"--{name} {found.parameters[name]:g}" for name in _SHOWN)
    console().print(f"next: recocore fit {events} --model als {chosen} --out INDEX", soft_wrap=True)


def _show(found: TuningResult) -> None:
    shown = table("trial", "factors", "regularization", "alpha0", "nu", "epochs", found.metric, title="best first")
    for trial in found.ranked:
        if trial.rungs:
            numbers = (f"{trial.regularization:.4g}", f"{trial.alpha0:.4g}", f"{trial.nu:.2f}")
            shown.add_row(str(trial.number), str(trial.factors), *numbers, str(trial.epochs), f"{trial.value:.4f}")
    console().print(shown)
    if not found.complete:
        note("the time was up before every trial had its fits; --seconds gives more")
