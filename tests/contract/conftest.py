"""The models that every contract test runs on, and the data that they run on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from recocore.data import Interactions
from recocore.models import ALS, BaseModel, ItemKNN, Popularity, UserKNN

Make = Callable[..., BaseModel]

MODELS: dict[str, Make] = {
    "als": lambda **kw: ALS(**{"factors": 6, "iterations": 8, **kw}),
    "als-cg": lambda **kw: ALS(**{"factors": 6, "iterations": 8, "solver": "cg", **kw}),
    "als-subspace": lambda **kw: ALS(**{"factors": 6, "iterations": 8, "solver": "subspace", **kw}),
    "itemknn": lambda **kw: ItemKNN(**{"k": 20, **kw}),
    "itemknn-jaccard": lambda **kw: ItemKNN(**{"similarity": "jaccard", "k": 20, **kw}),
    "userknn": lambda **kw: UserKNN(**{"k": 20, **kw}),
    "popularity": lambda **kw: Popularity(),
}


@pytest.fixture(params=sorted(MODELS))
def make(request: pytest.FixtureRequest) -> Make:
    """A factory of one kind of model."""
    return MODELS[request.param]


@pytest.fixture
def make_personal(make: Make) -> Make:
    """The same, without the model that gives everyone the same."""
    if isinstance(make(), Popularity):
        pytest.skip("popularity ranks the same for everyone")
    return make


@pytest.fixture(scope="session")
def blocks() -> Interactions:
    """Two groups of 12 users with 10 items each; user u has all of the group's items but one, item u % 10 of it."""
    users, items = [], []
    for user in range(24):
        group = user // 12
        for item in range(10):
            if item != user % 10:
                users.append(user)
                items.append(10 * group + item)
    return Interactions.from_coo(np.array(users), np.array(items))


@pytest.fixture(scope="session")
def shop() -> Interactions:
    """150 users, 80 items, uneven popularity and weights; user 0 has nothing and item 79 belongs to nobody."""
    rng = np.random.default_rng(20)
    popularity = 1 / np.arange(1, 80) ** 0.7
    users = rng.integers(1, 150, 2500)
    items = rng.choice(79, 2500, p=popularity / popularity.sum())
    taste = (users % 4) == (items % 4)
    keep = taste | (rng.random(2500) < 0.4)
    matrix = np.zeros((150, 80), np.float32)
    matrix[users[keep], items[keep]] = rng.integers(1, 4, keep.sum())
    return Interactions.from_csr(sp.csr_matrix(matrix))
