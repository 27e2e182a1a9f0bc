"""Lines, bars and histograms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recocore.charts.svg import COLOURS, INK, Frame, colour_of, legend, number, picture, text

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH: Final = 560
_HEIGHT: Final = 320

# A curve of a million points looks like one of this many.
_MOST_POINTS: Final = 400


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A named curve; points whose y is NaN break it."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def lines(
    curves: Sequence[Line],
    x_label: str,
    y_label: str,
    *,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    legend_below: bool = False,
) -> str:
    """Curves in one frame, as SVG; `legend_below` puts their names where rising curves leave room.

    Example:
        >>> lines([Line("recall", [0, 1], [0, 1])], "share", "recall").startswith("<svg")
        True
    """
    points = [(x, y) for curve in curves for x, y in zip(curve.x, curve.y, strict=True) if not math.isnan(y)]
    xs, ys = [x for x, _ in points] or [0.0, 1.0], [y for _, y in points] or [0.0, 1.0]
    frame = Frame(_WIDTH, _HEIGHT, x_range or (min(xs), max(xs)), y_range or (min(0.0, *ys), max(ys)))
    parts = frame.axes(x_label, y_label)
    for place, curve in enumerate(curves):
        parts.append(
            f'<path d="{_path(frame, curve)}" fill="none" stroke="{colour_of(place)}" stroke-width="2" '
            'stroke-linejoin="round"/>'
        )
    if len(curves) > 1:
        longest = max(len(curve.name) for curve in curves)
        top = _HEIGHT - 62 - 18 * (len(curves) - 1) if legend_below else 30
        parts += legend([curve.name for curve in curves], _WIDTH - 50 - 6.2 * longest, top)
    return picture(_WIDTH, _HEIGHT, parts, f"{y_label} by {x_label}: {', '.join(curve.name for curve in curves)}")


def _path(frame: Frame, curve: Line) -> str:
    step = max(1, len(curve.x) // _MOST_POINTS)
    places = dict.fromkeys([*range(0, len(curve.x), step), len(curve.x) - 1]) if len(curve.x) else {}
    steps, drawn = [], False
    for place in places:
        if math.isnan(curve.y[place]):
            drawn = False
            continue
        x, y = frame.at(curve.x[place], curve.y[place])
        steps.append(f"{'L' if drawn else 'M'}{x:.1f} {y:.1f}")
        drawn = True
    return "".join(steps)


def bars(labels: Sequence[str], values: Sequence[float], unit: str) -> str:
    """Horizontal bars, each with its name and number, as SVG."""
    height = 26 * len(labels) + 30
    most = max([abs(value) for value in values] or [1.0]) or 1.0
    left = min(260.0, 20 + 7.2 * max([len(label) for label in labels] or [1]))
    parts = []
    for place, (label, value) in enumerate(zip(labels, values, strict=True)):
        y = 10 + 26 * place
        length = (_WIDTH - left - 80) * abs(value) / most
        shown = label if len(label) <= 34 else label[:33] + "…"
        parts.append(text(left - 8, y + 14, shown, anchor="end"))
        parts.append(f'<rect x="{left:.1f}" y="{y}" width="{length:.1f}" height="18" rx="2" fill="{COLOURS[0]}"/>')
        parts.append(text(left + length + 6, y + 14, number(value)))
    parts.append(text(left, height - 6, unit, size=11))
    return picture(_WIDTH, height, parts, f"{unit}: {', '.join(labels)}")


def histogram(edges: Sequence[float], groups: Sequence[tuple[str, Sequence[int]]], x_label: str) -> str:
    """Counts between `edges`, of groups side by side in each bin, on a logarithmic scale, as SVG."""
    most = max([count for _, counts in groups for count in counts] or [1])
    frame = Frame(_WIDTH, _HEIGHT, (edges[0], edges[-1]), (0, max(1.0, math.log10(max(most, 1)) * 1.05)))
    parts = frame.axes(x_label, "events", powers=True)
    for place, (_, counts) in enumerate(groups):
        for low, high, count in zip(edges, edges[1:], counts, strict=False):
            if count == 0:
                continue
            part = (high - low) / len(groups)
            # One event has height too: a logarithm of 1 is 0.
            x, y = frame.at(low + place * part, max(math.log10(count), 0.04))
            end, floor = frame.at(low + (place + 1) * part, 0)
            width = max(end - x - 1, 1)
            colour = colour_of(place)
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{floor - y:.1f}" fill="{colour}"/>'
            )
    parts += legend([name for name, _ in groups], _WIDTH - 130, 30)
    parts.append(f'<line x1="58" x2="{_WIDTH - 16}" y1="{floor_of(frame)}" y2="{floor_of(frame)}" stroke="{INK}"/>')
    return picture(_WIDTH, _HEIGHT, parts, f"events by {x_label}")


def floor_of(frame: Frame) -> float:
    """Where the x axis lies."""
    return frame.height - frame.bottom
