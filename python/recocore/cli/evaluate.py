"""`recocore evaluate`: how good a model is on events that it has not seen."""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING, Any

import click

from recocore.cli.comparison import as_json as measured_json
from recocore.cli.comparison import comparison_table, count_newcomers, measure
from recocore.cli.events import LogOptions, log_options, report_counts, report_table
from recocore.cli.models import make_models, model_options, take_parameters
from recocore.cli.parameters import cutoffs
from recocore.cli.terminal import console, note, print_json
from recocore.data import Interactions, Split, hold_out, leave_last_out, split_by_time
from recocore.data.weighting import weigh
from recocore.evaluation import METRICS
from recocore.models import MODELS, Popularity

if TYPE_CHECKING:
    from recocore.data import EventBatch

_BASELINE = Popularity.name
# What needs no more than the log: the similarity of listed items needs vectors of theirs.
_METRICS = tuple(metric for metric in METRICS if metric != "intra_list_diversity")


@click.command("evaluate")
@click.argument("events", metavar="EVENTS")
@click.option(
    "--model",
    "names",
    type=click.Choice(list(MODELS)),
    multiple=True,
    default=("als",),
    show_default=True,
    help="What to judge; may be given more than once. Popularity is always judged beside it.",
)
@click.option(
    "--split",
    "kind",
    type=click.Choice(["time", "leave-last", "random"]),
    default="time",
    show_default=True,
    help="What to hold out: the latest events, each user's latest item, or a random part of each user's items.",
)
@click.option(
    "--test-share", type=float, default=0.2, show_default=True, help="Part that time and random splits hold out."
)
@click.option("--test", metavar="FILE", help="Hold-out events in a file of their own, read like EVENTS; no split then.")
@click.option(
    "--k", type=cutoffs, metavar="N,...", default="20", show_default=True, help="Lengths of the lists, such as 5,20."
)
@click.option(
    "--metrics", default="recall,ndcg,map,coverage,novelty", show_default=True, help=f"Among {', '.join(_METRICS)}."
)
@click.option("--include-seen", is_flag=True, help="Let items of the training side come back: for repeat purchases.")
@click.option(
    "--newcomers", is_flag=True, help="Judge users without training events too, of whom a model knows nothing."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@log_options
@model_options
def command(
    events: str,
    names: tuple[str, ...],
    kind: str,
    test_share: float,
    test: str | None,
    k: list[int],
    metrics: str,
    include_seen: bool,
    newcomers: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Fit models on a part of EVENTS and measure how well they foresee the rest, beside the popularity baseline.

    Every item that the user did not have before is ranked; metrics are means over the users with held-out items whom the
    training events know.

    \b
    Examples:
      recocore evaluate events.parquet --model als --model itemknn
      recocore evaluate ratings.parquet --columns user_id=user,item_id=item,event_time=timestamp \\
          --time-unit s --split leave-last --k 5,20
      recocore evaluate train.parquet --test test.parquet --columns user_id=user,item_id=item --json
    """
    log = LogOptions.take(options)
    parameters = take_parameters(options)
    models = make_models(tuple(dict.fromkeys(names)), parameters)
    if _BASELINE not in names:
        models.append(Popularity())
    cleaned = log.read(events)
    if not as_json:
        console().print(report_table(cleaned))
    if test is not None:
        split = _given(cleaned.events, log.read(test).events, log)
    else:
        split = _split(cleaned.events, kind, test_share, int(parameters.get("seed", 0)), log)
    asked = [name.strip() for name in metrics.split(",") if name.strip()]
    measured = measure(models, split, k, asked, exclude_seen=not include_seen, newcomers=newcomers)
    judged = measured[0].evaluation.n_users
    how = "held out in a file of its own" if test is not None else f"held out by {kind}"
    peak = _peak_bytes()
    if as_json:
        print_json(
            {
                "events": report_counts(cleaned),
                "split": kind if test is None else "given",
                "train": _size(split.train),
                "test": _size(split.test),
                "newcomers": {"users": count_newcomers(split), "judged": newcomers},
                "models": measured_json(measured),
                "peak_memory_bytes": peak,
            }
        )
        return
    target = console()
    target.print(comparison_table(measured))
    left_out = 0 if newcomers else count_newcomers(split)
    remarks = (
        f"{split.train.nnz:,} pairs of {split.train.n_users:,} users and {split.train.n_items:,} items to learn from",
        f"{split.test.nnz:,} pairs {how}, {judged:,} users judged"
        + (f"; {left_out:,} newcomers left out (see --newcomers)" if left_out else ""),
        f"peak memory {peak / 2**20:,.0f} MiB",
    )
    for remark in remarks:
        target.print(remark, soft_wrap=True)


def _split(events: EventBatch, kind: str, share: float, seed: int, log: LogOptions) -> Split:
    if kind == "time":
        return split_by_time(events, fraction=share, weights=log.weights, half_life=log.half_life)
    interactions = Interactions.from_events(events, log.weights, log.half_life)
    return leave_last_out(interactions) if kind == "leave-last" else hold_out(interactions, share, seed)


def _given(train: EventBatch, test: EventBatch, log: LogOptions) -> Split:
    learned = Interactions.from_events(train, log.weights, log.half_life)
    counted = weigh(test, log.weights)
    asked = learned.aligned(counted.users, counted.items, counted.weights, unknown="drop")
    dropped = len(counted.weights) - _known(learned, counted.users, counted.items)
    if dropped:
        note(
            f"{dropped:,} of {len(counted.weights):,} held-out events are of users or items that EVENTS lacks; left out"
        )
    return Split(learned, asked)


def _known(learned: Interactions, users: Any, items: Any) -> int:
    return int(((learned.users.indices_of(users) >= 0) & (learned.items.indices_of(items) >= 0)).sum())


def _size(interactions: Interactions) -> dict[str, int]:
    return {"users": interactions.n_users, "items": interactions.n_items, "interactions": interactions.nnz}


def _peak_bytes() -> int:
    """The most memory that this process has held; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
