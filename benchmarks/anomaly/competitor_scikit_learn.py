"""scikit-learn: `IsolationForest`; its threads score trees, for batches alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import joblib
import numpy as np
from sklearn.ensemble import IsolationForest

from benchmarks.anomaly.detecting import SAMPLE, TREES, Detecting

if TYPE_CHECKING:
    from recocore.types import AnyArray, Float64Array


class Competitor(Detecting):
    """Scores by `score_samples`, which lower is more anomalous."""

    packages: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    def fit(self, detector: str, rows: Float64Array, threads: int) -> None:
        """Fit the forest; where one row is scored, its threads would only cost time."""
        self._threads = 1 if self._one_by_one else threads
        self._detector = IsolationForest(
            n_estimators=TREES, max_samples=SAMPLE, random_state=0, n_jobs=self._threads
        ).fit(rows)

    def score(self, rows: Float64Array) -> AnyArray:
        """Turned round. Only inside such a block does scikit-learn score in threads."""
        with joblib.parallel_backend("threading", n_jobs=self._threads):
            return -np.asarray(self._detector.score_samples(rows))
