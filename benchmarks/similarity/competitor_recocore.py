"""recocore: `ops.similarity` on items by users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.harness.competitor import Competitor as Base
from benchmarks.similarity.inputs import items_by_users
from benchmarks.similarity.neighbors import Neighbors
from recocore.ops import similarity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Competitor(Base):
    """Takes SciPy CSR whose rows are items."""

    packages: ClassVar[tuple[str, ...]] = ("recocore",)

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        self._items = items_by_users(inputs)
        self._k = parameters["k"]
        self._threads = threads

    def run(self) -> Any:
        """Compare the items."""
        return similarity(self._items, "cosine", k=self._k, num_threads=self._threads)

    def save(self, result: Any, path: Path) -> None:
        """Write the neighbours."""
        Neighbors.from_csr(result, self._k).save(path)
