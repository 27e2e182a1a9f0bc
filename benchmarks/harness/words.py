"""Figures as people read them, the same on the terminal and on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.harness.scenario import Memory

_THOUSANDS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def seconds(value: float) -> str:
    """Three digits with a fitting unit.

    >>> seconds(0.01234), seconds(12.345), seconds(0)
    ('12.3 ms', '12.3 s', '0 s')
    """
    for factor, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= factor:
            return f"{_digits(value / factor)} {unit}"
    return "0 s" if value == 0 else f"{_digits(value / 1e-9)} ns"


def amount(value: float) -> str:
    """Three digits of a large count.

    >>> amount(4.02e9), amount(950)
    ('4.02 G', '950')
    """
    for factor, prefix in _THOUSANDS:
        if value >= factor:
            return f"{_digits(value / factor)} {prefix}"
    return f"{value:.0f}"


def rate(value: float, unit: str = "") -> str:
    """A count a second.

    >>> rate(2e9, "multiply-adds"), rate(2e9)
    ('2.00 G multiply-adds/s', '2.00 G/s')
    """
    return f"{amount(value)} {unit}".rstrip() + "/s"


def memory(value: int) -> str:
    """In MiB or GiB.

    >>> memory(3 * 2**30), memory(5 * 2**20)
    ('3.00 GiB', '5 MiB')
    """
    return f"{_digits(value / 2**30)} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"


def needs(value: int, yardstick: Memory) -> str:
    """All memory of a run, given what it took above what the process held, against what it cannot do without.

    >>> from benchmarks.harness.scenario import Memory
    >>> needs(5 * 2**20, Memory(held=2**20, needed=5 * 2**20))[:-1]
    '1.20'
    """
    return times((value + yardstick.held) / yardstick.needed)


def one(part: str) -> str:
    """With its article.

    >>> one("epoch"), one("half")
    ('an epoch', 'a half')
    """
    return f"{'an' if part[0] in 'aeiou' else 'a'} {part}"


def times(value: float) -> str:
    """A factor with three digits at most and the sign of multiplication.

    >>> times(12.34)[:-1], times(1.239)[:-1], times(123.4)[:-1]
    ('12.3', '1.24', '123')
    """
    return f"{_digits(value)}\N{MULTIPLICATION SIGN}"


def comparison(ratio: float) -> str:
    """What a peer's time over recocore's means, a loss said as plainly as a win.

    >>> comparison(12.0).split()[-1], comparison(0.5).split()[-1]
    ('faster', 'slower')
    """
    return f"recocore is {times(ratio)} faster" if ratio >= 1 else f"recocore is {times(1 / ratio)} slower"


def _digits(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
