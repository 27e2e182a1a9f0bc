"""irspack: `IALSRecommender` by three steps of conjugate gradient, its default."""

from __future__ import annotations

from typing import ClassVar, Literal

from benchmarks.als.competitor_irspack_cholesky import Competitor as Cholesky


class Competitor(Cholesky):
    """The same fit by another solver."""

    solver: ClassVar[Literal["CG", "CHOLESKY", "IALSPP"]] = "CG"
    exact: ClassVar[bool] = False
