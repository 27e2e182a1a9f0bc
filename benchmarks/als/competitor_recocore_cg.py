"""recocore with solver="cg": three steps of conjugate gradient a row."""

from __future__ import annotations

from typing import ClassVar

from benchmarks.als.competitor_recocore import Competitor as Recocore


class Competitor(Recocore):
    """The same fit by another solver."""

    solver: ClassVar[str] = "cg"
    exact: ClassVar[bool] = False
