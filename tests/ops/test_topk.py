"""Top-k against a float64 sort, and what bad input gets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore.errors import CancelledError, InvalidArgumentError, OutOfMemoryError
from recocore.ops import topk


def integers(rows: int, factors: int, seed: int) -> Any:
    """Small integers: products are exact in float32 and ties are many."""
    return np.random.default_rng(seed).integers(-3, 4, (rows, factors)).astype(np.float32)


def reference(queries: Any, items: Any, k: int, admitted: Any) -> tuple[Any, Any]:
    ids = np.full((len(queries), k), -1, np.int32)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    exact = queries.astype(np.float64) @ items.T.astype(np.float64)
    for row in range(len(queries)):
        candidates = np.flatnonzero(admitted[row])
        order = candidates[np.lexsort((candidates, -exact[row, candidates]))][:k]
        ids[row, : len(order)] = order
        scores[row, : len(order)] = exact[row, order]
    return ids, scores


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("k", [1, 7, 8, 31, 32, 33, 200, 211])
def test_equals_a_sort_with_ties_by_id(k: int, threads: int) -> None:
    queries, items = integers(19, 6, 1), integers(200, 6, 2)
    ids, scores = topk(queries, items, k, num_threads=threads)
    expected_ids, expected_scores = reference(queries, items, k, np.ones((19, 200), bool))
    np.testing.assert_array_equal(ids, expected_ids)
    np.testing.assert_array_equal(scores, expected_scores)


@pytest.mark.parametrize("factors", [1, 15, 16, 17, 64, 100])
def test_random_factors_are_exact_to_rounding(factors: int) -> None:
    rng = np.random.default_rng(factors)
    queries, items = (rng.normal(size=(n, factors)).astype(np.float32) for n in (11, 500))
    ids, scores = topk(queries, items, 20)
    exact = queries.astype(np.float64) @ items.T.astype(np.float64)
    np.testing.assert_allclose(scores, -np.sort(-exact, axis=1)[:, :20], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(exact, ids.astype(int), 1), scores, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("k", [3, 90])
def test_exclude_and_allow_in_both_forms(k: int) -> None:
    queries, items = integers(12, 4, 3), integers(80, 4, 4)
    rng = np.random.default_rng(9)
    per_row_out, per_row_in = rng.random((12, 80)) < 0.5, rng.random((12, 80)) < 0.5
    shared = np.array([3, 4, 50, 50])
    everywhere = np.zeros((12, 80), bool)
    everywhere[:, shared] = True
    for exclude, out in ((sp.csr_matrix(per_row_out), per_row_out), (shared, everywhere), (None, False)):
        for allow, only in ((sp.csr_matrix(per_row_in), per_row_in), (shared, everywhere), (None, True)):
            admitted = np.broadcast_to(np.logical_not(out) & only, (12, 80))
            ids, scores = topk(queries, items, k, exclude=exclude, allow=allow)
            expected_ids, expected_scores = reference(queries, items, k, admitted)
            np.testing.assert_array_equal(ids, expected_ids)
            np.testing.assert_array_equal(scores, expected_scores)


def test_stored_zeros_exclude_too() -> None:
    exclude = sp.csr_matrix((np.zeros(1), ([0], [2])), shape=(1, 4))
    ids, _ = topk(np.ones((1, 1), np.float32), np.arange(4, dtype=np.float32)[:, None], 4, exclude=exclude)
    assert ids.tolist() == [[3, 1, 0, -1]]


def test_minus_zero_ties_with_zero() -> None:
    items = np.array([[0.0], [-0.0], [0.0]], np.float32)
    assert topk(np.array([[-1.0]], np.float32), items, 3)[0].tolist() == [[0, 1, 2]]


def test_no_queries_no_items_no_factors() -> None:
    empty = np.empty((0, 4), np.float32)
    assert topk(empty, integers(5, 4, 1), 2)[0].shape == (0, 2)
    assert topk(integers(3, 4, 1), empty, 2)[0].tolist() == [[-1, -1]] * 3
    ids, scores = topk(np.empty((2, 0), np.float32), np.empty((3, 0), np.float32), 2)
    assert ids.tolist() == [[0, 1]] * 2
    assert scores.tolist() == [[0, 0]] * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"queries": np.ones((2, 3))}, "queries: expected a C-contiguous 2-d array of float32, got 2-d float64"),
        ({"queries": np.ones((3, 2), np.float32).T}, r"queries: expected .* \(not C-contiguous\)"),
        ({"queries": np.ones(3, np.float32)}, "queries: .* got 1-d float32"),
        ({"items": np.ones((5, 2), np.float32)}, r"items: expected as many columns as queries \[2, 3\], got \[5, 2\]"),
        ({"items": np.full((5, 3), np.nan, np.float32)}, "items: expected finite values, got nan in row 0"),
        ({"queries": np.full((2, 3), np.inf, np.float32)}, "queries: expected finite values, got inf in row 0"),
        ({"k": 0}, "k: expected an integer of at least 1, got 0"),
        ({"k": "3"}, "k: expected an integer of at least 1, got '3'"),
        ({"k": True}, "k: expected an integer of at least 1, got True"),
        ({"queries": None}, "queries: expected a C-contiguous 2-d array of float32, got NoneType"),
        ({"exclude": np.array([5])}, r"exclude: expected item indices in \[0, 5\), got 5 to 5"),
        ({"exclude": sp.csr_matrix((3, 5))}, r"exclude: expected a sparse matrix of shape \(2, 5\), got \(3, 5\)"),
        ({"allow": np.array(["a"])}, "allow: expected a 1-d array of item indices"),
        ({"num_threads": -1}, "num_threads: expected 0"),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], message: str) -> None:
    arguments = {"queries": np.ones((2, 3), np.float32), "items": np.ones((5, 3), np.float32), "k": 2, **change}
    with pytest.raises(InvalidArgumentError, match=message):
        topk(**arguments)


def test_what_cannot_be_done_is_said_before_it_is_tried() -> None:
    one = np.ones((1000, 1), np.float32)
    with pytest.raises(OutOfMemoryError, match=r"topk: needs .* more than the .* MB that are free"):
        topk(np.repeat(one, 1000, axis=0), one, 2**31 - 1)
    with pytest.raises(InvalidArgumentError, match=r"k: expected 0 to 2\*\*31 - 1"):
        topk(one, one, 2**40)
    with pytest.raises(InvalidArgumentError, match="precision: expected one of auto, float32"):
        topk(one, one, 1, precision="int4")


def test_a_progress_callback_can_stop_it() -> None:
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(40_000, 64)).astype(np.float32)

    def stop(fraction: float) -> None:
        raise CancelledError(f"stopped at {fraction}")

    with pytest.raises(CancelledError, match="stopped at"):
        topk(factors, factors, 5, progress=stop)
