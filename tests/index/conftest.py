from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from recocore.csr import Csr
from recocore.data import Interactions
from recocore.index import Index
from recocore.scoring import FactorScorer, ItemNeighborScorer, PopularityScorer, RatingScorer, UserNeighborScorer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recocore.scoring import Scorer

LEARNERS: dict[str, Callable[[Csr], Scorer]] = {
    "factors": lambda matrix: FactorScorer(
        matrix,
        np.random.default_rng(1).normal(size=(matrix.shape[0], 4)).astype(np.float32)
        * (np.diff(matrix.indptr)[:, None] > 0),
        np.random.default_rng(2).normal(size=(matrix.shape[1], 4)).astype(np.float32),
        np.array([0.1, 0.05, 1.0]),
    ),
    "ratings": lambda matrix: RatingScorer(
        matrix,
        np.random.default_rng(1).normal(size=(matrix.shape[0], 5)).astype(np.float32),
        np.random.default_rng(2).normal(size=(matrix.shape[1], 5)).astype(np.float32),
        np.array([0.1, 1.0, 3.5]),
    ),
    "item_neighbors": lambda matrix: ItemNeighborScorer(matrix, neighbors(matrix.to_scipy().T)),
    "user_neighbors": lambda matrix: UserNeighborScorer(matrix, neighbors(matrix.to_scipy())),
    "popularity": lambda matrix: PopularityScorer(
        matrix, np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.float32)
    ),
}


def neighbors(rows: Any) -> Csr:
    """Inner products of the rows, each with itself left out."""
    products = (rows @ rows.T).toarray()
    np.fill_diagonal(products, 0)
    row, column = np.nonzero(products > 1)
    return Csr.from_coo(row, column, products[row, column], products.shape)


@dataclass
class Fitted:
    """A model as an index sees it."""

    scorer: Scorer
    values: dict[str, Any]

    def params(self) -> dict[str, Any]:
        return self.values


def fit(kind: str, log: Interactions, **params: Any) -> Fitted:
    return Fitted(LEARNERS[kind](log.matrix), params or {"size": 4, "rate": 0.1, "kind": "x", "bound": None})


@pytest.fixture(scope="session")
def log() -> Interactions:
    """30 users, 20 items: string users, integer items; popular items have low numbers."""
    rng = np.random.default_rng(7)
    users = np.concatenate([np.arange(30), rng.integers(0, 30, 210)])
    items = 10 * np.concatenate([np.arange(20) + 1, np.minimum(rng.geometric(0.15, 220), 20)])
    return Interactions.from_coo([f"user-{u:02}" for u in users], items)


@pytest.fixture
def fitted() -> Callable[..., Fitted]:
    """Makes a fitted model of one kind over some interactions."""
    return fit


@pytest.fixture(params=list(LEARNERS))
def built(request: pytest.FixtureRequest, log: Interactions) -> Index:
    """An index in memory, of each kind of scorer."""
    return Index.build(fit(request.param, log), log)


@pytest.fixture
def factors(log: Interactions) -> Index:
    """An index in memory with factors."""
    return Index.build(fit("factors", log), log, metrics={"recall@20": 0.25})


@pytest.fixture
def saved(factors: Index, tmp_path: Path) -> Path:
    """The folder of a saved index with factors."""
    factors.save(tmp_path / "saved")
    return tmp_path / "saved"
