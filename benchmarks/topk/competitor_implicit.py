"""implicit: `implicit.cpu.topk`, which all its models recommend by. Exclusions by `filter_query_items`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from implicit.cpu.topk import topk
from threadpoolctl import threadpool_limits

from benchmarks.topk.searching import Gathering

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Up to so many queries it makes one product; more it divides among its threads.
_BATCH = 100


class Competitor(Gathering):
    """Takes float32 arrays and SciPy CSR."""

    packages: ClassVar[tuple[str, ...]] = ("implicit",)

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        super().__init__(inputs, parameters, threads)
        # Where its own threads call BLAS, it warns that BLAS must not have some of its own.
        threaded = not self.one_by_one and len(self.problem.queries) > _BATCH
        threadpool_limits(1 if threaded else threads, "blas")

    def search(self, queries: Any) -> Any:
        """Ids and scores."""
        return topk(
            self.problem.candidates,
            queries,
            self.k,
            filter_query_items=self.problem.excluded,
            num_threads=self.threads,
        )

    def read(self, answer: Any) -> tuple[Any, Any]:
        """As they are."""
        ids, scores = answer
        return self.original(ids), scores
