"""What competitors share: a detector fitted before the run, and rows that are scored at once or one a call."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness.competitor import Competitor as Base

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from recocore.types import AnyArray, Float64Array

ECOD, FOREST, HBOS, MCD = "ecod", "isolation-forest", "hbos", "mcd"
ALPHA, TOLERANCE, BINS, TREES, SAMPLE = 0.1, 0.5, 10, 100, 256


class Detecting(Base):
    """Fits in the constructor; a run scores."""

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        self._rows = np.load(inputs["rows"])
        self._one_by_one: bool = parameters["one_by_one"]
        self.fit(parameters["detector"], np.load(inputs["fitted"]), threads)

    @abstractmethod
    def fit(self, detector: str, rows: Float64Array, threads: int) -> None:
        """Fit the named detector."""

    @abstractmethod
    def score(self, rows: Float64Array) -> AnyArray:
        """Scores, the higher the more anomalous."""

    def run(self) -> AnyArray:
        """Score; one call, or one for each row."""
        if not self._one_by_one:
            return self.score(self._rows)
        score, rows = self.score, self._rows
        return np.concatenate([score(rows[row : row + 1]) for row in range(len(rows))])

    def save(self, result: Any, path: Path) -> None:
        """Write the scores."""
        with path.open("wb") as file:
            np.save(file, np.asarray(result, np.float64))
