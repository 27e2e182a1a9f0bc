"""A small index of a real model."""

from __future__ import annotations

from typing import Any

import numpy as np

from recocore import Index, Interactions


def small_index(model: Any) -> Index:
    """30 users with text ids, 20 items with integer ids."""
    rng = np.random.default_rng(3)
    users = [f"user-{number:02}" for number in rng.integers(0, 30, 240)]
    log = Interactions.from_coo(users, np.minimum(rng.geometric(0.15, 240), 20) * 10)
    return Index.build(model.fit(log), log)
