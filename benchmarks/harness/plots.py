"""Plots as SVG inside a page, whose style sheet gives them their colours, light or dark."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks.harness.results import OURS, is_ours
from benchmarks.harness.statistics import power_law
from benchmarks.harness.words import amount, comparison, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.harness.results import CaseResult
    from benchmarks.harness.scenario import Race

# Stand-ins that matplotlib writes out and that become variables of the page's style sheet.
_INK, _MUTED, _RULE, _OURS, _PEER, _PAPER = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
_VARIABLES = {
    _INK: "var(--ink)",
    _MUTED: "var(--muted)",
    _RULE: "var(--rule)",
    _OURS: "var(--ours)",
    _PEER: "var(--peer)",
    _PAPER: "var(--paper)",
}
_WIDTH = 6.0
# On a logarithmic axis nothing is at zero: whoever comes this near the lowest value is drawn here. Races tell less apart.
_LEAST_EXCESS = 1e-4
# Pixels between the middles of two names, and where they begin on the width of the axes.
_LABEL_GAP = 12.5
_LABELS_AT = 0.74
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "recocore",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _RULE,
    "axes.labelcolor": _MUTED,
    "xtick.color": _RULE,
    "ytick.color": _RULE,
    "xtick.labelcolor": _MUTED,
    "ytick.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _RULE,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
}


@dataclass(frozen=True, slots=True)
class _Bar:
    """A time with its name, what is said beside it, how far a bad run goes, and its colours inside and at the edge."""

    name: str
    seconds: float
    p95: float
    words: str
    fill: str
    edge: str


def bars(case: CaseResult) -> str:
    """The median time of every competitor, fastest first, with its ratio to recocore's on the bar.

    The case's own roof, where it has one, stands among them as an outline: the time of the same work at its rate.
    """
    drawn = sorted(_bars(case), key=lambda bar: bar.seconds, reverse=True)
    rows = range(len(drawn))
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(0.35 + 0.42 * len(drawn))
        fills, edges = [bar.fill for bar in drawn], [bar.edge for bar in drawn]
        axes.barh(rows, [bar.seconds for bar in drawn], height=0.56, color=fills, edgecolor=edges)
        for row, bar in enumerate(drawn):
            # The p95 as a thin line from the bar's end: what a bad run takes.
            axes.plot([bar.seconds, bar.p95], [row, row], color=_MUTED, linewidth=1.4)
            end = max(bar.seconds, bar.p95)
            axes.annotate(bar.words, (end, row), (6, 0), textcoords="offset points", va="center")
        axes.set_yticks(rows, [bar.name for bar in drawn])
        axes.set_xlim(0, 2.1 * max(bar.p95 for bar in drawn))
        axes.tick_params(length=0)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        return _svg(figure, f"bars-{case.name}", f"Median times of {case.name}")


def _bars(case: CaseResult) -> Iterator[_Bar]:
    for entry in case.timed:
        said = f": {comparison(entry.ratio.value)}" if entry.ratio and not is_ours(entry.name) else ""
        colour = _OURS if is_ours(entry.name) else _PEER
        median = entry.times.median
        yield _Bar(entry.name, median, entry.times.p95, f"{seconds(median)}{said}", colour, "none")
    if case.roof is not None:
        taken = case.work / case.roof.rate
        yield _Bar("roof", taken, taken, f"{seconds(taken)}: {case.roof.name}", "none", _MUTED)


def curve(name: str, cases: Sequence[CaseResult], work_unit: str) -> str:
    """Median time against work, both on logarithmic axes, with recocore's slope."""
    names = list(dict.fromkeys(entry.name for case in cases for entry in case.timed))
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(3.4)
        for competitor in names:
            points = sorted(
                (case.work, entry.times.median) for case in cases for entry in case.timed if entry.name == competitor
            )
            work, medians = zip(*points, strict=True)
            colour = _OURS if competitor == OURS else _PEER
            label = competitor
            if len(points) > 1:
                slope, factor = power_law(work, medians)
                label = f"{competitor}, slope {slope:.2f}"
                axes.plot(work, [factor * size**slope for size in work], color=colour, linewidth=1.2, linestyle="--")
            axes.plot(work, medians, "o", color=colour, markersize=8, markeredgecolor=_PAPER, markeredgewidth=1.5)
            axes.annotate(label, points[-1], (-8, 10), textcoords="offset points", ha="right", weight="bold")
        for case in cases:
            if case.ours is not None:
                point = (case.work, case.ours.times.median)
                said = _round(amount(case.facts[name])) if name in case.facts else case.name
                axes.annotate(said, point, (8, -12), textcoords="offset points", color=_MUTED)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.margins(x=0.12, y=0.16)
        _log_ticks(axes.xaxis, amount)
        _log_ticks(axes.yaxis, seconds)
        axes.grid(True)
        axes.set_xlabel(work_unit)
        axes.set_ylabel("median time")
        axes.tick_params(axis="y", labelcolor=_MUTED)
        return _svg(figure, f"curve-{name}", f"Time against {work_unit}")


