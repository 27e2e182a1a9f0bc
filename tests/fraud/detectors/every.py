"""The detectors, as every test of what they share takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recocore.fraud import ECOD, HBOS, MCD, Detector, HalfSpaceTrees, IsolationForest

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.types import Float64Array

EVERY: dict[str, Callable[[], Detector]] = {
    "ecod": ECOD,
    "ecod pyod": lambda: ECOD("pyod"),
    "forest": lambda: IsolationForest(n_trees=20, seed=3),
    "mcd": lambda: MCD(seed=3),
    "hbos": HBOS,
    "hbos dynamic": lambda: HBOS(bins="dynamic"),
    "trees": lambda: HalfSpaceTrees(n_trees=10, depth=6, window=100, seed=3),
}


def normal(n: int, f: int, seed: int = 0) -> Float64Array:
    """Rows of correlated normal features."""
    random = np.random.default_rng(seed)
    return np.ascontiguousarray(random.normal(size=(n, f)) @ random.normal(size=(f, f)))
