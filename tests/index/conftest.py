from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from recocore.data import Interactions
from recocore.index import Index
from recocore.models import ALS, ItemKNN, Popularity, UserKNN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODELS: dict[str, Callable[[], Any]] = {
    "als": lambda: ALS(factors=4, iterations=3, seed=1),
    "itemknn": lambda: ItemKNN(k=8),
    "userknn": lambda: UserKNN(k=8),
    "popularity": Popularity,
}


@pytest.fixture(scope="session")
def log() -> Interactions:
    """30 users, 20 items: string users, integer items; popular items have low numbers."""
    rng = np.random.default_rng(7)
    users = rng.integers(0, 30, 240)
    items = np.minimum(rng.geometric(0.15, 240), 20) * 10
    return Interactions.from_coo([f"user-{u:02}" for u in users], items)


@pytest.fixture(params=list(MODELS))
def built(request: pytest.FixtureRequest, log: Interactions) -> Index:
    """An index in memory of each kind of model."""
    return Index.build(MODELS[request.param]().fit(log), log)


@pytest.fixture
def als(log: Interactions) -> Index:
    return Index.build(MODELS["als"]().fit(log), log, metrics={"recall@20": 0.25})


@pytest.fixture
def saved(als: Index, tmp_path: Path) -> Path:
    """The folder of a saved index."""
    als.save(tmp_path / "saved")
    return tmp_path / "saved"
