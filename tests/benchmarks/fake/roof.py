from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.harness.competitor import Competitor as Base

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Competitor(Base):
    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None:
        self.amount = 100.0

    def run(self) -> Any:
        time.sleep(0.001)

    def save(self, result: Any, path: Path) -> None: ...
