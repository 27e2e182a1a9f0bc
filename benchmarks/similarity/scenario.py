"""The scenario: its cases, and what is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from benchmarks import matrices
from benchmarks.harness.scenario import Case, Inputs, Scenario, UnavailableError
from benchmarks.similarity.neighbors import Neighbors
from benchmarks.similarity.reference import Reference, same_scores

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Parameters:
    """One similarity computation: the k nearest items of each item of a matrix, by cosine.

    Attributes:
        matrix: ml20m_like, small_like, gowalla, or scaled (with `size`) of `benchmarks.matrices`.
        k: neighbours of each item.
        weighted: values 1 to 5 in place of ones.
        size: non-zeros asked of a scaled matrix.

    Example:
        >>> print(Parameters("small_like", k=50, weighted=True))
        small_like, weighted 1 to 5: the 50 nearest items by cosine
    """

    matrix: str
    k: int = 100
    weighted: bool = False
    size: int | None = None

    def __str__(self) -> str:
        size = "" if self.size is None else f" to {self.size:,} non-zeros"
        values = "weighted 1 to 5" if self.weighted else "binary"
        return f"{self.matrix}{size}, {values}: the {self.k} nearest items by cosine"


_PEERS = ("recocore", "implicit", "sparse-dot-topn")
_CURVE = "non-zeros"


def _point(size: int) -> Case[Parameters]:
    large = size > 10_000_000
    return Case(
        f"scaled_{size // 1_000_000}m",
        Parameters("scaled", size=size),
        when="large" if large else "usual",
        competitors=("recocore",),
        curve=_CURVE,
    )


class SimilarityScenario(Scenario[Parameters]):
    """Items compared with items."""

    name: ClassVar[str] = "similarity"
    title: ClassVar[str] = "Item similarity"
    about: ClassVar[str] = (
        "From the matrix in memory, in the form each library takes, to the k most similar items of every item: normalising, "
        "product, selection and output are all timed. Every result is checked first: up to 1,000 rows against float64, and all "
        "rows against the first right result, each score to 1e-5, or to 4e-3 for libraries that sum in float32; the largest "
        "error found stands in the table. Peers that count an item as its own neighbour are "
        "asked for one more. Multiply-adds are the sum over users of the square of their items; recocore and the roof use "
        "the same count, though a symmetric result needs only half of it and popular items are counted many at a time, "
        "so a rate may exceed the roof."
    )
    work_unit: ClassVar[str] = "multiply-adds"
    roof: ClassVar[tuple[str, str] | None] = (
        "benchmarks.roofs.counting",
        "one increment of a 16-bit counter in the L1 cache for each multiply-add",
    )
    cases = (
        Case("tiny", Parameters("tiny", k=10), when="named"),
        Case("small_like", Parameters("small_like"), when="quick", competitors=(*_PEERS, "scipy")),
        Case("ml20m_like", Parameters("ml20m_like"), competitors=_PEERS),
        Case("gowalla", Parameters("gowalla"), competitors=_PEERS),
        Case("ml20m_like_weighted", Parameters("ml20m_like", weighted=True), competitors=_PEERS),
        *(_point(millions * 1_000_000) for millions in (1, 3, 10, 30, 100)),
    )

    def prepare(self, parameters: Parameters, folder: Path, data: Path) -> Inputs:
        """Write the matrix users by items, and the true scores of some rows."""
        matrix = _matrix(parameters, data)
        sp.save_npz(folder / "matrix.npz", matrix, compressed=False)
        Reference.of(matrix.T.tocsr()).save(folder / "expected.npz")
        degrees = np.diff(matrix.indptr).astype(np.float64)
        return Inputs(
            files={"matrix": folder / "matrix.npz"},
            work=float(degrees @ degrees),
            facts={"users": matrix.shape[0], "items": matrix.shape[1], "non-zeros": matrix.nnz},
            expected=folder / "expected.npz",
        )

    def check(self, parameters: Parameters, inputs: Inputs, result: Path) -> None:
        """Compare the sampled rows with float64."""
        assert inputs.expected is not None
        Reference.load(inputs.expected).check(Neighbors.load(result))

    def agree(self, parameters: Parameters, result: Path, accepted: Path) -> None:
        """Compare the scores of all rows; among equal scores libraries may choose differently."""
        found, expected = Neighbors.load(result), Neighbors.load(accepted)
        tolerance = max(found.tolerance, expected.tolerance)
        same_scores(expected.scores, found.scores, np.arange(len(expected.scores)), tolerance)

    def quality(self, parameters: Parameters, inputs: Inputs, result: Path) -> dict[str, float]:
        """The largest error of a score."""
        assert inputs.expected is not None
        return {"largest error": Reference.load(inputs.expected).largest_error(Neighbors.load(result))}


def _matrix(parameters: Parameters, data: Path) -> Any:
    match parameters.matrix:
        case "ml20m_like":
            made = matrices.ml20m_like()
        case "small_like":
            made = matrices.small_like()
        case "scaled":
            assert parameters.size is not None
            made = matrices.scaled(parameters.size)
        case "gowalla":
            if not (data / "gowalla" / "train.parquet").is_file():
                raise UnavailableError(
                    "gowalla/train.parquet is not in the data folder; name one with --data or RECOCORE_DATA"
                )
            made = matrices.gowalla(data)
        case _:
            made = matrices.popularity_matrix(1_000, 400, 20_000, seed=4)
    return matrices.weighted(made) if parameters.weighted else made


SCENARIO = SimilarityScenario()
