from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.sparse as sp
from tests.ops.matrices import best, ratings, reals, scattered

from recocore import _native
from recocore.csr import Csr
from recocore.errors import InvalidArgumentError, OutOfMemoryError
from recocore.ops import matmul_topk

if TYPE_CHECKING:
    from recocore.types import Float32Array, Int32Array


def ids(*numbers: int) -> Int32Array:
    return np.array(numbers, np.int32)


def pattern(rows: list[list[int]], cols: int) -> Csr:
    """A Csr that holds a 1 at the columns listed for each row."""
    lengths = [len(row) for row in rows]
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    indices = np.array([c for row in rows for c in row], np.int32)
    return Csr(indptr, indices, np.ones(len(indices), np.float32), (len(rows), cols))


def met(a: Any, b: Any) -> Any:
    """Where stored entries of a and b meet."""
    ones_a, ones_b = a.copy(), b.copy()
    ones_a.data[:], ones_b.data[:] = 1, 1
    return (ones_a @ ones_b).toarray() > 0


def padded_reference(a: Any, rows: Any, b: Any, k: int, admitted: Any) -> tuple[Int32Array, Float32Array]:
    """The padded form by sorting dense rows."""
    scores = (a.astype(np.float64) @ b.astype(np.float64)).toarray().astype(np.float32)[rows]
    candidate = met(a, b)[rows] & admitted
    found_ids = np.full((len(rows), k), -1, np.int32)
    found_scores = np.full((len(rows), k), -np.inf, np.float32)
    for query, row in enumerate(scores):
        columns = np.flatnonzero(candidate[query])
        order = columns[np.lexsort((columns, -row[columns]))][:k]
        found_ids[query, : len(order)] = order
        found_scores[query, : len(order)] = row[order]
    return found_ids, found_scores


@pytest.mark.parametrize("make", [ratings, reals])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_all_entries_equal_the_product_of_scipy(make: Any, dtype: Any) -> None:
    a = make(1).astype(dtype)
    b = make(2).astype(dtype).T.tocsr()
    ours = matmul_topk(a, b, k=None)
    expected = (a.astype(np.float64) @ b.astype(np.float64)).toarray()
    np.testing.assert_allclose(ours.toarray(), expected, rtol=1e-6, atol=1e-12)
    stored = np.zeros(ours.shape, bool)
    stored[ours.nonzero()] = True
    assert ours.nnz == met(a, b).sum()
    assert (stored <= met(a, b)).all()
    assert ours.dtype == np.float32
    assert ours.has_canonical_format


@pytest.mark.parametrize("k", [1, 3, 19, 1000])
@pytest.mark.parametrize("make", [ratings, reals])
def test_k_keeps_the_best_by_value_then_column(make: Any, k: int) -> None:
    a = make(3)
    b = make(4).T.tocsr()
    everything = matmul_topk(a, b, k=None)
    ours = matmul_topk(a, b, k=k)
    for i in range(a.shape[0]):
        assert ours[[i]].indices.tolist() == best(everything[[i]].data, everything[[i]].indices, k)


def test_same_bytes_at_every_thread_count() -> None:
    a = ratings(5, rows=150, cols=60)
    b = ratings(6, rows=60, cols=90)
    one = matmul_topk(a, b, 7, num_threads=1)
    for threads in (2, 7):
        other = matmul_topk(a, b, 7, num_threads=threads)
        assert one.data.tobytes() == other.data.tobytes()
        assert one.indices.tobytes() == other.indices.tobytes()
        assert one.indptr.tobytes() == other.indptr.tobytes()


def test_zeros_that_meet_compete_with_negatives() -> None:
    a = sp.csr_matrix([[1.0, 1.0]])
    b = sp.csr_matrix([[2.0, -3.0, 0.0], [-2.0, 0.0, 0.0]])
    ours = matmul_topk(a, b, k=1)
    assert (ours.indices.tolist(), ours.data.tolist()) == ([0], [0.0])  # 2 - 2, which beats -3; column 2 meets nothing
    assert matmul_topk(a, b, k=5).nnz == 2
    assert matmul_topk(a, b, k=5, threshold=-3.0).nnz == 2
    assert matmul_topk(a, b, k=5, threshold=0.5).nnz == 0


