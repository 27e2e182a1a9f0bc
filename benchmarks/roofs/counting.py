"""How fast plain code counts: each increment reads an index in order and adds one to a 16-bit counter in the L1 cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numba
import numpy as np

from benchmarks.harness.competitor import Competitor as Base

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# 16 KiB of counters and 128 KiB of indices a thread: the first in L1, the second streamed from L2.
_COUNTERS = 8192
_INDICES = 65536
_PASSES = 4000


def _count(counters: Any, indices: Any, passes: int) -> None:
    for thread in numba.prange(counters.shape[0]):
        for _ in range(passes):
            for position in range(indices.shape[1]):
                counters[thread, indices[thread, position]] += 1


class Competitor(Base):
    """Counts at random positions, one increment after another."""

    packages: ClassVar[tuple[str, ...]] = ("numba",)

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        numba.set_num_threads(threads)
        rng = np.random.default_rng(0)
        self._counters = np.zeros((threads, _COUNTERS), np.uint16)
        self._indices = rng.integers(0, _COUNTERS, (threads, _INDICES), dtype=np.uint16)
        self._count = numba.njit(parallel=True, boundscheck=False)(_count)
        self._count(self._counters, self._indices, 1)  # compiles
        self.amount = float(threads * _INDICES * _PASSES)

    def run(self) -> Any:
        """Count."""
        self._count(self._counters, self._indices, _PASSES)

    def save(self, result: Any, path: Path) -> None:
        """There is nothing to check."""
