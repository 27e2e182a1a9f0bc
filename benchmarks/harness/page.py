"""A run's results as one page that needs nothing beside it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from benchmarks.harness import plots
from benchmarks.harness.races import finish
from benchmarks.harness.results import OURS, is_ours
from benchmarks.harness.statistics import ratio_of_medians
from benchmarks.harness.words import amount, comparison, memory, needs, one, rate, seconds, times

if TYPE_CHECKING:
    from benchmarks.harness.machine import Machine
    from benchmarks.harness.races import Finish
    from benchmarks.harness.results import CaseResult, Results, Timed
    from benchmarks.harness.scenario import Race
    from benchmarks.harness.statistics import Ratio

_CSS = """
:root { color-scheme: light dark; --paper: #fcfcfb; --ink: #1b1b1a; --muted: #63625d; --rule: #e2e1dc; --ours: #2a6fd0;
  --peer: #a9a79f; --loss: #a83a1c; --win: #1d6b34; }
@media (prefers-color-scheme: dark) { :root { --paper: #1a1a19; --ink: #eeede8; --muted: #a5a39b; --rule: #373632;
  --ours: #4c8fec; --peer: #77756d; --loss: #f08a6a; --win: #79c98f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 3rem 0 .1rem; }
p { margin: .4rem 0 .9rem; }
.muted, .dropped, table, dl { font-size: .92rem; }
.muted, th, dt, small { color: var(--muted); }
.win { color: var(--win); font-weight: 600; }
.loss { color: var(--loss); font-weight: 600; }
.dropped { border-left: 3px solid var(--loss); padding-left: .7rem; }
ul.verdicts { list-style: none; padding: 0; margin: 1.4rem 0; }
ul.verdicts li { padding: .45rem 0; border-top: 1px solid var(--rule); }
figure, .wide { margin: .6rem 0; overflow-x: auto; }
figure svg { display: block; width: 100%; min-width: 23rem; max-width: 44rem; height: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th { font-weight: 500; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tr.ours td { font-weight: 600; }
td small { font-weight: 400; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; }
dd { margin: 0; overflow-wrap: anywhere; }
"""


def render(results: Results) -> str:
    """The page: verdicts, then each case with its plot and table, the curves, and how the figures were taken."""
    curves: dict[str, list[CaseResult]] = {}
    for case in results.cases:
        if case.curve is not None:
            curves.setdefault(case.curve, []).append(case)
    parts = [
        f"<h1>{escape(results.title)}</h1>",
        f'<p class="muted">{_setting(results)}</p>',
        _verdicts(results),
        *(_case(case, results) for case in results.cases if case.curve is None),
        *(_curve(name, cases, results) for name, cases in curves.items()),
        _skipped(results),
        f"<h2>How it was measured</h2><p>{escape(results.about)}</p>",
        f"<p>Each library runs in a process of its own, pinned to {results.threads} cores with as many threads. Those whose "
        f"result is right are timed in turns, {results.repeats} rounds. Shown are the median, the 95th percentile, the "
        "median absolute deviation, and the memory above what the process held with its input loaded. A ratio is the "
        "peer's median over recocore's, with a 95&nbsp;% interval from resampled rounds.</p>",
        _machine(results.machine),
    ]
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(results.title)}: recocore and its peers</title><style>{_CSS}</style></head>"
    )
    body = "\n".join(part for part in parts if part)
    return f"{head}<body>\n{body}\n</body></html>\n"


def _setting(results: Results) -> str:
    commit = "" if results.machine.commit is None else f", commit {results.machine.commit[:12]}"
    changed = " with uncommitted changes" if results.machine.dirty else ""
    machine = results.machine
    return escape(f"{results.taken} · {machine.cpu}, {machine.isa} · {results.threads} threads{commit}{changed}")


def _verdicts(results: Results) -> str:
    """A line a case: the ratio to the fastest peer, a loss as plain as a win. A race decides where there is one."""
    lines = []
    for case in results.cases:
        races = [raced for metric, race in results.races.items() if (raced := finish(case, metric, race)) is not None]
        said = [_race_verdict(raced) for raced in races] or _time_verdicts(case)
        lines += [f"<li>{escape(case.name)}: {verdict}</li>" for verdict in said]
    return f'<ul class="verdicts">{"".join(lines)}</ul>' if lines else ""


def _time_verdicts(case: CaseResult) -> list[str]:
    """The fastest of ours against the fastest peer, of each kind of answer."""
    said = []
    for group in dict.fromkeys(entry.group for entry in case.timed):
        entries = sorted((entry for entry in case.timed if entry.group == group), key=lambda entry: entry.times.median)
        ours = next((entry for entry in entries if is_ours(entry.name)), None)
        best = next((entry for entry in entries if not is_ours(entry.name)), None)
        if ours is None or best is None:
            continue
        ratio = ratio_of_medians(best.times.seconds, ours.times.seconds)
        kind = f" {escape(group)}" if group else ""
        said.append(
            f"{_verdict(ratio.value)} than {escape(best.name)}, the fastest{kind} peer "
            f'<span class="muted">({_interval(ratio)})</span>'
        )
    return said


def _race_verdict(raced: Finish) -> str:
    peer, theirs = raced.peer
    to = f"to {escape(raced.metric)} {raced.target:.5g}"
    if raced.ours is None:
        return f'<span class="loss">recocore does not come</span> {to}, as {escape(peer)} does'
    name, seconds_taken = raced.ours
    way = "" if name == OURS else f" ({escape(name)})"
    return f"{_verdict(theirs / seconds_taken)} {to}{way} than {escape(peer)}, the fastest peer there"


def _verdict(ratio: float) -> str:
    return f'<span class="{"win" if ratio >= 1 else "loss"}">{comparison(ratio)}</span>'


def _interval(ratio: Ratio) -> str:
    """In the direction of the words: faster where the ratio is above 1, else slower."""
    low, high = (ratio.low, ratio.high) if ratio.value >= 1 else (1 / ratio.high, 1 / ratio.low)
    return f"{times(low)} to {times(high)}"


def _case(case: CaseResult, results: Results) -> str:
    facts = ", ".join(f"{value:,} {name}" for name, value in case.facts.items())
    described = escape(f"{case.title}; {facts}")
    plot = f"<figure>{plots.bars(case)}</figure>" if case.timed else ""
    has_quality = any(results.drawn in entry.quality for entry in case.timed)
    quality = f"<figure>{plots.scatter(case, results.drawn)}</figure>" if results.drawn and has_quality else ""
    races = "".join(_race(case, metric, race) for metric, race in results.races.items())
    return (
        f'<h2>{escape(case.name)}</h2><p class="muted">{described}</p>{_missing(case)}{races or plot}{quality}'
        f"{_table(case, results)}{_rate(case, results)}"
    )


def _race(case: CaseResult, metric: str, race: Race) -> str:
    """How a quality comes about, and who is first at what the peers come to."""
    raced = finish(case, metric, race)
    if raced is None:
        return ""
    rows = []
    for name, arrival in sorted(raced.seconds.items(), key=lambda item: (item[1] is None, item[1])):
        against = "" if arrival is None or raced.ours is None else times(arrival / raced.ours[1])
        cells = [escape(name), "never" if arrival is None else seconds(arrival), against, f"{raced.last[name]:.6g}"]
        mark = ' class="ours"' if is_ours(name) else ""
        rows.append(f"<tr{mark}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    head = "".join(
        f"<th>{column}</th>"
        for column in (
            "",
            f"to {escape(metric)} {raced.target:.5g}",
            "against recocore's best",
            f"{escape(metric)} in the end",
        )
    )
    return (
        f"<figure>{plots.trajectories(case, metric, race)}</figure>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _missing(case: CaseResult) -> str:
    lines = [f"{escape(dropped.name)} has no figures: {escape(dropped.reason)}" for dropped in case.dropped]
    if case.ours is None:
        lines.append("Without recocore's own figures there are no ratios.")
    return f'<p class="dropped">{"<br>".join(lines)}</p>' if lines else ""


def _table(case: CaseResult, results: Results) -> str:
    metrics = list(dict.fromkeys(name for entry in case.timed for name in entry.quality if name != results.work_unit))
    part = [one(results.part)] if results.part and case.parts > 1 else []
    need = ["of need"] if case.memory else []
    of_roof = ["of the roof"] if case.roof else []
    columns = ["", "median", *part, "p95", "spread", "memory", *need, *of_roof, *metrics, "time / recocore's"]
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    rows = "".join(
        _row(entry, metrics, case, results.work_unit)
        for entry in sorted(case.timed, key=lambda entry: entry.times.median)
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>' if rows else ""


def _row(entry: Timed, metrics: list[str], case: CaseResult, work_unit: str) -> str:
    own_version = next(iter(entry.versions.values()), "")
    cells = [
        f"{escape(entry.name)} <small>{escape(own_version)}</small>",
        seconds(entry.times.median),
        *([seconds(entry.times.median / case.parts)] if case.parts > 1 else []),
        seconds(entry.times.p95),
        seconds(entry.times.spread),
        memory(entry.peak_bytes),
        *([needs(entry.peak_bytes, case.memory)] if case.memory else []),
        *([f"{case.part_of_roof(entry, work_unit):.2f}"] if case.roof else []),
        *(f"{entry.quality[name]:.3g}" if name in entry.quality else "" for name in metrics),
        _ratio(entry.ratio),
    ]
    mark = ' class="ours"' if is_ours(entry.name) else ""
    return f"<tr{mark}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _ratio(ratio: Ratio | None) -> str:
    return "" if ratio is None else f"{times(ratio.value)} <small>{times(ratio.low)} to {times(ratio.high)}</small>"


def _rate(case: CaseResult, results: Results) -> str:
    """A sentence for recocore, and one for each of its other ways that says what work it did."""
    said = []
    roof = case.roof or results.roof
    for entry in case.timed:
        if entry.name != OURS and results.work_unit not in entry.quality:
            continue
        work = case.work_of(entry, results.work_unit)
        own = work / entry.times.median
        line = f"{amount(work)} {results.work_unit}: {entry.name} does {rate(own, results.work_unit)}"
        if roof is not None:
            line += f", {own / roof.rate:.2f} times the roof of {rate(roof.rate)} ({roof.name})"
        said.append(escape(f"{line}."))
    return f'<p class="muted">{"<br>".join(said)}</p>' if said else ""


def _curve(name: str, cases: list[CaseResult], results: Results) -> str:
    timed = [case for case in cases if case.timed]
    plot = f"<figure>{plots.curve(name, timed, results.work_unit)}</figure>" if timed else ""
    columns = ["", name, results.work_unit, "median", "p95", "spread", "memory", "rate", "roofs"]
    rows = []
    for case in cases:
        if case.ours is None:
            continue
        own, size = case.ours, case.facts.get(name)
        speed = case.work / own.times.median
        cells = [
            escape(case.name),
            "" if size is None else f"{size:,}",
            amount(case.work),
            seconds(own.times.median),
            seconds(own.times.p95),
            seconds(own.times.spread),
            memory(own.peak_bytes),
            rate(speed),
            "" if results.roof is None else f"{speed / results.roof.rate:.2f}",
        ]
        rows.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    missing = "".join(_missing(case) for case in cases)
    return (
        f"<h2>Growing with {escape(name)}</h2>{missing}{plot}"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _skipped(results: Results) -> str:
    lines = "".join(f"<li>{escape(skipped.name)}: {escape(skipped.reason)}</li>" for skipped in results.skipped)
    return f"<h2>Not measured</h2><ul>{lines}</ul>" if lines else ""


def _machine(machine: Machine) -> str:
    facts = {
        "CPU": f"{machine.cpu}, {machine.cores} cores, {memory(machine.memory_bytes)}",
        "instruction set": machine.isa,
        "system": machine.system,
        "versions": f"recocore {machine.recocore}, Python {machine.python}, NumPy {machine.numpy}",
        "commit": "not a checkout"
        if machine.commit is None
        else machine.commit + (" and changes" if machine.dirty else ""),
    }
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(fact)}</dd>' for name, fact in facts.items())}</dl>"
