"""implicit: `CosineRecommender.fit` on users by items; an item counts as its own neighbour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from implicit.nearest_neighbours import CosineRecommender

from benchmarks.harness.competitor import Competitor as Base
from benchmarks.similarity.inputs import users_by_items
from benchmarks.similarity.neighbors import Neighbors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Competitor(Base):
    """Takes SciPy CSR whose rows are users."""

    packages: ClassVar[tuple[str, ...]] = ("implicit",)

    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        self._users = users_by_items(inputs)
        self._k = parameters["k"]
        self._threads = threads

    def run(self) -> Any:
        """Fit, which keeps the neighbours."""
        model = CosineRecommender(K=self._k + 1, num_threads=self._threads)
        model.fit(self._users, show_progress=False)
        return model.similarity

    def save(self, result: Any, path: Path) -> None:
        """Write the neighbours."""
        Neighbors.from_csr(result, self._k).save(path)
