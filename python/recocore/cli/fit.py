"""`recocore fit`: from an event log to an index."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from recocore.cli.events import (
    LogOptions,
    check_quarantine,
    identities_option,
    joined_by,
    keep_quarantine,
    log_options,
    report_counts,
    report_table,
)
from recocore.cli.items import item_tables
from recocore.cli.models import make_models, model_options, take_parameters
from recocore.cli.terminal import console, print_json
from recocore.cli.training import TrainingOptions, fit, training_options
from recocore.data import Interactions
from recocore.data.paths import local_path
from recocore.index import Index, check_target
from recocore.models import MODELS

if TYPE_CHECKING:
    from recocore.cli.training import Fitted


@click.command("fit")
@click.argument("events", metavar="[EVENTS]", required=False)
@click.option("--from-state", metavar="DIR", help="Train from the log of a state, which a service may be writing.")
@click.option("--keys", metavar="FILE", help="The file of the state's master keys, where it is not beside the state.")
@click.option("--out", required=True, metavar="FOLDER", help="Where the index goes.")
@click.option("--model", "name", type=click.Choice(list(MODELS)), default="als", show_default=True, help="What to fit.")
@click.option("--overwrite", is_flag=True, help="Replace an index that stands at FOLDER.")
@click.option("--quarantine", metavar="FILE", help="Write the rows that were set aside to this Parquet file.")
@click.option("--items", metavar="FILE", help="What is known of items, a row each, to filter and group by.")
@click.option("--item-id", default="item_id", show_default=True, metavar="COLUMN", help="The column of ids in --items.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@identities_option
@log_options
@model_options
@training_options
def command(
    events: str | None,
    from_state: str | None,
    keys: str | None,
    out: str,
    name: str,
    overwrite: bool,
    quarantine: str | None,
    items: str | None,
    item_id: str,
    as_json: bool,
    identities_file: str | None,
    **options: Any,
) -> None:
    """Fit a model to EVENTS, a Parquet file (or folder of them) or a CSV file, and save an index.

    An event has at least user_id and item_id; event_time, type, event_id, value, quantity and others are used where they
    are there. Unsound events are set aside and counted by reason. The index is a folder that appears whole or not at all.

    The index keeps attributes of items, by which requests can filter: the category, brand, price and currency that the log
    last said of each, and the columns of --items (Parquet or CSV: text, lists of text, numbers, times, flags), which hold
    where both have one.

    With --from-state the log is that of a state, without those who were forgotten or withdrew consent to personalization.

    \b
    Examples:
      recocore fit events.parquet --out index/
      recocore fit clicks.csv --model itemknn --neighbors 200 --out index/ \\
          --columns user_id=customer,item_id=sku,event_time=at --time-unit s
      recocore fit log.parquet --weights view=1,cart=3,buy=10 --half-life 30d --out index/
      recocore fit log.parquet --validate 0.1 --objective --iterations 50 --out index/
      recocore fit log.parquet --factors 512 --checkpoint run/ --out index/
      recocore fit log.parquet --items catalogue.parquet --item-id sku --out index/
      recocore fit --from-state state/ --identities identities.json --out index/

    \b
    Next:
      recocore recommend index/ --user ann
      recocore serve index/
    """
    if (events is None) == (from_state is None):
        raise click.UsageError("expected either EVENTS or --from-state DIR")
    log = LogOptions.take(options)
    [model] = make_models((name,), take_parameters(options))
    training = TrainingOptions.take(options, model)
    check_target(local_path(out), overwrite=overwrite)
    check_quarantine(quarantine, events)
    join = joined_by(identities_file)
    cleaned = log.read(events, join) if events is not None else log.read_state(str(from_state), keys, join)
    keep_quarantine(cleaned, quarantine)
    if not as_json:
        console().print(report_table(cleaned))
    attributes = item_tables(items, item_id, cleaned.events)
    interactions = Interactions.from_events(cleaned.events, log.weights, log.half_life)
    started = time.perf_counter()
    fitted = fit(model, interactions, training)
    seconds = time.perf_counter() - started
    index = Index.build(fitted.model, interactions, attributes=attributes)
    index.save(out, overwrite=overwrite)
    if as_json:
        print_json({"events": report_counts(cleaned), **_summary(index, fitted, out, seconds)})
    else:
        target = console()
        if (epochs := fitted.table()) is not None:
            target.print(epochs)
        if fitted.metric is not None:
            target.print(
                f"{fitted.best_epoch} epochs ranked held-out pairs best ({fitted.metric}); everything is fitted for so many",
                soft_wrap=True,
            )
        target.print(
            f"fitted {name} on {interactions.nnz:,} pairs of {interactions.n_users:,} users and "
            f"{interactions.n_items:,} items in {seconds:.2f} s",
            soft_wrap=True,
        )
        if index.fields:
            known = ", ".join(f"{field} ({kind})" for field, kind in index.fields.items())
            target.print(f"attributes of items: {escape(known)}", soft_wrap=True)
        target.print(
            f"saved index {index.version} in [bold]{escape(out)}[/bold]; next: recocore serve {escape(out)}",
            soft_wrap=True,
        )


def _summary(index: Index, fitted: Fitted, out: str, seconds: float) -> dict[str, Any]:
    epochs = {"best_epoch": fitted.best_epoch, "history": [report.to_dict() for report in fitted.history]}
    return {
        "model": fitted.model.name,
        "params": fitted.model.params(),
        **(epochs if fitted.history else {}),
        "users": len(index.users),
        "items": len(index.items),
        "interactions": index.scorer.interactions.nnz,
        "attributes": dict(index.fields),
        "fit_seconds": seconds,
        "index": out,
        "version": index.version,
    }
