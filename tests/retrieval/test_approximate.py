"""Indexes of faiss and usearch against the exact answer."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from tests.retrieval.stand_in import BruteForce

from recocore.errors import InvalidArgumentError, UnsupportedError
from recocore.retrieval.approximate import (
    handed_items,
    handed_queries,
    measure_recall,
    recall,
    search,
    to_faiss,
    to_usearch,
)

KINDS = [("inner_product", False), ("inner_product", True), ("cosine", False), ("cosine", True), ("euclidean", False)]


def shop(metric: str, with_biases: bool, items: int = 400, seed: int = 1) -> tuple[BruteForce, Any]:
    """Items of very different lengths, so that the metrics disagree, and queries."""
    rng = np.random.default_rng(seed)
    vectors = (rng.normal(size=(items, 12)) * np.exp(rng.normal(size=(items, 1)))).astype(np.float32)
    biases = rng.normal(size=items).astype(np.float32) if with_biases else None
    return BruteForce(vectors, metric, biases), rng.normal(size=(30, 12)).astype(np.float32)


def test_the_metrics_disagree_on_these_data() -> None:
    lists = [shop(*kind)[0].topk(shop(*kind)[1], 10)[0] for kind in KINDS]
    for at, ids in enumerate(lists):
        for other in lists[at + 1 :]:
            assert recall(ids, other) < 0.8


@pytest.mark.parametrize(("metric", "with_biases"), KINDS)
def test_what_is_handed_over_scores_the_same(metric: str, with_biases: bool) -> None:
    retriever, queries = shop(metric, with_biases)
    items, asked = handed_items(retriever).astype(np.float64), handed_queries(retriever, queries).astype(np.float64)
    scores = -((asked[:, None, :] - items[None]) ** 2).sum(axis=2) if metric == "euclidean" else asked @ items.T
    np.testing.assert_allclose(scores, retriever.scores(queries), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("metric", "with_biases"), KINDS)
@pytest.mark.parametrize("library", ["faiss", "usearch"])
def test_an_exhaustive_index_gives_the_exact_answer(library: str, metric: str, with_biases: bool) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed: pip install 'recocore[ann]'")
    retriever, queries = shop(metric, with_biases)
    if library == "faiss":
        index = to_faiss(retriever, "Flat")
    else:  # a graph in which every item is looked at
        index = to_usearch(retriever, connectivity=64, expansion_add=400, expansion_search=400, num_threads=1)
    exact_ids, exact_scores = retriever.topk(queries, 10)
    found = search(index, retriever, queries, 10)
    np.testing.assert_array_equal(found.ids, exact_ids)
    np.testing.assert_allclose(found.scores, exact_scores, rtol=1e-4, atol=1e-4)
    assert found.ids.dtype == np.int32
    assert measure_recall(index, retriever, queries, 10) == 1.0


@pytest.mark.parametrize(("metric", "with_biases"), KINDS)
@pytest.mark.parametrize("factory", ["HNSW32", "IVF16,Flat"])
def test_faiss_finds_most(factory: str, metric: str, with_biases: bool) -> None:
    pytest.importorskip("faiss", reason="faiss is not installed: pip install 'recocore[ann]'")
    retriever, queries = shop(metric, with_biases, items=1000)
    index = to_faiss(retriever, factory)
    if factory.startswith("IVF"):
        index.nprobe = 8
    assert index.ntotal == 1000
    assert measure_recall(index, retriever, queries, 10) > 0.6
    stranger = to_faiss(shop(metric, with_biases, items=1000, seed=2)[0], factory)
    assert measure_recall(stranger, retriever, queries, 10) < 0.2


@pytest.mark.parametrize(("metric", "with_biases"), KINDS)
def test_usearch_finds_most(metric: str, with_biases: bool) -> None:
    pytest.importorskip("usearch", reason="usearch is not installed: pip install 'recocore[ann]'")
    retriever, queries = shop(metric, with_biases, items=1000)
    index = to_usearch(retriever)
    assert len(index) == 1000
    assert measure_recall(index, retriever, queries, 10) > 0.6


@pytest.mark.parametrize("library", ["faiss", "usearch"])
def test_fewer_items_than_asked_for_and_one_query_and_none(library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed: pip install 'recocore[ann]'")
    build: Any = {"faiss": to_faiss, "usearch": to_usearch}[library]
    retriever = BruteForce([[3], [1], [2]])
    index = build(retriever)
    one = search(index, retriever, np.ones((1, 1), np.float32), 5)
    assert one.ids.tolist() == [[0, 2, 1, -1, -1]]
    np.testing.assert_allclose(one.scores, [[3, 2, 1, -np.inf, -np.inf]], rtol=1e-6)
    two = search(index, retriever, np.array([[1], [-1]], np.float32), 4)
    assert two.ids.tolist() == [[0, 2, 1, -1], [1, 2, 0, -1]]
    assert search(index, retriever, np.empty((0, 1), np.float32), 2).ids.shape == (0, 2)
    nothing = BruteForce(np.empty((0, 1)))
    assert search(build(nothing), nothing, np.ones((1, 1), np.float32), 2).ids.tolist() == [[-1, -1]]


def test_items_of_length_zero_have_cosine_zero() -> None:
    retriever = BruteForce([[0, 0], [1, 0], [-1, 0]], "cosine")
    np.testing.assert_array_equal(handed_items(retriever), [[0, 0], [1, 0], [-1, 0]])
    asked = handed_queries(retriever, np.array([[0, 0], [3, 4]], np.float32))
    np.testing.assert_array_equal(asked, np.array([[0, 0], [0.6, 0.8]], np.float32))


def test_recall_is_the_mean_over_queries() -> None:
    exact = np.array([[0, 1, 2, 3], [4, -1, -1, -1], [-1, -1, -1, -1]])
    assert recall(exact, exact) == 1.0
    assert recall([[3, 9], [4, -1], [5, 6]], exact) == pytest.approx((1 / 4 + 1) / 2)
    # An id in another row is no hit, and pads match nothing.
    assert recall([[4, -1], [0, -1], [4, 0]], exact) == 0.0
    assert recall([[1]], [[-1]]) == 1.0
    assert recall(np.array([[2**31 - 1]], np.int32), np.array([[2**31 - 1]], np.int32)) == 1.0


@pytest.mark.parametrize(
    ("approximate", "exact", "message"),
    [
        ([1, 2], [[1, 2]], "approximate_ids: expected a 2-d array of integers, got 1-d int64"),
        ([[1]], [[0.5]], "exact_ids: expected a 2-d array of integers, got 2-d float64"),
        ([[1]], [[1], [2]], "approximate_ids: expected 2 rows as exact_ids has, got 1"),
    ],
)
def test_bad_ids_are_named(approximate: Any, exact: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        recall(approximate, exact)


@pytest.mark.parametrize(("build", "library"), [(to_faiss, "faiss"), (to_usearch, "usearch")])
def test_a_missing_library_is_an_error_that_says_what_to_install(
    build: Any, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (library, f"{library}.index"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UnsupportedError, match=rf"{library}: expected .*; pip install 'recocore\[ann\]'"):
        build(BruteForce(np.ones((3, 2))))


def test_what_cannot_be_handed_over_is_named() -> None:
    with pytest.raises(InvalidArgumentError, match="biases: expected none with euclidean"):
        handed_items(BruteForce(np.ones((3, 2)), "euclidean", np.ones(3)))
    with pytest.raises(InvalidArgumentError, match=r"metric: expected one of .*, got 'manhattan'"):
        handed_items(BruteForce(np.ones((3, 2)), "manhattan"))
    pytest.importorskip("faiss", reason="faiss is not installed: pip install 'recocore[ann]'")
    with pytest.raises(InvalidArgumentError, match="factory: expected one that faiss can build of 3 items, got 'Flot'"):
        to_faiss(BruteForce(np.ones((3, 2))), "Flot")
