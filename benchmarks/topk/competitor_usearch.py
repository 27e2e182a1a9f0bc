"""usearch: `search(exact=True)`, which compares every pair; its index searches exactly too, but a query on one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from usearch.compiled import MetricKind
from usearch.index import search

from benchmarks.topk.searching import Gathering

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# It holds the distances of all pairs of a call: of 256 queries and 100,000 items 200 MB.
_PAIRS = 25_600_000


class Competitor(Gathering):
    """Takes float32 arrays; queries in as many calls as memory asks for."""

    packages: ClassVar[tuple[str, ...]] = ("usearch",)

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        super().__init__(inputs, parameters, threads)
        self._at_a_time = max(1, _PAIRS // len(self.problem.items))

    def search(self, queries: Any) -> Any:
        """Keys and distances."""
        items = self.problem.candidates
        return [
            search(
                items,
                queries[start : start + self._at_a_time],
                self.k,
                MetricKind.IP,
                exact=True,
                threads=self.threads,
            )
            for start in range(0, len(queries), self._at_a_time)
        ]

    def read(self, answer: Any) -> tuple[Any, Any]:
        """The distance is one less the inner product."""
        keys, distances = (
            np.concatenate([np.atleast_2d(part) for part in parts])
            for parts in zip(*((found.keys, found.distances) for found in answer), strict=True)
        )
        return self.original(keys), 1 - distances
