"""Keeping the factors of a whole epoch while the next ones change them in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recocore.models.epoch_report import EpochReport
    from recocore.types import Float32Array


class EpochStore(Protocol):
    """Where a fit keeps what it would return if the next epoch did not come to its end."""

    def resume(self, arrays: Mapping[str, Float32Array]) -> list[EpochReport]:
        """Write the arrays of the last epoch that an earlier fit kept into `arrays`: the history up to it."""
        ...

    def put(self, history: Sequence[EpochReport], best: int, arrays: Mapping[str, Float32Array]) -> None:
        """Keep the arrays of the epoch that the history ends with; `best` is the number of the one to return."""
        ...

    def restore(self, epoch: int, arrays: Mapping[str, Float32Array]) -> None:
        """Write the arrays of the best epoch, or of the last, into `arrays`."""
        ...


class MemoryStore:
    """Keeps a copy of the best epoch."""

    def __init__(self) -> None:
        self._kept: dict[str, Float32Array] = {}

    def resume(self, arrays: Mapping[str, Float32Array]) -> list[EpochReport]:
        """Nothing outlives a fit."""
        return []

    def put(self, history: Sequence[EpochReport], best: int, arrays: Mapping[str, Float32Array]) -> None:
        """Copy the arrays where theirs is the best epoch."""
        if best != len(history):
            return
        for name, array in arrays.items():
            np.copyto(self._kept.setdefault(name, np.empty_like(array)), array)

    def restore(self, epoch: int, arrays: Mapping[str, Float32Array]) -> None:
        """Copy the best epoch back."""
        for name, array in arrays.items():
            np.copyto(array, self._kept[name])
