"""recocore with precision="float32": every inner product in float32, none ruled out by a cheaper bound."""

from __future__ import annotations

from typing import ClassVar

from benchmarks.topk.competitor_recocore import Competitor as Recocore


class Competitor(Recocore):
    """The same search by float32 alone."""

    precision: ClassVar[str] = "float32"
