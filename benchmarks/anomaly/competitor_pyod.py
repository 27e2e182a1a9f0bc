"""pyod: ECOD, HBOS and MCD with the same parameters; ECOD's jobs are processes of joblib's, for batches alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pyod.models.ecod import ECOD as PyodECOD  # noqa: N811
from pyod.models.hbos import HBOS as PyodHBOS  # noqa: N811
from pyod.models.mcd import MCD as PyodMCD  # noqa: N811

from benchmarks.anomaly.detecting import ALPHA, BINS, ECOD, HBOS, MCD, TOLERANCE, Detecting

if TYPE_CHECKING:
    from recocore.types import AnyArray, Float64Array


class Competitor(Detecting):
    """Scores by `decision_function`."""

    packages: ClassVar[tuple[str, ...]] = ("pyod",)

    def fit(self, detector: str, rows: Float64Array, threads: int) -> None:
        """Fit it; where one row is scored, its jobs would only cost time."""
        made: dict[str, Any] = {
            ECOD: PyodECOD(n_jobs=1 if self._one_by_one else threads),
            HBOS: PyodHBOS(n_bins=BINS, alpha=ALPHA, tol=TOLERANCE),
            MCD: PyodMCD(random_state=0),
        }
        self._detector = made[detector].fit(rows)

    def score(self, rows: Float64Array) -> AnyArray:
        """As they come."""
        return np.asarray(self._detector.decision_function(rows))
