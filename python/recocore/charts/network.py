"""A small graph of two kinds of nodes: accounts around, what they share within."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recocore.charts.svg import colour_of, legend, picture, text

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIZE: Final = 420
_LEGEND: Final = 130
# Room for a name on the left of the circle; on its right stands the legend.
_MARGIN: Final = 40
_NAMED: Final = 16


@dataclass(frozen=True, slots=True)
class Node:
    """A node: `kind` gives its colour; nodes of the first kind that comes lie on the outer circle; `label` is shown."""

    name: str
    kind: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge between two nodes, by their names."""

    first: str
    second: str


def network(nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    """The graph as SVG: nodes of the first kind on a circle, the others on a smaller one near those they touch.

    Names are shown while there are few. O(nodes + edges).
    """
    kinds = list(dict.fromkeys(node.kind for node in nodes))
    outer = [node for node in nodes if node.kind == kinds[0]]
    inner = [node for node in nodes if node.kind != kinds[0]]
    middle = _SIZE / 2
    angle_of = {node.name: 2 * math.pi * place / max(len(outer), 1) for place, node in enumerate(outer)}
    touched: dict[str, list[float]] = {node.name: [] for node in inner}
    for edge in edges:
        for one, other in ((edge.first, edge.second), (edge.second, edge.first)):
            if one in touched and other in angle_of:
                touched[one].append(angle_of[other])
    by_angle = sorted(inner, key=lambda node: _mean_angle(touched[node.name]))
    for place, node in enumerate(by_angle):
        angle_of[node.name] = 2 * math.pi * place / max(len(inner), 1)
    outer_names = {node.name for node in outer}

    def at(name: str) -> tuple[float, float]:
        radius = _SIZE * (0.36 if name in outer_names else 0.17 if len(inner) > 1 else 0.0)
        return _MARGIN + middle + radius * math.cos(angle_of[name]), middle + radius * math.sin(angle_of[name])

    parts = []
    for edge in edges:
        (x, y), (to_x, to_y) = at(edge.first), at(edge.second)
        parts.append(
            f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="#999" stroke-opacity="0.35"/>'
        )
    for node in nodes:
        x, y = at(node.name)
        colour, size = colour_of(kinds.index(node.kind)), 6 if node.name in outer_names else 8
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colour}" stroke="white"/>')
        if len(outer) <= _NAMED and node.name in outer_names:
            away = 1 if math.cos(angle_of[node.name]) >= 0 else -1
            parts.append(
                text(
                    x + 10 * away, y + 4, (node.label or node.name)[:14], anchor="start" if away > 0 else "end", size=10
                )
            )
    parts += legend(kinds, _MARGIN + _SIZE + 4, 24)
    return picture(
        _MARGIN + _SIZE + _LEGEND, _SIZE, parts, f"{len(outer)} {kinds[0]} and {len(inner)} others, {len(edges)} edges"
    )


def _mean_angle(angles: Sequence[float]) -> float:
    return math.atan2(sum(map(math.sin, angles)), sum(map(math.cos, angles))) % (2 * math.pi)
