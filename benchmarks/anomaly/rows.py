"""Made-up rows of features: correlated and skewed, some of them anomalous."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from recocore.types import BoolArray, Float64Array

ANOMALOUS = 0.01


def rows_of(n: int, f: int, seed: int) -> tuple[Float64Array, BoolArray]:
    """Features `[n, f]`, and which rows are anomalous: one in a hundred, twice as far out in every feature."""
    mixing = np.random.default_rng(0).normal(size=(f, f)) / np.sqrt(f)
    random = np.random.default_rng((1, seed))
    values = random.normal(size=(n, f))
    anomalous = random.random(n) < ANOMALOUS
    values[anomalous] *= 2.5
    rows = values @ mixing
    rows[:, ::2] = np.exp(rows[:, ::2] / 2)
    return np.ascontiguousarray(rows), anomalous
