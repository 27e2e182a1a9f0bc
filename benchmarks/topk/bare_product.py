"""How fast NumPy's BLAS multiplies a case's own queries and items in float32, keeping nothing: the roof of exact search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from benchmarks.harness.competitor import Competitor as Base
from benchmarks.topk.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Of the product at a time: all of it would be 8 GB at 20,000 queries and 100,000 items.
_QUERIES, _ITEMS = 4096, 4096


class Competitor(Base):
    """Multiplies tile by tile into one buffer, or query by query; the harness tells BLAS how many threads to use."""

    packages: ClassVar[tuple[str, ...]] = ("numpy",)

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        problem = Problem.load(inputs)
        self._queries, self._items = problem.queries, problem.candidates
        self._tile = (1, len(self._items)) if parameters["one_by_one"] else (_QUERIES, _ITEMS)
        self._product = np.empty(self._tile, np.float32)
        self.amount = problem.flops

    def run(self) -> Any:
        """Multiply."""
        tall, wide = self._tile
        for row in range(0, len(self._queries), tall):
            queries = self._queries[row : row + tall]
            for column in range(0, len(self._items), wide):
                items = self._items[column : column + wide]
                np.matmul(queries, items.T, out=self._product[: len(queries), : len(items)])

    def save(self, result: Any, path: Path) -> None:
        """There is nothing to check."""
