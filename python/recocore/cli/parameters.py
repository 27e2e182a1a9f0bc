"""Values of options that are more than a word or a number: each function reads one text."""

from __future__ import annotations

import re
from datetime import timedelta

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(text: str) -> timedelta:
    """A length of time above zero.

    >>> duration("36h")
    datetime.timedelta(days=1, seconds=43200)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if match is None or float(match[1]) == 0:
        raise click.BadParameter(f"expected a number with s, m, h, d or w, such as 30d, got {text!r}")
    try:
        return timedelta(**{_UNITS[match[2]]: float(match[1])})
    except OverflowError:
        raise click.BadParameter(f"expected less than a billion days, got {text!r}") from None


def names(text: str) -> dict[str, str]:
    """Names with names.

    >>> names("user_id=customer, item_id=sku")
    {'user_id': 'customer', 'item_id': 'sku'}
    """
    pairs: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value):
            raise click.BadParameter(f"expected NAME=VALUE,..., got {part!r}")
        if name in pairs:
            raise click.BadParameter(f"{name} comes twice")
        pairs[name] = value
    return pairs


def weights(text: str) -> dict[str, float]:
    """Names with numbers.

    >>> weights("view=1,buy=5")
    {'view': 1.0, 'buy': 5.0}
    """
    try:
        return {name: float(value) for name, value in names(text).items()}
    except ValueError:
        raise click.BadParameter(f"expected TYPE=NUMBER,..., got {text!r}") from None


def cutoffs(text: str) -> list[int]:
    """Whole numbers of at least 1.

    >>> cutoffs("5,20")
    [5, 20]
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) < 2**31 for part in parts):
        raise click.BadParameter(f"expected whole numbers of at least 1, such as 5,10,20, got {text!r}")
    return [int(part) for part in parts]
