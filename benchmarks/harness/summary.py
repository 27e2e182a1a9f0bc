"""A case's figures on the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.harness.words import amount, comparison, memory, rate, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.harness.results import CaseResult, Roof
    from benchmarks.harness.scenario import Scenario


def print_case(target: Console, case: CaseResult, work_unit: str, roof: Roof | None) -> None:
    """The table of a case, who was dropped, and the rate."""
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"{case.name}  {case.title}",
        title_justify="left",
        title_style="bold",
        pad_edge=False,
    )
    table.add_column("competitor", no_wrap=True)
    for column in ("median", "p95", "spread", "memory"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("recocore is", justify="right", no_wrap=True)
    for timed in case.timed:
        times = timed.times
        table.add_row(
            timed.name,
            seconds(times.median),
            seconds(times.p95),
            seconds(times.spread),
            memory(timed.peak_bytes),
            comparison(timed.ratio.value).removeprefix("recocore is ") if timed.ratio else "",
        )
    target.print(table)
    for dropped in case.dropped:
        target.print(f"  dropped {dropped.name}: {escape(dropped.reason)}", style="yellow", soft_wrap=True)
    if case.ours is not None:
        target.print(
            f"  {amount(case.work)} {work_unit}, {rate(case.work / case.ours.times.median, work_unit)}{_roofs(case, roof)}"
        )


def _roofs(case: CaseResult, roof: Roof | None) -> str:
    if roof is None or case.ours is None:
        return ""
    return f": {case.work / case.ours.times.median / roof.rate:.2f} times the roof"


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