def scatter(case: CaseResult, metric: str) -> str:
    """Time against quality: up and to the left is better."""
    timed = [entry for entry in case.timed if metric in entry.quality]
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(3.0)
        for entry in timed:
            colour = _OURS if entry.name == OURS else _PEER
            point = (entry.times.median, entry.quality[metric])
            axes.plot(*point, "o", color=colour, markersize=9, markeredgecolor=_PAPER, markeredgewidth=1.5)
            axes.annotate(entry.name, point, (0, 9), textcoords="offset points", ha="center")
        axes.set_xscale("log")
        axes.margins(x=0.25, y=0.3)
        _log_ticks(axes.xaxis, seconds)
        axes.grid(True)
        axes.set_xlabel("median time (left is better)")
        axes.set_ylabel(f"{metric} (up is better)")
        axes.tick_params(axis="y", labelcolor=_MUTED)
        return _svg(figure, f"scatter-{case.name}", f"Time and {metric} of {case.name}")


def trajectories(case: CaseResult, metric: str, race: Race) -> str:
    """A quality against time on its way: up (or down) and to the left is better.

    What falls is drawn as the part by which it is above the lowest value that anyone comes to, on a logarithmic axis.
    """
    runners = [entry for entry in case.timed if entry.trajectory and metric in entry.trajectory[-1].quality]
    lowest = min(point.quality[metric] for entry in runners for point in entry.trajectory)
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(4.2)
        ends: list[tuple[float, float, str]] = []
        for entry in sorted(runners, key=lambda entry: is_ours(entry.name)):
            ours = is_ours(entry.name)
            spent = [point.share * entry.times.median for point in entry.trajectory]
            values = [point.quality[metric] for point in entry.trajectory]
            if not race.rising:
                values = [max(value / lowest - 1, _LEAST_EXCESS) for value in values]
            style = {"color": _OURS if ours else _PEER, "linewidth": 2.2 if entry.name == OURS else 1.3}
            axes.plot(spent, values, "-o", markersize=3.2 if entry.name == OURS else 2.2, **style)
            ends.append((spent[-1], values[-1], entry.name))
        axes.set_xscale("log")
        if not race.rising:
            axes.set_yscale("log")
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
        left, right = axes.get_xlim()
        axes.set_xlim(left, right * (right / left) ** 0.42)
        _log_ticks(axes.xaxis, seconds)
        axes.grid(True)
        axes.set_xlabel("time (left is better)")
        better = f"{metric} (up is better)" if race.rising else f"{metric} above the lowest (down is better)"
        axes.set_ylabel(better)
        axes.tick_params(axis="y", labelcolor=_MUTED)
        _label_ends(axes, ends)
        return _svg(figure, f"{metric}-{case.name}", f"{metric} of {case.name} against time")


def _label_ends(axes: Any, ends: Sequence[tuple[float, float, str]]) -> None:
    """Names right of all lines, apart from each other, with a thin line to where each ends."""
    bottom, top = axes.transAxes.transform([(0, 0), (0, 1)])[:, 1]
    heights = {name: axes.transData.transform((x, y))[1] for x, y, name in ends}
    ordered = sorted(ends, key=lambda end: heights[end[2]])
    gap = min((top - bottom) / len(ends), _LABEL_GAP)
    placed: list[float] = []
    for _, _, name in ordered:
        placed.append(max(heights[name], placed[-1] + gap if placed else bottom))
    above = max(0.0, placed[-1] - top)
    for position in reversed(range(len(placed))):
        limit = placed[position + 1] - gap if position + 1 < len(placed) else top
        placed[position] = min(placed[position] - (above if position + 1 == len(placed) else 0.0), limit)
    at = axes.transAxes.transform((_LABELS_AT, 0))[0]
    for (x, y, name), height in zip(ordered, placed, strict=True):
        text = axes.transData.inverted().transform((at, height))
        axes.plot([x, text[0]], [y, text[1]], color=_RULE, linewidth=0.7, zorder=0)
        axes.annotate(
            name,
            text,
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=_OURS if is_ours(name) else _INK,
            weight="bold" if name == OURS else "normal",
        )


def _figure(height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def _log_ticks(axis: Any, words: Callable[[float], str]) -> None:
    """Powers of ten, and where there are few of them 2 and 5 times them."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0,) if high / low > 300 else (1.0, 2.0, 5.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _round(words(value))))


def _round(words: str) -> str:
    """Without the zeros behind a point, which a tick has no use for."""
    return re.sub(r"\.0+(?!\d)", "", words)


def _svg(figure: Figure, name: str, title: str) -> str:
    """The figure without fixed size, its names made its own so that several fit in one page."""
    written = io.StringIO()
    figure.savefig(
        written, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
    )
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg [^>]*?)width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg [^>]*?)height="[^"]*"', rf'\1role="img" aria-label="{title}"', svg, count=1)
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: ([\w ]*?)([\d.]+px)[^;\"]*", r"font: \1\2 system-ui, sans-serif", svg)
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    return svg
