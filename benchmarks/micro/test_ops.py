"""The native operations on small inputs: `python -m pytest benchmarks/micro`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from recocore import _native
from recocore.csr import Csr
from recocore.ops import similarity, topk
from recocore.ops.als import als_half_epoch
from recocore.retrieval import Retriever

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

_FACTORS = 32


@pytest.mark.parametrize("kind", ["cosine", "jaccard", "pearson"])
def test_similarity(benchmark: BenchmarkFixture, small: Any, kind: str) -> None:
    items = small.T.tocsr()
    found = benchmark(similarity, items, kind, k=20)
    assert found.shape == (items.shape[0], items.shape[0])


def test_topk(benchmark: BenchmarkFixture) -> None:
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((200, _FACTORS), np.float32)
    items = rng.standard_normal((20_000, _FACTORS), np.float32)
    ids, _ = benchmark(topk, queries, items, 10)
    assert ids.shape == (200, 10)


def test_retriever_one_query(benchmark: BenchmarkFixture) -> None:
    rng = np.random.default_rng(0)
    retriever = Retriever(rng.standard_normal((20_000, _FACTORS), np.float32))
    ids, _ = benchmark(retriever.topk, rng.standard_normal((1, _FACTORS), np.float32), 10)
    assert ids.shape == (1, 10)


@pytest.mark.parametrize("solver", ["cholesky", "cg"])
def test_als_half_epoch(benchmark: BenchmarkFixture, small: Any, solver: str) -> None:
    interactions = Csr.from_scipy(small)
    rng = np.random.default_rng(0)
    fixed = 0.1 * rng.standard_normal((small.shape[1], _FACTORS), np.float32)
    solved = np.zeros((small.shape[0], _FACTORS), np.float32)
    benchmark(als_half_epoch, interactions, fixed, solved, regularization=0.01, alpha0=0.1, nu=1.0, solver=solver)
    assert np.isfinite(solved).all()


def test_csr_transpose(benchmark: BenchmarkFixture, small: Any) -> None:
    matrix = Csr.from_scipy(small).native
    benchmark(_native.csr_transpose, matrix)
