"""A case's figures on the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.harness.races import finish
from benchmarks.harness.results import OURS
from benchmarks.harness.words import amount, comparison, memory, needs, one, rate, seconds, times

P = TypeVar("P")

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.harness.races import Finish
    from benchmarks.harness.results import CaseResult, Roof
    from benchmarks.harness.scenario import Scenario


def print_case(target: Console, case: CaseResult, scenario: Scenario[P], roof: Roof | None) -> None:
    """The table of a case, its races, who was dropped, and the rate."""
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"{case.name}  {case.title}",
        title_justify="left",
        title_style="bold",
        pad_edge=False,
    )
    table.add_column("competitor", no_wrap=True)
    part = scenario.part if case.parts > 1 else None
    need = ("of need",) if case.memory else ()
    of_roof = ("roof",) if case.roof else ()
    each = () if part is None else (one(part),)
    for column in ("median", *each, "p95", "spread", "memory", *need, *of_roof):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("recocore is", justify="right", no_wrap=True)
    for timed in case.timed:
        taken = timed.times
        table.add_row(
            timed.name,
            seconds(taken.median),
            *(() if part is None else (seconds(taken.median / case.parts),)),
            seconds(taken.p95),
            seconds(taken.spread),
            memory(timed.peak_bytes),
            *((needs(timed.peak_bytes, case.memory),) if case.memory else ()),
            *((f"{case.part_of_roof(timed, scenario.work_unit):.2f}",) if case.roof else ()),
            comparison(timed.ratio.value).removeprefix("recocore is ") if timed.ratio else "",
        )
    target.print(table)
    for metric, race in scenario.races.items():
        raced = finish(case, metric, race)
        if raced is not None:
            _print_race(target, raced)
    for dropped in case.dropped:
        target.print(f"  dropped {dropped.name}: {escape(dropped.reason)}", style="yellow", soft_wrap=True)
    roof = case.roof or roof
    for timed in case.timed:
        if timed.name == OURS or scenario.work_unit in timed.quality:
            work = case.work_of(timed, scenario.work_unit)
            speed = work / timed.times.median
            said = f"  {timed.name}: {amount(work)} {scenario.work_unit}, {rate(speed, scenario.work_unit)}"
            target.print(said if roof is None else f"{said}: {speed / roof.rate:.2f} times the roof", soft_wrap=True)


def _print_race(target: Console, raced: Finish) -> None:
    """Each competitor's time to the target, the fastest first."""
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"  to {raced.metric} {raced.target:.6g}, where {raced.pacemaker} ends",
        title_justify="left",
        pad_edge=False,
    )
    table.add_column("competitor", no_wrap=True)
    for column in ("time to it", "of recocore's", "in the end"):
        table.add_column(column, justify="right", no_wrap=True)
    ours = raced.ours
    for name, arrival in sorted(raced.seconds.items(), key=lambda item: (item[1] is None, item[1])):
        table.add_row(
            name,
            "never" if arrival is None else seconds(arrival),
            "" if arrival is None or ours is None else times(arrival / ours[1]),
            f"{raced.last[name]:.6g}",
        )
    target.print(table)


def print_scenarios(scenarios: Sequence[Scenario[object]], as_json: bool) -> None:
    """Every scenario with its cases and competitors."""
    if as_json:
        listed = [
            {
                "scenario": scenario.name,
                "title": scenario.title,
                "competitors": list(scenario.competitors()),
                "cases": [{"name": c.name, "when": c.when, "title": str(c.parameters)} for c in scenario.cases],
            }
            for scenario in scenarios
        ]
        click.echo(json.dumps(listed, indent=2))
        return
    target = Console(highlight=False)
    for scenario in scenarios:
        target.print(f"[bold]{scenario.name}[/bold]: {scenario.title}, {', '.join(scenario.competitors())}")
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
        for case in scenario.cases:
            table.add_row(f"  {case.name}", case.when, str(case.parameters))
        target.print(table)
