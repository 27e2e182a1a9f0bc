"""One tag of one user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Tag:
    """What is said of a user in a word.

    Attributes:
        name: of the definition, or of the declared attribute.
        value: text; a number as its shortest spelling.
        weight: how much it counts, at least 0.
        source: `rule`, or `declared:` and who said so.
        updated: when the user got this value of this version.
        version: of the definition; empty for a declared attribute.
    """

    name: str
    value: str
    weight: float
    source: str
    updated: datetime
    version: str