def test_empty_shapes() -> None:
    assert matmul_topk(sp.csr_matrix((3, 0)), sp.csr_matrix((0, 4)), 2).shape == (3, 4)
    assert matmul_topk(sp.csr_matrix((0, 3)), sp.csr_matrix((3, 4)), 2).shape == (0, 4)
    assert matmul_topk(sp.csr_matrix((2, 3)), sp.csr_matrix((3, 0)), 2).shape == (2, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"b": sp.identity(5, format="csr")}, "b: expected 17 rows, one for each column of a, got 5"),
        ({"k": 0}, "k: expected at least 1, or none to keep every entry, got 0"),
        ({"k": "ten"}, "k: expected an integer, got 'ten'"),
        ({"threshold": np.nan}, "threshold: expected a number"),
        ({"a": [[1.0]]}, "a: expected a SciPy sparse matrix, got list"),
        ({"b": sp.csr_matrix(np.full((17, 2), np.inf))}, "b: expected finite values, got inf in row 0"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        matmul_topk(**{"a": ratings(7), "b": ratings(8).T.tocsr(), "k": 3, **arguments})


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("k", [1, 4, 40])
def test_padded_form_with_every_filter(k: int, threads: int) -> None:
    a = ratings(9, rows=31)
    b = sp.csr_matrix(reals(10, rows=17, cols=29))
    rng = np.random.default_rng(10)
    rows = rng.integers(0, 31, 50).astype(np.int32)  # repeats, any order
    seen = scattered(31, 31, 29, 0.2)
    hidden = scattered(50, 50, 29, 0.1)
    allowed = scattered(32, 31, 29, 0.6)
    block = ids(0, 7, 7, 28)
    shared = rng.permutation(29)[:20].astype(np.int32)

    everywhere = np.ones((50, 29), bool)
    unseen = seen.toarray()[rows] == 0
    unblocked = ~np.isin(np.arange(29), block)
    native_a, native_b = Csr.from_scipy(a).native, Csr.from_scipy(b).native
    by_user = (Csr.from_scipy(seen).native, rows)
    cases: list[tuple[dict[str, Any], Any]] = [
        ({}, everywhere),
        ({"exclude": [by_user]}, unseen),
        ({"block": block}, everywhere & unblocked),
        (
            {"exclude": [by_user, (Csr.from_scipy(hidden).native, None)], "block": block},
            unseen & (hidden.toarray() == 0) & unblocked,
        ),
        ({"allow": shared}, everywhere & np.isin(np.arange(29), shared)),
        ({"allow": ids()}, ~everywhere),
        ({"allow": (Csr.from_scipy(allowed).native, rows)}, allowed.toarray()[rows] != 0),
        (
            {"allow": (Csr.from_scipy(allowed).native, rows), "exclude": [by_user], "block": block},
            (allowed.toarray()[rows] != 0) & unseen & unblocked,
        ),
        ({"allow": shared, "block": shared}, ~everywhere),
    ]
    for filters, admitted in cases:
        ours = _native.matmul_topk_padded(native_a, rows, native_b, k, num_threads=threads, **filters)
        expected = padded_reference(a, rows, b, k, admitted)
        np.testing.assert_array_equal(ours[0], expected[0])
        np.testing.assert_array_equal(ours[1], expected[1])
        assert ours[0].dtype == np.int32
        assert ours[1].dtype == np.float32


def test_padded_form_without_rows_takes_every_row() -> None:
    a, b = ratings(11), ratings(12).T.tocsr()
    every = np.arange(23, dtype=np.int32)
    native_a, native_b = Csr.from_scipy(a).native, Csr.from_scipy(b).native
    for one, other in zip(
        _native.matmul_topk_padded(native_a, None, native_b, 3),
        _native.matmul_topk_padded(native_a, every, native_b, 3),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert _native.matmul_topk_padded(native_a, ids(), native_b, 3)[0].shape == (0, 3)


def test_padded_form_looks_only_at_what_the_queries_reach() -> None:
    a = pattern([[0], [1]], 2)
    broken = Csr(np.array([0, 1, 2], np.int64), ids(0, 99), np.ones(2, np.float32), (2, 3))
    found, _ = _native.matmul_topk_padded(a.native, ids(0), broken.native, 2)
    assert found.tolist() == [[0, -1]]
    with pytest.raises(InvalidArgumentError, match=r"b.indices: expected numbers in \[0, 3\), got 99 in row 1"):
        _native.matmul_topk_padded(a.native, ids(0, 1), broken.native, 2)


A = pattern([[0], [1]], 2)
B = pattern([[0, 1], [1, 2]], 3)
SEEN = pattern([[0], [1], [2]], 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k: expected at least 1 and less than 2[*][*]31, got 0"),
        ({"a_rows": ids(0, 2)}, r"a_rows: expected row numbers in \[0, 2\), got 2 at position 1"),
        ({"a_rows": ids(-1)}, r"a_rows: expected row numbers in \[0, 2\), got -1 at position 0"),
        ({"a_rows": np.array([0], np.int64)}, "a_rows: expected a C-contiguous 1-d array of int32, got 1-d int64"),
        ({"block": ids(3)}, r"block: expected item indices in \[0, 3\), got 3 at position 0"),
        ({"block": ids(0, -1)}, r"block: expected item indices in \[0, 3\), got -1 at position 1"),
        ({"allow": ids(5)}, r"allow: expected item indices in \[0, 3\), got 5"),
        ({"allow": [0, 1]}, "allow: expected a C-contiguous 1-d array of int32, got list"),
        ({"exclude": ids(1)}, "exclude: expected None or a list of .csr, rows., got ndarray"),
        ({"exclude": [SEEN.native]}, "exclude: expected a tuple .csr, rows."),
        ({"exclude": [(SEEN.native, None)]}, "exclude: expected a row for each of the 2 queries, got 3"),
        ({"exclude": [(SEEN.native, ids(0, 3))]}, r"exclude.rows: expected numbers in \[0, 3\), got 3 at position 1"),
        ({"exclude": [(A.native, None)]}, "exclude: expected 3 columns, one for each item, got 2"),
        ({"allow": (SEEN.native, ids(0))}, "allow: expected a row for each of the 2 queries, got 1"),
    ],
)
def test_padded_form_names_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        _native.matmul_topk_padded(**{"a": A.native, "a_rows": None, "b": B.native, "k": 2, **arguments})


def test_padded_form_refuses_what_does_not_fit_in_memory() -> None:
    many = Csr.empty((2**20, 2))
    with pytest.raises(OutOfMemoryError, match=r"matmul_topk: needs .* MB .* that are free; lower k or ask for fewer"):
        _native.matmul_topk_padded(many.native, None, B.native, 2**31 - 1)
