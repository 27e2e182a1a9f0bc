"""recocore with solver="subspace": iALS++, 64 factors at a time."""

from __future__ import annotations

from typing import ClassVar

from benchmarks.als.competitor_recocore import Competitor as Recocore


class Competitor(Recocore):
    """The same fit by another solver."""

    solver: ClassVar[str] = "subspace"
    exact: ClassVar[bool] = False
