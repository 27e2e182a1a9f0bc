"""How fast NumPy's BLAS multiplies square float32 matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from benchmarks.harness.competitor import Competitor as Base

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SIZE = 2048
_PRODUCTS = 4


class Competitor(Base):
    """Multiplies; the harness tells BLAS how many threads to use."""

    packages: ClassVar[tuple[str, ...]] = ("numpy",)

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        rng = np.random.default_rng(0)
        self._left, self._right = (rng.random((_SIZE, _SIZE), dtype=np.float32) for _ in range(2))
        self._product = np.empty((_SIZE, _SIZE), np.float32)
        self.amount = 2.0 * _SIZE**3 * _PRODUCTS

    def run(self) -> Any:
        """Multiply."""
        for _ in range(_PRODUCTS):
            np.matmul(self._left, self._right, out=self._product)

    def save(self, result: Any, path: Path) -> None:
        """There is nothing to check."""
