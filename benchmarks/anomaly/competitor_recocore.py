"""recocore: its own detectors, ECOD as pyod defines it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from benchmarks.anomaly.detecting import ALPHA, BINS, ECOD, FOREST, HBOS, MCD, SAMPLE, TOLERANCE, TREES, Detecting
from recocore import fraud

if TYPE_CHECKING:
    from recocore.types import AnyArray, Float64Array


class Competitor(Detecting):
    """Takes float64 rows as they are."""

    packages: ClassVar[tuple[str, ...]] = ("recocore",)

    def fit(self, detector: str, rows: Float64Array, threads: int) -> None:
        """Fit it."""
        made: dict[str, fraud.Detector] = {
            ECOD: fraud.ECOD("pyod", num_threads=threads),
            FOREST: fraud.IsolationForest(TREES, SAMPLE, num_threads=threads),
            HBOS: fraud.HBOS(BINS, ALPHA, TOLERANCE, num_threads=threads),
            MCD: fraud.MCD(num_threads=threads),
        }
        self._detector = made[detector].fit(rows)

    def score(self, rows: Float64Array) -> AnyArray:
        """As they come."""
        return self._detector.score(rows)
