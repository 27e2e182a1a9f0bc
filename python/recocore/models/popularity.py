"""The baseline that every other model has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from recocore.models.base import OneStepModel
from recocore.scoring import PopularityScorer

if TYPE_CHECKING:
    from recocore.data import Interactions
    from recocore.types import Progress


class Popularity(OneStepModel):
    """Everyone gets the items that most users have, less those they have seen."""

    name: ClassVar[str] = "popularity"

    def params(self) -> dict[str, Any]:
        """No parameters."""
        return {}

    def _learn(self, interactions: Interactions, progress: Progress | None) -> PopularityScorer:
        matrix = interactions.matrix
        return PopularityScorer(matrix, np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.float32))
