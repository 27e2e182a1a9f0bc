"""`recocore fraud`: scores with reasons from an event log, and what speaks for them."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from recocore.cli.events import SourceOptions, source_options
from recocore.cli.fraud_log import backup_command, export_command, restore_command
from recocore.cli.terminal import Group, console, json_option, note, print_json, table
from recocore.data.files import check_target
from recocore.data.times import to_us
from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.fraud import ECOD, FraudModel, IsolationForest, KnownRings, Ring, backtest, find_rings, fit_model
from recocore.fraud.decision import DEFAULT_SETTINGS, FraudSettings
from recocore.fraud.labels import read_labels
from recocore.fraud.report import fraud_report
from recocore.fraud.rules import OUTCOMES
from recocore.fraud.synthetic import synthetic_orders
from recocore.fraud.velocity.columns import event_times

if TYPE_CHECKING:
    from recocore.data import EventBatch
    from recocore.fraud.rules.backtesting import BacktestReport
    from recocore.types import Float64Array

_settings = click.option(
    "--settings",
    metavar="FILE",
    help="TOML with counters, rules, costs and exploration; `recocore fraud settings` prints what counts without it.",
)
_labels = click.option(
    "--labels",
    metavar="FILE",
    help="Parquet or CSV with event_id and y (1 is fraud, 0 good), and ts, when it became known, where there is a cut.",
)
_cut = click.option("--label-cut", metavar="TIME", help="Use labels known by then alone, such as 2018-07-01T00:00:00Z.")
_entities = click.option(
    "--entity",
    "entities",
    multiple=True,
    default=("device", "address_id", "payment_id"),
    show_default=True,
    help="A column whose values accounts may share; may be given more than once.",
)


_hub_cap = click.option(
    "--hub-cap",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Entities of more accounts tie nobody together, such as a popular coupon.",
)


@click.group("fraud", cls=Group)
def command() -> None:
    """Score the events of a log for fraud, with reasons.

    \b
    Examples:
      recocore fraud demo shop/
      recocore fraud fit orders.parquet --labels chargebacks.csv --out model/
      recocore fraud score model/ today.parquet --out decisions.jsonl
      recocore fraud backtest orders.parquet --labels chargebacks.csv --settings fraud.toml
      recocore fraud rings orders.parquet --entity device --entity payment_id
      recocore fraud report model/ later.parquet --labels chargebacks.csv --out report.html
    """


for _about_a_log in (export_command, backup_command, restore_command):
    command.add_command(_about_a_log)


@command.command("demo")
@click.argument("folder", metavar="FOLDER")
@click.option("--events", type=click.IntRange(1000), default=20_000, show_default=True, help="Orders to draw.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw.")
def demo(folder: str, events: int, seed: int) -> None:
    """Write simulated orders to FOLDER: learn.parquet (45 days), later.parquet (all 60) and labels.csv.

    \b
    Example:
      recocore fraud demo shop/
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    orders = synthetic_orders(events, seed=seed)
    times = orders.events.column("event_time").cast("int64").to_numpy()
    orders.events.filter(times < times.min() + 45 * 86_400_000_000).to_parquet(target / "learn.parquet")
    orders.events.to_parquet(target / "later.parquet")
    lines = [
        f"{name},{int(y)},{ts}"
        for name, y, ts in zip(
            orders.events.column("event_id").to_pylist(), orders.labels, orders.known_times, strict=True
        )
    ]
    (target / "labels.csv").write_text("event_id,y,ts\n" + "\n".join(lines) + "\n", encoding="utf-8")
    click.echo(f"{folder}: {len(orders.events):,} simulated orders, {int(orders.labels.sum()):,} of them fraud")
    click.echo(f"next: recocore fraud fit {target / 'learn.parquet'} --labels {target / 'labels.csv'} --out model/")


@command.command("settings")
def settings_command() -> None:
    """Print the settings that count where none are given: a file to begin with.

    \b
    Example:
      recocore fraud settings > fraud.toml
    """
    click.echo(DEFAULT_SETTINGS, nl=False)


