"""A result in the form that is checked: for each query its k best items, best first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from recocore.types import Float32Array, Int32Array


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The k items of each query by score descending.

    Attributes:
        ids: int32 `[n, k]`.
        scores: float32 `[n, k]`.
    """

    ids: Int32Array
    scores: Float32Array

    @classmethod
    def load(cls, path: Path) -> Ranking:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["ids"], arrays["scores"])

    def save(self, path: Path) -> None:
        """Write both arrays."""
        with path.open("wb") as file:
            np.savez(file, ids=self.ids, scores=self.scores)
