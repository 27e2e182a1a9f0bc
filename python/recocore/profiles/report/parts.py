"""What the page is put together from. Every text that comes in is escaped here, and nowhere else."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from recocore.profiles.report.words import percent, short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from recocore.types import AnyArray, Float64Array

# Text stays legible on the strongest cell in both schemes (contrast 4.6 and more).
_STRONGEST = 0.5
_BINS = 24


def section(title: str, about: str, body: str) -> str:
    """A card with a heading."""
    said = f'<p class="soft">{escape(about)}</p>' if about else ""
    return f'<section class="card"><h2>{escape(title)}</h2>{said}{body}</section>'


def tiles(entries: Iterable[tuple[str, str, str]]) -> str:
    """Label, value and remark of each figure."""
    made = (
        f'<div class="card tile"><div class="label">{escape(label)}</div><div class="value">{escape(value)}</div>'
        f'<div class="foot">{escape(foot)}</div></div>'
        for label, value, foot in entries
    )
    return f'<section class="tiles">{"".join(made)}</section>'


def bars(entries: Sequence[tuple[str, float]], whole: float | None = None) -> str:
    """A line of each name: a bar, the number, and its share where a whole is given."""
    longest = max((value for _, value in entries), default=0.0) or 1.0
    lines = []
    for name, value in entries:
        share = "" if not whole else f" · {percent(value / whole)}"
        lines.append(
            f'<div class="name">{escape(name)}</div><div class="track"><i style="width:{100 * value / longest:.1f}%"></i></div>'
            f'<div class="n">{short(value)}{share}</div>'
        )
    return f'<div class="bars">{"".join(lines)}</div>'


def histogram(name: str, values: Float64Array, said: Callable[[float], str] = short) -> str:
    """How often which values come, on a logarithmic axis where they spread over more than two powers of ten."""
    known = values[np.isfinite(values)]
    if not len(known):
        return ""
    middle = float(np.median(known))
    negative = bool(known.min() < 0)
    known = np.maximum(known, 0)  # the few whose refunds exceed their purchases would take half of the axis
    low, high = float(known.min()), float(known.max())
    if low == high:
        all_alike = f"{said(low)} for all {short(len(known))} users"
        return f"<figure><b>{escape(name)}</b><figcaption>{escape(all_alike)}</figcaption></figure>"
    logarithmic = low >= 0 and high > 100 * max(middle, 0.01)
    if logarithmic:
        edges = np.expm1(np.linspace(np.log1p(low), np.log1p(high), _BINS + 1))
    elif np.all(known == np.floor(known)) and high - low < _BINS:
        edges = np.arange(low, high + 2) - 0.5
    else:
        edges = np.linspace(low, high, _BINS + 1)
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    counts, _ = np.histogram(known, edges)
    tallest = max(int(counts.max()), 1)
    width = 100 / len(counts)
    rects = "".join(
        f'<rect x="{place * width + 0.2:.2f}" y="{60 * (1 - count / tallest):.2f}" width="{max(width - 0.4, 0.2):.2f}" '
        f'height="{60 * count / tallest:.2f}"/>'
        for place, count in enumerate(counts)
        if count
    )
    axis = "logarithmic axis" if logarithmic else ""
    least = f"≤ {said(low)}" if negative else said(low)
    described = f"{name}: {len(known)} users from {least} to {said(high)}, median {said(middle)}"
    return (
        f"<figure><b>{escape(name)}</b>"
        f'<svg viewBox="0 0 100 60" preserveAspectRatio="none" role="img" aria-label="{escape(described)}">{rects}'
        '<line x1="0" x2="100" y1="60" y2="60" vector-effect="non-scaling-stroke"/></svg>'
        f'<div class="axis"><span>{escape(least)}</span><span>median {escape(said(middle))}</span>'
        f"<span>{escape(said(high))}</span></div>"
        f"<figcaption>{short(len(known))} users{', ' + axis if axis else ''}</figcaption></figure>"
    )


def heat(
    columns: Sequence[str],
    rows: Sequence[str],
    strength: AnyArray,
    text: Callable[[int, int], str],
    *,
    corner: str = "",
    kind: str = "",
    partial: Callable[[int, int], bool] = lambda row, column: False,
) -> str:
    """A table of shaded cells; NaN is no cell.

    Args:
        columns: headings.
        rows: headings.
        strength: `[rows, columns]`, shaded from 0 to the greatest.
        text: what a cell says, as markup.
        corner: what stands over the rows' headings.
        kind: a class of the style sheet.
        partial: which cells are marked as of an unfinished period.
    """
    known = strength[np.isfinite(strength)]
    greatest = float(known.max()) if known.size and known.max() > 0 else 1.0
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    lines = []
    for row, name in enumerate(rows):
        cells = []
        for column in range(len(columns)):
            value = float(strength[row, column])
            if not np.isfinite(value):
                cells.append("<td></td>")
                continue
            mark = ' class="part"' if partial(row, column) else ""
            cells.append(f'<td{mark} style="--o:{_STRONGEST * max(value, 0) / greatest:.3f}">{text(row, column)}</td>')
        lines.append(f"<tr><th>{escape(name)}</th>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll"><table class="heat {escape(kind)}"><thead><tr><th>{escape(corner)}</th>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def listing(columns: Sequence[str], rows: Iterable[Sequence[str]], text: int = 1) -> str:
    """A table of texts; the columns after the first `text` are numbers."""
    head = "".join(f"<th{'' if place < text else ' class=n'}>{escape(name)}</th>" for place, name in enumerate(columns))
    lines = (
        "<tr>"
        + "".join(f"<td{'' if place < text else ' class=n'}>{escape(cell)}</td>" for place, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    body = "".join(lines)
    return f'<div class="scroll"><table class="list"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