@command.command("fit")
@click.argument("events", metavar="EVENTS")
@click.option("--out", required=True, metavar="FOLDER", help="Where the model goes; it must not be there yet.")
@_settings
@_labels
@_cut
@click.option(
    "--detector",
    type=click.Choice(["iforest", "ecod", "none"]),
    default="iforest",
    show_default=True,
    help="Of anomalies.",
)
@click.option("--supervised", is_flag=True, help="Learn gradient boosting from the labels; needs recocore[fraud].")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the detector and the trees.")
@json_option
@source_options
def fit(
    events: str,
    out: str,
    settings: str | None,
    labels: str | None,
    label_cut: str | None,
    detector: str,
    supervised: bool,
    seed: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Fit a model on EVENTS, in the order of the file, and write it to a folder.

    \b
    Examples:
      recocore fraud fit orders.parquet --out model/
      recocore fraud fit orders.parquet --labels chargebacks.csv --label-cut 2018-07-01T00:00:00Z --supervised --out model/
    """
    target = Path(out)
    if target.exists():
        raise InvalidArgumentError(
            f"out: expected a folder that is not there yet, got {out}; name a new one", field="out"
        )
    check_target(str(target))
    read = _read_settings(settings)
    log = SourceOptions.take(options).read_events(events)
    made = {"iforest": IsolationForest(seed=seed, num_threads=1), "ecod": ECOD(num_threads=1), "none": None}[detector]
    model, _ = fit_model(
        log,
        read.counters,
        read.rules,
        labels=_known(log, labels, label_cut),
        label_cut=label_cut or "",
        detector=made,
        supervised=supervised,
        numbers=read.numbers,
        costs=read.costs,
        exploration=read.exploration,
        decide=read.decide,
        seed=seed,
    )
    model.save(target)
    if as_json:
        print_json({"model": model.version, "rules": model.rules.version, "card": model.card.as_json()})
        return
    card = model.card
    click.echo(f"{out}: model {model.version}, rules {model.rules.version} ({len(model.rules.rules)})")
    click.echo(
        f"learnt from {card.rows:,} events, {card.fraud:,} of them known as fraud; calibration: {card.calibration}"
    )
    for limit in card.limits:
        note(limit)


@command.command("score")
@click.argument("model", metavar="MODEL")
@click.argument("events", metavar="EVENTS")
@click.option("--out", metavar="FILE", help="Write every decision with its reasons, one JSON object a line.")
@click.option("--rules", metavar="FILE", help="Settings whose rules decide in place of the model's.")
@json_option
@source_options
def score(model: str, events: str, out: str | None, rules: str | None, as_json: bool, **options: Any) -> None:
    """Decide on the events of EVENTS, counted from its beginning: the log from where the windows begin.

    \b
    Examples:
      recocore fraud score model/ today.parquet --out decisions.jsonl
      recocore fraud score model/ today.parquet --rules new.toml --json
    """
    loaded = FraudModel.load(model)
    decide = loaded.rules if rules is None else _read_settings(rules).rules
    log = SourceOptions.take(options).read_events(events)
    counts: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    target = None if out is None else check_target(out)
    lines = []
    for decision in loaded.decisions(log, rules=decide):
        counts[decision.decision] += 1
        codes.update(reason.code for reason in decision.reasons if reason.kind != "cost")
        if target is not None:
            lines.append(json.dumps(decision.as_json(), ensure_ascii=False))
    if target is not None:
        target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    outcomes = {name: counts[name] for name in OUTCOMES}
    if as_json:
        versions = {"model": loaded.version, "rules": decide.version}
        print_json({**versions, "decisions": outcomes, "reasons": dict(codes.most_common())})
        return
    shown = table("decision", "events")
    for name, count in outcomes.items():
        shown.add_row(name, f"{count:,}")
    for code, count in codes.most_common(10):
        shown.add_row(f"  reason {code}", f"{count:,}", style="dim")
    console().print(shown)


@command.command("backtest")
@click.argument("events", metavar="EVENTS")
@_settings
@_labels
@_cut
@json_option
@source_options
def backtest_command(
    events: str, settings: str | None, labels: str | None, label_cut: str | None, as_json: bool, **options: Any
) -> None:
    """Say what the rules of a file of settings would have done on EVENTS: precision, recall, blocked value.

    \b
    Example:
      recocore fraud backtest orders.parquet --labels chargebacks.csv --settings fraud.toml
    """
    read = _read_settings(settings)
    log = SourceOptions.take(options).read_events(events)
    model, _ = fit_model(log, read.counters, read.rules, numbers=read.numbers, decide=read.decide)
    scored = model.score_events(log)
    known = _known(log, labels, label_cut)
    outcomes = np.full(len(scored.rows), np.nan) if known is None else known[scored.rows]
    report = backtest(read.rules, scored.table, scored.times, outcomes, scored.table["value"])
    if as_json:
        print_json(asdict(report))
    else:
        _show(report)


@command.command("rings")
@click.argument("events", metavar="EVENTS")
@click.option("--account", default="user_id", show_default=True, help="The column of accounts.")
@_entities
@_hub_cap
@click.option("--max-rings", type=click.IntRange(1), default=5, show_default=True, help="At most so many.")
@click.option("--min-accounts", type=click.IntRange(1), default=3, show_default=True, help="Smaller ones are left out.")
@click.option(
    "--out", metavar="FILE", help="Write them for `recocore serve` ([fraud] rings); accounts are user_id then."
)
@json_option
@source_options
def rings_command(
    events: str,
    account: str,
    entities: tuple[str, ...],
    hub_cap: int,
    max_rings: int,
    min_accounts: int,
    out: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Find groups of accounts that share far more entities than others do, densest first.

    \b
    Example:
      recocore fraud rings orders.parquet --entity device --entity payment_id --max-rings 3
    """
    log = SourceOptions.take(options).read_events(events)
    found = [
        ring for ring in _rings(log, account, entities, max_rings, hub_cap)[0] if len(ring.accounts) >= min_accounts
    ]
    if out is not None:
        if account != "user_id":
            raise click.UsageError("--out goes with --account user_id, by which decisions know accounts")
        latest = event_times(log, 0)
        KnownRings(tuple(found), int(latest.max()) if len(latest) else 0).save(out)
    if as_json:
        print_json([asdict(ring) for ring in found])
        return
    shown = table("ring", "accounts", "entities", "density")
    for place, ring in enumerate(found, 1):
        shown.add_row(f"{place}", f"{len(ring.accounts):,}", f"{len(ring.entities):,}", f"{ring.density:.3f}")
    console().print(shown)
    if found:
        note("--json names the accounts and what they share")


@command.command("report")
@click.argument("model", metavar="MODEL")
@click.argument("events", metavar="EVENTS")
@click.option("--out", required=True, metavar="FILE", help="The page, one HTML file.")
@_labels
@_cut
@_entities
@click.option("--budget", type=click.IntRange(1), default=50, show_default=True, help="Alerts looked at in a day.")
@_hub_cap
@click.option("--max-rings", type=click.IntRange(0), default=4, show_default=True, help="Rings to draw; 0 for none.")
@json_option
@source_options
def report_command(
    model: str,
    events: str,
    out: str,
    labels: str | None,
    label_cut: str | None,
    entities: tuple[str, ...],
    budget: int,
    hub_cap: int,
    max_rings: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Score EVENTS, which MODEL should not have learnt from, and draw how it went as one page.

    \b
    Example:
      recocore fraud report model/ later.parquet --labels chargebacks.csv --out report.html
    """
    target = check_target(out)
    loaded = FraudModel.load(model)
    log = SourceOptions.take(options).read_events(events)
    found, edges = _rings(log, "user_id", entities, max_rings, hub_cap) if max_rings else ([], [])
    made = fraud_report(
        loaded,
        log,
        _known(log, labels, label_cut),
        rings=[ring for ring in found if len(ring.accounts) > 2],
        ring_edges=edges,
        budget=budget,
        title=f"Fraud: {Path(events).name}",
    )
    target.write_text(made.html, encoding="utf-8")
    if as_json:
        print_json(made.as_json())
    else:
        click.echo(f"{out}: {made.summary['events']:,} events; open it in a browser")


def _read_settings(path: str | None) -> FraudSettings:
    if path is None:
        return FraudSettings.from_toml(DEFAULT_SETTINGS)
    try:
        return FraudSettings.from_toml(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"{path}: there is no file of settings here") from None


def _known(log: EventBatch, path: str | None, cut: str | None) -> Float64Array | None:
    if path is None:
        return None
    by = None
    if cut is not None:
        try:
            time = datetime.fromisoformat(cut)
        except ValueError:
            raise InvalidArgumentError(f"label-cut: expected a time such as 2018-07-01T00:00:00Z, got {cut}") from None
        by = to_us(time if time.tzinfo else time.replace(tzinfo=UTC), "label_cut")
    return read_labels(path, log, by)


def _rings(
    log: EventBatch, account: str, entities: tuple[str, ...], most: int, hub_cap: int
) -> tuple[list[Ring], list[tuple[str, Any]]]:
    """The rings, and the edges between accounts and (kind, id)."""
    accounts = log.column(account).cast("string").to_pylist()
    edges = dict.fromkeys(
        (one, (kind, other))
        for kind in entities
        if log.has(kind)
        for one, other in zip(accounts, log.column(kind).cast("string").to_pylist(), strict=True)
        if one is not None and other is not None
    )
    if not edges:
        raise InvalidArgumentError(
            f"entity: expected columns that accounts share, got none of {', '.join(entities)} in the log, "
            f"which has {', '.join(log.table.column_names)}; name some with --entity",
            field="entity",
        )
    pairs = list(edges)
    found = find_rings(
        [one for one, _ in pairs],
        [other for _, (_, other) in pairs],
        kinds=[kind for _, (kind, _) in pairs],
        max_rings=most,
        hub_cap=hub_cap,
    )
    return found, pairs


def _show(report: BacktestReport) -> None:
    rows = (*report.rules, report.together)
    failing = any(rule.errors for rule in rows)
    shown = table("rule", "hits", *(["errors"] if failing else []), "fraud", "precision", "recall", "blocked", "harmed")
    for rule in rows:
        shown.add_row(
            rule.name,
            f"{rule.hits:,}",
            *([f"{rule.errors:,}"] if failing else []),
            f"{rule.fraud:,}",
            "-" if math.isnan(rule.precision) else f"{rule.precision:.3f}",
            "-" if math.isnan(rule.recall) else f"{rule.recall:.3f}",
            f"{rule.blocked_value:,.0f}",
            f"{rule.harmed_value:,.0f}",
            style="bold" if rule is report.together else None,
        )
    console().print(shown)
    click.echo(f"{report.known:,} of {report.events:,} events have a known outcome; {report.prevalence:.2%} are fraud")
