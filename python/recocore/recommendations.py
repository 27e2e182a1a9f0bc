"""What every ranking returns, on internal indices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

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

    def padded(self, k: int) -> Recommendations:
        """The same lists, at least k long: with pads where they were shorter."""
        missing = ((0, 0), (0, max(0, k - self.ids.shape[1])))
        if not missing[1][1]:
            return self
        return Recommendations(
            np.pad(self.ids, missing, constant_values=-1), np.pad(self.scores, missing, constant_values=-np.inf)
        )


@dataclass(frozen=True, slots=True)
class Contribution:
    """How much one of a user's own items added to the score of a recommended one.

    Attributes:
        item: index of the user's item.
        weight: its share of the score; the shares of all the user's items sum to the score.
    """

    item: int
    weight: float
