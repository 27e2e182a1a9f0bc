"""recocore with solver="cholesky": every row exactly, by whichever system is smaller."""

from __future__ import annotations

from typing import ClassVar

from benchmarks.als.competitor_recocore import Competitor as Recocore


class Competitor(Recocore):
    """The same fit by another solver."""

    solver: ClassVar[str] = "cholesky"
    exact: ClassVar[bool] = True
