"""`recocore demo`: the whole path on a made-up shop, from its log to a recommendation over gRPC."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.markup import escape

from recocore.cli.comparison import comparison_table, measure
from recocore.cli.events import report_table
from recocore.cli.terminal import console, progress, table
from recocore.client import Client
from recocore.data import CleaningRules, Interactions, clean, split_by_time, synthetic_shop
from recocore.data.synthetic import DAYS, START
from recocore.errors import RecocoreError
from recocore.index import Index
from recocore.models import ALS, ItemKNN, Popularity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.table import Table

    from recocore.client import Recommendations
    from recocore.data import Shop


_K = 20
_READY_SECONDS = 20.0
_CALLS = 20


@click.command("demo")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the shop and the models.")
@click.option(
    "--events", "n_events", type=click.IntRange(min=2_000), default=50_000, show_default=True, help="Size of the log."
)
@click.option(
    "--keep",
    "log",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the log, dirt and all, to this Parquet file, to try fit on.",
)
def command(seed: int, n_events: int, log: Path | None) -> None:
    """Make a shop, clean its log, train three models, judge them, save an index, serve it, and ask it over gRPC.

    Nothing is left behind but what --keep asks for: the index lies in a temporary folder, and the server stops at the end.

    \b
    Examples:
      recocore demo
      recocore demo --seed 7 --events 200000
      recocore demo --keep events.parquet
    """
    started = time.perf_counter()
    target = console()
    target.rule("[bold]1. An event log, cleaned", align="left")
    with progress("making a shop"):
        shop = synthetic_shop(n_events=n_events, seed=seed, dirt=0.02)
    if log is not None:
        shop.events.to_parquet(log)
    cleaned = clean(shop.events, CleaningRules(now=START.replace(year=START.year + 1)))
    target.print(f"A made-up shop: {shop.users.num_rows:,} users, {shop.items.num_rows:,} items, {DAYS} days.")
    target.print(report_table(cleaned))

    target.rule("[bold]2. Three models, judged on the latest fifth of the log", align="left")
    split = split_by_time(cleaned.events, fraction=0.2)
    als = ALS(factors=32, iterations=10, seed=seed)
    models = [als, ItemKNN(similarity="cosine", k=100), Popularity()]
    measured = measure(models, split, [_K], ["recall", "ndcg", "hit_rate", "coverage", "novelty"])
    target.print(comparison_table(measured))
    target.print(
        f"Means over {measured[0].evaluation.n_users:,} users, {split.train.n_items:,} items ranked for each. "
        "Popularity is the baseline; als has 32 factors here, to be quick."
    )

    target.rule("[bold]3. An index, served", align="left")
    interactions = Interactions.from_events(cleaned.events)
    with progress("fitting als on the whole log") as told:
        als.fit(interactions, told)
    metrics = dict(measured[0].evaluation.means)
    with tempfile.TemporaryDirectory(prefix="recocore-demo-") as folder:
        path = Path(folder) / "index"
        index = Index.build(als, interactions, metrics=metrics)
        index.save(path)
        size = sum(file.stat().st_size for file in path.iterdir())
        target.print(f"ALS, fitted on the whole log: index {index.version}, {size / 2**20:.1f} MiB, checksummed.")
        user = _someone(index)
        with _server(path, Path(folder) / "server.log") as address, Client(address) as client:
            client.wait_until_ready(_READY_SECONDS)
            answer = client.recommend(user, page_size=5, explain=True, timeout=_READY_SECONDS)
            milliseconds = _call_milliseconds(client, user)
    target.print(f"A server on {address} answers a call in {milliseconds:.1f} ms (median of {_CALLS}).")

    target.rule(f"[bold]4. For {user}, over gRPC", align="left")
    _show_answer(target, shop, index, user, answer)
    target.print(
        f"\nDone in {time.perf_counter() - started:.1f} s. Your own log: "
        "[bold]recocore fit events.parquet --out index/[/bold]",
        soft_wrap=True,
    )


def _someone(index: Index) -> str:
    """A user with a middling number of items, so that the reasons have something to choose from."""
    counts = np.diff(index.scorer.interactions.indptr)
    active = np.flatnonzero(counts >= 5)
    chosen = active[np.argsort(counts[active], kind="stable")[len(active) // 2]] if len(active) else counts.argmax()
    return str(index.users.id_of(int(chosen)))


@contextmanager
def _server(index: Path, log: Path) -> Iterator[str]:
    """A server process on a free port; gives its address once it listens, and stops it at the end."""
    arguments = [sys.executable, "-m", "recocore.cli", "serve", str(index), "--port", "0", "--log-level", "warning"]
    with (
        log.open("wb") as errors,
        subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                said = log.read_text().strip().splitlines()
                raise RecocoreError(f"the server did not start: {said[-1] if said else 'it said nothing'}")
            yield json.loads(line)["address"]
        finally:
            process.terminate()


def _call_milliseconds(client: Client, user: str) -> float:
    """The median time of a call, reasons included, on a connection that has been used."""
    seconds = []
    for _ in range(_CALLS):
        started = time.perf_counter()
        client.recommend(user, page_size=5, explain=True)
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)


def _show_answer(target: Console, shop: Shop, index: Index, user: str, answer: Recommendations) -> None:
    about = {row["item_id"]: row for row in shop.items.to_pylist()}
    columns, weights = index.scorer.interactions.row(index.users.index_of(user))
    liked = index.items.ids_of(columns[np.argsort(-weights, kind="stable")[:3]])
    target.print("Liked so far: " + ", ".join(escape(_name(about, item_id)) for item_id in liked))
    target.print(_answer_table(about, answer))
    target.print(f"Model {answer.served_model}, fallback {answer.fallback_used}.")


def _answer_table(about: dict[str, Any], answer: Recommendations) -> Table:
    shown = table("recommended", "because of", "score", text=2)
    for item in answer.items:
        because = _name(about, item.reasons[0].item_id) if item.reasons else item.source
        shown.add_row(_name(about, item.item_id), because, f"{item.score:.3f}")
    return shown


def _name(about: dict[str, Any], item_id: str) -> str:
    return str(about[item_id]["title"])
