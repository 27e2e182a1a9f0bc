"""The command line of the house."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from rich.console import Console

from benchmarks.harness.machine import this_machine
from benchmarks.harness.page import render
from benchmarks.harness.process import ROOT
from benchmarks.harness.results import CaseResult, Dropped, Results, Skipped, write
from benchmarks.harness.runner import Settings, measure_roof, run_case
from benchmarks.harness.scenario import UnavailableError, load_scenarios
from benchmarks.harness.summary import print_case, print_scenarios

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.harness.scenario import Case, Scenario

P = TypeVar("P")

_QUICK_REPEATS = 3


@click.command("benchmarks", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("scenario", required=False)
@click.option("--case", "names", multiple=True, help="Only this case; may be given several times.")
@click.option("--repeats", type=click.IntRange(min=1), help="Rounds; what the scenario says, or 3 with --quick.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Of each competitor.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the results.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data sets; else RECOCORE_DATA.")
@click.option("--quick", is_flag=True, help="Only the quick cases.")
@click.option("--large", is_flag=True, help="The large cases too.")
@click.option("--limit", type=click.FloatRange(min=1), default=1800, show_default=True, help="Seconds a run may take.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def command(
    scenario: str | None,
    names: tuple[str, ...],
    repeats: int | None,
    threads: int,
    out: Path | None,
    data: Path | None,
    quick: bool,
    large: bool,
    limit: float,
    as_json: bool,
) -> int:
    """Run a scenario, or list them."""
    scenarios = load_scenarios()
    if scenario is None:
        print_scenarios(list(scenarios.values()), as_json)
        return 0
    if scenario not in scenarios:
        raise click.BadParameter(f"expected one of {', '.join(scenarios)}, got {scenario!r}", param_hint="SCENARIO")
    cores = len(os.sched_getaffinity(0))
    if threads > cores:
        raise click.BadParameter(
            f"expected at most the {cores} cores of this machine, got {threads}", param_hint="--threads"
        )
    chosen = scenarios[scenario]
    cases = select(chosen, names, quick, large)
    folder = out or ROOT / "benchmarks" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="recocore-bench-log-") as logs, _progress() as tell:
        settings = Settings(
            threads=threads,
            repeats=repeats or (_QUICK_REPEATS if quick else chosen.repeats),
            data=data or Path(os.environ.get("RECOCORE_DATA") or ROOT.parent / "shared" / "data"),
            limit=limit,
            log=Path(logs) / "log",
            tell=tell,
        )
        results = run_scenario(chosen, cases, settings, Console(stderr=as_json, highlight=False))
    write(folder / f"{chosen.name}.json", results.to_json())
    page = folder / f"{chosen.name}.html"
    write(page, render(results))
    if as_json:
        click.echo(results.to_json(), nl=False)
    else:
        click.echo(f"page: {page}")
    # Without figures of its own, a run has not shown what it is for.
    return 0 if results.cases and all(case.ours for case in results.cases) else 1


def run_scenario(scenario: Scenario[P], cases: Sequence[Case[P]], settings: Settings, target: Console) -> Results:
    """Measure the roof and every case in turn; each case's figures go to `target` when it is done."""
    machine = this_machine()
    roof = measure_roof(scenario, settings)
    skipped: list[Skipped] = []
    if isinstance(roof, Dropped):
        skipped.append(Skipped(f"roof: {roof.name}", roof.reason))
        target.print(f"no roof: {roof.reason}", style="yellow")
        roof = None
    done: list[CaseResult] = []
    for case in cases:
        try:
            done.append(run_case(scenario, case, settings))
        except UnavailableError as error:
            skipped.append(Skipped(case.name, str(error)))
            target.print(f"{case.name}: skipped: {error}", style="yellow")
        else:
            print_case(target, done[-1], scenario, roof)
    return Results(
        scenario=scenario.name,
        title=scenario.title,
        about=scenario.about,
        work_unit=scenario.work_unit,
        drawn=scenario.drawn,
        taken=datetime.now(UTC).date().isoformat(),
        machine=machine,
        threads=settings.threads,
        repeats=settings.repeats,
        roof=roof,
        cases=tuple(done),
        skipped=tuple(skipped),
        part=scenario.part,
        races=scenario.races,
    )


def select(scenario: Scenario[P], names: Sequence[str], quick: bool, large: bool) -> list[Case[P]]:
    """The cases asked for, in the scenario's order."""
    known = {case.name for case in scenario.cases}
    for name in names:
        if name not in known:
            raise click.BadParameter(f"expected one of {', '.join(sorted(known))}, got {name!r}", param_hint="--case")
    if names:
        return [case for case in scenario.cases if case.name in names]
    wanted = {"quick"} if quick else {"quick", "usual", "large"} if large else {"quick", "usual"}
    return [case for case in scenario.cases if case.when in wanted]


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """What is being done: one changing line on a terminal, nothing elsewhere."""
    target = Console(stderr=True)
    if not target.is_terminal:
        yield lambda message: None
        return
    with target.status("starting") as status:
        yield status.update


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code: 0, 1 (recocore has no figures), 2 (not understood), 130 (Ctrl-C)."""
    try:
        result = command.main(args=arguments, standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return 130  # whoever pressed Ctrl-C knows
    except click.ClickException as error:
        click.echo(f"benchmarks: error: {error.format_message()}", err=True)
        return error.exit_code
    return result if isinstance(result, int) else 0
