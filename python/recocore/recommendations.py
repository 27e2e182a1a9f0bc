"""What every ranking returns, on internal indices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recocore.types import Float32Array, Int32Array


@dataclass(frozen=True, slots=True, eq=False)
class Recommendations:
    """Ranked items, a row for each query: score descending, then index ascending.

    Attributes:
        ids: int32 `[n, k]` item indices; -1 pads a row that has fewer than k candidates.
        scores: float32 `[n, k]`; -inf where the id is -1. Never NaN.
    """

    ids: Int32Array
    scores: Float32Array

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Contribution:
    """How much one of a user's own items added to the score of a recommended one.

    Attributes:
        item: index of the user's item.
        weight: its share of the score; the shares of all the user's items sum to the score.
    """

    item: int
    weight: float
