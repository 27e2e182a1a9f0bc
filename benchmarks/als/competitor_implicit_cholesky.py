"""implicit: `AlternatingLeastSquares` by Cholesky."""

from __future__ import annotations

from typing import ClassVar

from benchmarks.als.competitor_implicit_cg import Competitor as ConjugateGradient


class Competitor(ConjugateGradient):
    """The same fit by another solver."""

    exact: ClassVar[bool] = True
