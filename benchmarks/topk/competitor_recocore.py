"""recocore: `ops.topk` for many queries, which packs the items anew in each run; a prepared `Retriever` for one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.topk.searching import Searching
from recocore.csr import Csr
from recocore.ops import topk
from recocore.retrieval import Retriever

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Competitor(Searching):
    """Takes float32 arrays, exclusions as CSR, and the allowed ids."""

    packages: ClassVar[tuple[str, ...]] = ("recocore",)
    precision: ClassVar[str] = "auto"

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        super().__init__(inputs, parameters, threads)
        excluded = self.problem.excluded
        self._filter: dict[str, Any] = {
            "exclude": None if excluded is None else Csr.from_scipy(excluded),
            "allow": self.problem.allowed,
        }
        self._retriever = Retriever(self.problem.items, num_threads=threads) if self.one_by_one else None

    def search(self, queries: Any) -> Any:
        """Ids and scores."""
        if self._retriever is not None:
            return self._retriever.topk(queries, self.k, **self._filter)
        return topk(
            queries,
            self.problem.items,
            self.k,
            **self._filter,
            num_threads=self.threads,
            precision=self.precision,
        )

    def read(self, answer: Any) -> tuple[Any, Any]:
        """As they are."""
        ids, scores = answer
        return ids, scores
