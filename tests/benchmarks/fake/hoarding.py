from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tests.benchmarks.fake.adding import Adding

if TYPE_CHECKING:
    from pathlib import Path


class Competitor(Adding):
    """Takes 256 MiB to save."""

    def save(self, result: Any, path: Path) -> None:
        path.write_text(str(np.ones(1 << 25).sum()))
