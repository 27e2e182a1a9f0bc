"""One self-contained HTML page of sections."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STYLE: Final = """
:root{color-scheme:light dark;--ground:#fafafa;--card:#fff;--line:#e4e4e4;--ink:#222;--soft:#555}
@media (prefers-color-scheme:dark){:root{--ground:#12161d;--card:#1a2029;--line:#2c3441;--ink:#e6eaf1;--soft:#97a3b5}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);margin:0}
main{max-width:1180px;margin:0 auto;padding:24px}
h1{font-size:26px;margin:8px 0 2px}h2{font-size:18px;margin:0 0 8px}p{margin:4px 0 10px;max-width:75ch}
.intro{color:var(--soft)}
.sections{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:18px;margin-top:18px}
section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:16px 18px;overflow-x:auto}
section.wide{grid-column:1/-1}
svg{width:100%;height:auto;display:block}
.pictures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:12px}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:4px 10px;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}
th{color:var(--soft);font-weight:600}td.number,th.number{text-align:right}
dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 16px;margin:0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page.

    Attributes:
        title: its heading.
        content: HTML from this room's functions: pictures, tables, facts.
        text: sentences above it, plain.
        wide: whether it takes the whole width.
    """

    title: str
    content: str
    text: str = ""
    wide: bool = False


def page(title: str, intro: str, sections: Sequence[Section]) -> str:
    """The page, as HTML that needs no other file.

    Example:
        >>> made = page("A & B", "What they did.", [Section("Facts", facts({"orders": "3"}))])
        >>> "A &amp; B" in made and "<script" not in made and "http" not in made
        True
    """
    drawn = "\n".join(
        f"<section{' class=wide' if section.wide else ''}><h2>{html.escape(section.title)}</h2>"
        f"{f'<p>{html.escape(section.text)}</p>' if section.text else ''}{section.content}</section>"
        for section in sections
    )
    name = html.escape(title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
        f'<body><main><h1>{name}</h1><p class="intro">{html.escape(intro)}</p>'
        f'<div class="sections">{drawn}</div></main></body></html>\n'
    )


def facts(named: Mapping[str, str]) -> str:
    """Names with their values, as HTML."""
    return f"<dl>{''.join(f'<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>' for k, v in named.items())}</dl>"


def rows_table(header: Sequence[str], rows: Sequence[Sequence[str | int | float | None]]) -> str:
    """A table, as HTML: numbers on the right, None as -."""
    numeric = [all(isinstance(row[place], (int, float, type(None))) for row in rows) for place in range(len(header))]
    marks = [' class="number"' if right else "" for right in numeric]
    head = "".join(f"<th{mark}>{html.escape(name)}</th>" for name, mark in zip(header, marks, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{mark}>{_cell(cell)}</td>' for cell, mark in zip(row, marks, strict=True))}</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(cell: str | int | float | None) -> str:
    if cell is None or cell != cell:  # noqa: PLR0124  # NaN
        return "-"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.4g}"
    return f"{cell:,}" if isinstance(cell, int) else html.escape(cell)
