"""What a case asks: its arrays, as files and in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from recocore.types import Float32Array, Int32Array

_FILES = {"queries": "queries.npy", "items": "items.npy", "excluded": "excluded.npz", "allowed": "allowed.npy"}


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Queries, items, and which items may come back.

    Attributes:
        queries: float32 `[n, f]`.
        items: float32 `[m, f]`.
        excluded: SciPy CSR `[n, m]` whose stored entries must not come back, or None.
        allowed: int32, ascending: the only items that may come back, or None.
    """

    queries: Float32Array
    items: Float32Array
    excluded: Any = None
    allowed: Int32Array | None = None

    @classmethod
    def load(cls, files: Mapping[str, Path]) -> Problem:
        """Read what `save` wrote."""
        return cls(
            np.load(files["queries"]),
            np.load(files["items"]),
            sp.load_npz(files["excluded"]) if "excluded" in files else None,
            np.load(files["allowed"]) if "allowed" in files else None,
        )

    @classmethod
    def beside(cls, file: Path) -> Problem:
        """Read what was written into the folder of a file."""
        paths = {name: file.parent / stored for name, stored in _FILES.items()}
        return cls.load({name: path for name, path in paths.items() if path.is_file()})

    def save(self, folder: Path) -> dict[str, Path]:
        """Write every array there is; gives the files by name."""
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _FILES}
        files = {name: folder / _FILES[name] for name, array in arrays.items() if array is not None}
        for name, path in files.items():
            if name == "excluded":
                sp.save_npz(path, self.excluded, compressed=False)
            else:
                np.save(path, arrays[name])
        return files

    @property
    def candidates(self) -> Float32Array:
        """The items that may come back: all of them, or a copy of the allowed ones, made at each call."""
        return self.items if self.allowed is None else self.items[self.allowed]

    @property
    def flops(self) -> float:
        """Floating-point operations of the product of all queries and candidates."""
        candidates = len(self.items) if self.allowed is None else len(self.allowed)
        return 2.0 * candidates * self.queries.size

    @property
    def pairs(self) -> Any:
        """int64, ascending: `query * m + item` of every excluded pair."""
        rows = np.repeat(np.arange(len(self.queries)), np.diff(self.excluded.indptr))
        return np.sort(rows * len(self.items) + self.excluded.indices)
