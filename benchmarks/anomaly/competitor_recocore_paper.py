"""recocore: ECOD as its paper defines it, where a row's score depends on no other row."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from benchmarks.anomaly.detecting import Detecting
from recocore import fraud

if TYPE_CHECKING:
    from recocore.types import AnyArray, Float64Array


class Competitor(Detecting):
    """Takes float64 rows as they are."""

    packages: ClassVar[tuple[str, ...]] = ("recocore",)

    def fit(self, detector: str, rows: Float64Array, threads: int) -> None:
        """Fit ECOD, whatever is asked for: it takes part in no other case."""
        self._detector = fraud.ECOD(num_threads=threads).fit(rows)

    def score(self, rows: Float64Array) -> AnyArray:
        """As they come."""
        return self._detector.score(rows)
