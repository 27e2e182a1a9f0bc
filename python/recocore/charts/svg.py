"""What every picture is made of: escaped text, colours, a frame with axes."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Final

# Okabe and Ito's colours, which people with colour-blindness tell apart.
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555")
# What the page writes in, on a light ground or a dark one.
INK: Final = "currentColor"
FAINT: Final = "#88888838"


def text(x: float, y: float, said: str, *, anchor: str = "start", size: int = 12, colour: str = INK) -> str:
    """A line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">'
        f"{html.escape(said)}</text>"
    )


def picture(width: int, height: int, parts: list[str], label: str) -> str:
    """An SVG that scales with its column; `label` is what a screen reader says."""
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(label, quote=True)}" '
        f'style="max-width:{width}px" font-family="system-ui,sans-serif">{"".join(parts)}</svg>'
    )


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers inside a range.

    Example:
        >>> ticks(0, 0.93)
        [0.0, 0.2, 0.4, 0.6, 0.8]
    """
    if not high > low:
        return [low]
    rough = (high - low) / count
    unit = 10 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(place * step, 12) for place in range(first, math.floor(high / step + 1e-9) + 1)]


def number(value: float) -> str:
    """A short spelling.

    Example:
        >>> [number(value) for value in (0.25, 1234567.0, 12.0)]
        ['0.25', '1,234,567', '12']
    """
    return f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class Frame:
    """A plot's area and the ranges that it shows."""

    width: int
    height: int
    x: tuple[float, float]
    y: tuple[float, float]
    left: int = 58
    right: int = 16
    top: int = 14
    bottom: int = 44

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point is drawn."""
        across = (x - self.x[0]) / ((self.x[1] - self.x[0]) or 1)
        up = (y - self.y[0]) / ((self.y[1] - self.y[0]) or 1)
        return (
            self.left + across * (self.width - self.left - self.right),
            self.height - self.bottom - up * (self.height - self.top - self.bottom),
        )

    def axes(self, x_label: str, y_label: str, *, powers: bool = False) -> list[str]:
        """Grid, numbers and names; `powers` says that y is a logarithm to the base 10."""
        parts = []
        for tick in ticks(*self.x):
            x, y = self.at(tick, self.y[0])
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y:.1f}" y2="{self.top}" stroke="{FAINT}"/>')
            parts.append(text(x, y + 16, number(tick), anchor="middle", size=11))
        for tick in ticks(*self.y):
            if powers and not float(tick).is_integer():
                continue
            x, y = self.at(self.x[0], tick)
            parts.append(
                f'<line x1="{x:.1f}" x2="{self.width - self.right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{FAINT}"/>'
            )
            parts.append(text(x - 6, y + 4, number(10**tick if powers else tick), anchor="end", size=11))
        parts.append(text((self.left + self.width - self.right) / 2, self.height - 8, x_label, anchor="middle"))
        middle = (self.top + self.height - self.bottom) / 2
        parts.append(
            f'<g transform="translate(14 {middle:.0f}) rotate(-90)">{text(0, 0, y_label, anchor="middle")}</g>'
        )
        return parts


def legend(names: list[str], left: float, top: float) -> list[str]:
    """Names beside their colours, one a line."""
    parts = []
    for place, name in enumerate(names):
        y = top + 18 * place
        parts.append(f'<rect x="{left:.0f}" y="{y - 9:.0f}" width="14" height="4" fill="{colour_of(place)}"/>')
        parts.append(text(left + 20, y - 3, name, size=11))
    return parts


def colour_of(place: int) -> str:
    """A colour for the n-th of several."""
    return COLOURS[place % len(COLOURS)]
