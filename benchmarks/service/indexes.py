"""Indexes to serve: made-up users who each had some items, and a model fitted to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recocore import Index, Interactions
from recocore.models import ALS, ItemKNN

if TYPE_CHECKING:
    from pathlib import Path

USERS = 20_000
# Somebody whom every index knows.
USER = "user-00007"
_ITEMS_EACH = 20


def made_index(path: Path, items: int, model: str, seed: int = 0) -> Path:
    """Write an index of `items` items: ALS of 64 factors, or the 100 nearest items of each."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(USERS), _ITEMS_EACH)
    # Some items are had by many, most by few; and every one by somebody.
    chosen = np.minimum((items * rng.random(len(users)) ** 2).astype(np.int64), items - 1)
    pairs = np.concatenate(
        [np.stack([users, chosen], 1), np.stack([rng.integers(0, USERS, items), np.arange(items)], 1)]
    )
    interactions = Interactions.from_coo(
        [f"user-{user:05}" for user in pairs[:, 0].tolist()], [f"item-{item:07}" for item in pairs[:, 1].tolist()]
    )
    fitted = ALS(factors=64, iterations=2) if model == "als" else ItemKNN(k=100)
    Index.build(fitted.fit(interactions), interactions).save(path)
    return path
