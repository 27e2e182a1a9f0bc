from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from tests.ops.matrices import best, ratings, reals, scattered
from tests.ops.similarity_reference import FORMULAS, reference

from recocore import _native
from recocore.csr import Csr
from recocore.errors import InvalidArgumentError
from recocore.ops import SIMILARITY_KINDS, similarity

NON_NEGATIVE = {"tfidf", "bm25", "p3alpha", "rp3beta"}
SYMMETRIC = set(SIMILARITY_KINDS) - {"tversky", "asymmetric_cosine", "conditional_probability", "p3alpha", "rp3beta"}
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((kind, {}) for kind in SIMILARITY_KINDS),
    ("tversky", {"alpha": 0.2, "beta": 1.5}),
    ("tversky", {"alpha": 0.0, "beta": 0.0}),
    ("asymmetric_cosine", {"alpha": 0.1}),
    ("asymmetric_cosine", {"alpha": 1.0}),
    ("bm25", {"k1": 100.0, "b": 0.2}),
    ("bm25", {"k1": 0.0, "b": 1.0}),
    ("p3alpha", {"alpha": 0.4}),
    ("rp3beta", {"alpha": 1.3, "beta": 0.9}),
]


def input_of(kind: str, seed: int = 0) -> Any:
    matrix = reals(seed)
    return abs(matrix) if kind in NON_NEGATIVE else matrix


def same_bytes(a: Any, b: Any) -> bool:
    return all(x.tobytes() == y.tobytes() for x, y in ((a.indptr, b.indptr), (a.indices, b.indices), (a.data, b.data)))


def test_kinds_are_those_of_the_core() -> None:
    assert list(SIMILARITY_KINDS) == _native.similarity_kinds() == list(FORMULAS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int8])
@pytest.mark.parametrize(("kind", "parameters"), VARIANTS)
def test_equals_its_formula_on_ratings(kind: str, parameters: dict[str, Any], dtype: Any) -> None:
    matrix = ratings(1, dtype=dtype)
    ours = similarity(matrix, kind, k=None, **parameters)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours.toarray(), reference(matrix, kind, **parameters), rtol=2e-6, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("kind", "parameters"), VARIANTS)
def test_equals_its_formula_on_real_numbers(kind: str, parameters: dict[str, Any], seed: int) -> None:
    matrix = input_of(kind, seed)
    ours = similarity(matrix, kind, k=None, **parameters)
    np.testing.assert_allclose(ours.toarray(), reference(matrix, kind, **parameters), rtol=2e-6, atol=1e-9)


@pytest.mark.parametrize("kind", SIMILARITY_KINDS)
def test_options_equal_the_formula(kind: str) -> None:
    matrix = ratings(2)
    ours = similarity(matrix, kind, k=None, shrinkage=2.5, min_support=2, include_self=True)
    expected = reference(matrix, kind, shrinkage=2.5, min_support=2, include_self=True)
    np.testing.assert_allclose(ours.toarray(), expected, rtol=2e-6, atol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 5, 22, 1000, 2**40])
@pytest.mark.parametrize("kind", SIMILARITY_KINDS)
def test_k_keeps_the_best_by_score_then_row(kind: str, k: int) -> None:
    matrix = ratings(3)
    everything = similarity(matrix, kind, k=None)
    ours = similarity(matrix, kind, k=k)
    for i in range(matrix.shape[0]):
        all_of_row, row = everything[[i]], ours[[i]]
        assert row.indices.tolist() == best(all_of_row.data, all_of_row.indices, k)
        np.testing.assert_array_equal(row.data, all_of_row.toarray()[0, row.indices])


@pytest.mark.parametrize("kind", SIMILARITY_KINDS)
def test_same_bytes_at_every_thread_count(kind: str) -> None:
    matrix = ratings(4, rows=150, cols=60)
    one = similarity(matrix, kind, k=7, num_threads=1)
    for threads in (2, 7, 0):
        assert same_bytes(one, similarity(matrix, kind, k=7, num_threads=threads))


@pytest.mark.parametrize("kind", sorted(SYMMETRIC))
def test_symmetric_kinds_are_exactly_symmetric(kind: str) -> None:
    scores = similarity(input_of(kind), kind, k=None).toarray()
    np.testing.assert_array_equal(scores, scores.T)


@pytest.mark.parametrize("kind", SIMILARITY_KINDS)
def test_some_rows_have_the_bytes_they_have_among_all(kind: str) -> None:
    matrix = input_of(kind, 5)
    options: dict[str, Any] = {"k": 4, "shrinkage": 1.5, "min_support": 2, "include_self": True}
    whole = similarity(matrix, kind, **options)
    for rows in ([], [7], [18, 0, 4, 4, 2], np.arange(19)[::-1], np.array([3, 9], np.uint8)):
        for threads in (1, 3):
            some = similarity(matrix, kind, rows=rows, num_threads=threads, **options)
            assert some.shape == (len(rows), 19)
            assert same_bytes(some, whole[np.asarray(rows, np.int64)])


def test_ties_go_to_the_lower_row() -> None:
    matrix = sp.csr_matrix(np.ones((6, 4)))
    assert similarity(matrix, k=2).indices.reshape(6, 2).tolist() == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1], [0, 1]]


def test_result_is_canonical_csr() -> None:
    ours = similarity(ratings(5), k=6)
    assert isinstance(ours, sp.csr_matrix)
    assert ours.has_canonical_format
    assert ours.shape == (23, 23)
    assert (ours.data != 0).all()


def test_rows_without_neighbours_are_empty() -> None:
    ours = similarity(ratings(6), k=4)
    assert ours[[3]].nnz == 0
    assert similarity(sp.csr_matrix((4, 0))).nnz == 0
    assert similarity(sp.csr_matrix((0, 4))).shape == (0, 0)
    assert similarity(sp.identity(5, format="csr")).nnz == 0


def test_stored_zeros_are_observed() -> None:
    matrix = sp.csr_matrix((np.array([0, 2, 1, 3], np.float32), [0, 1, 0, 1], [0, 2, 4]), shape=(2, 3))
    assert matrix.nnz == 4
    assert similarity(matrix, "cooccurrence").toarray()[0, 1] == 2
    assert similarity(matrix, "jaccard").toarray()[0, 1] == 1
    matrix.eliminate_zeros()
    assert similarity(matrix, "cooccurrence").toarray()[0, 1] == 1


def test_scores_of_zero_are_not_stored() -> None:
    orthogonal = sp.csr_matrix([[1.0, 1.0], [1.0, -1.0]])
    assert similarity(orthogonal, "cosine").nnz == 0
    assert similarity(orthogonal, "cosine", threshold=-1.0).nnz == 0
    assert similarity(orthogonal, "jaccard").nnz == 2


def test_threshold_keeps_what_is_at_least_as_good() -> None:
    matrix = reals(7)
    everything = similarity(matrix, k=None).toarray()
    for threshold in (-0.2, 0.0, 0.3):
        ours = similarity(matrix, k=None, threshold=threshold).toarray()
        np.testing.assert_array_equal(ours, np.where(everything >= np.float32(threshold), everything, 0))
    # 0.7 has no float32 of its own: the score that is 0.7 up to that must not be lost
    seven_of_ten = sp.csr_matrix(np.array([[1] * 10, [1] * 7 + [0] * 3]))
    assert similarity(seven_of_ten, "jaccard", threshold=0.7).nnz == 2


def test_negative_scores_are_kept() -> None:
    opposite = sp.csr_matrix([[1.0, 2.0], [-1.0, -2.0]])
    assert similarity(opposite).toarray()[0, 1] == -1


def test_include_self_puts_the_row_itself_among_its_neighbours() -> None:
    matrix = ratings(8)
    diagonal = similarity(matrix, k=None, include_self=True).diagonal()
    np.testing.assert_array_equal(diagonal, (matrix.getnnz(axis=1) > 0).astype(np.float32))
    assert not similarity(matrix, k=None).diagonal().any()


def test_pearson_survives_values_far_from_zero() -> None:
    rng = np.random.default_rng(9)
    shift = 2.0**20
    noise = rng.integers(-8, 9, (6, 40)).astype(np.float64)
    ours = similarity(sp.csr_matrix(noise + shift), "pearson", k=None).toarray()
    expected: Any = np.corrcoef(noise)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-7)


def test_pearson_of_common_values_that_are_constant_is_zero() -> None:
    # the rows vary, but not where they meet, and their means have no exact binary form
    matrix = sp.csr_matrix([[0.1, 0.1, 0.1, 7.3, 0.0], [0.3, 0.9, 0.2, 0.0, 0.7], [0.7, 0.7, 0.7, 0.0, 0.2]])
    scores = similarity(matrix, "pearson", k=None).toarray()
    assert scores[0].tolist() == [0, 0, 0]
    assert scores[1, 2] != 0


@pytest.mark.parametrize("kind", ["cosine", "pearson", "pearson_whole", "adjusted_cosine", "adjusted_cosine_corated"])
def test_normalised_kinds_stay_within_one(kind: str) -> None:
    rng = np.random.default_rng(10)
    base = rng.normal(size=8)
    matrix = sp.csr_matrix(base * rng.uniform(0.1, 9, (30, 1)) + rng.normal(size=(30, 1)))
    scores = similarity(matrix, kind, k=None).toarray()
    assert np.abs(scores).max() <= 1
    assert np.isfinite(scores).all()


def test_input_in_any_order_with_duplicates_and_any_index_width() -> None:
    canonical = ratings(11)
    coo = canonical.tocoo()
    rng = np.random.default_rng(11)
    order = rng.permutation(2 * coo.nnz)
    halves = np.concatenate([coo.data, coo.data])[order] / 2
    rows, cols = (np.concatenate([x, x])[order] for x in (coo.row, coo.col))
    by_row = np.argsort(rows, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=canonical.shape[0]))])
    messy = sp.csr_matrix((halves[by_row], cols[by_row], indptr), shape=canonical.shape)
    messy.indptr, messy.indices = messy.indptr.astype(np.int64), messy.indices.astype(np.int64)
    before = messy.indices.copy()
    expected = similarity(canonical, k=5)
    assert same_bytes(expected, similarity(messy, k=5))
    np.testing.assert_array_equal(messy.indices, before)  # the caller's matrix is not changed
    assert same_bytes(expected, similarity(canonical.tocsc(), k=5))
    assert same_bytes(expected, similarity(Csr.from_scipy(canonical), k=5))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_with_their_row(bad: float) -> None:
    matrix = ratings(12)
    matrix.data[matrix.indptr[6]] = bad
    with pytest.raises(InvalidArgumentError, match=r"finite values, got .* in row 6"):
        similarity(matrix)


@pytest.mark.parametrize("kind", sorted(NON_NEGATIVE))
def test_negative_values_are_refused_where_they_mean_nothing(kind: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"kind {kind} takes values of at least 0, got -2.* in row 1"):
        similarity(sp.csr_matrix([[1.0, 0.0], [1.0, -2.0]]), kind)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "cosin"}, "kind: expected one of cosine, adjusted_cosine, .*; got 'cosin'"),
        ({"kind": None}, "kind: expected one of"),
        ({"k": 0}, "k: expected at least 1, or none to keep every neighbour, got 0"),
        ({"k": -3}, "k: expected at least 1"),
        ({"k": 2.5}, "k: expected an integer, got 2.5"),
        ({"k": True}, "k: expected an integer, got True"),
        ({"k": 2**70}, "k: expected an integer"),
        ({"shrinkage": -1.0}, "shrinkage: expected a finite number, at least 0"),
        ({"shrinkage": np.nan}, "shrinkage: expected a finite number"),
        ({"shrinkage": "a lot"}, "shrinkage: expected a real number, got 'a lot'"),
        ({"min_support": 0}, "min_support: expected at least 1, got 0"),
        ({"threshold": np.nan}, "threshold: expected a number"),
        ({"num_threads": -1}, "num_threads: expected 0"),
        ({"num_threads": 2**40}, "num_threads: expected 0"),
        ({"alpha": 1.0}, "alpha: kind 'cosine' does not take it; these kinds do: tversky, asymmetric_cosine, p3alpha"),
        ({"kind": "p3alpha", "beta": 1.0}, "beta: kind 'p3alpha' does not take it; these kinds do: tversky, rp3beta"),
        ({"kind": "tversky", "alpha": -1.0}, "alpha: expected a finite number, at least 0"),
        ({"kind": "asymmetric_cosine", "alpha": 1.5}, "alpha: expected a finite number, .* at most 1"),
        ({"kind": "bm25", "b": 1.5}, "b: expected a finite number"),
        ({"kind": "bm25", "k1": -0.1}, "k1: expected a finite number"),
        ({"rows": [0, 23]}, r"rows: expected indices in \[0, 23\), got 0 to 23"),
        ({"rows": [-1]}, r"rows: expected indices in \[0, 23\), got -1 to -1"),
        ({"rows": 3}, "rows: expected a 1-d array of integers, got 0-d int64"),
        ({"rows": [0.5]}, "rows: expected a 1-d array of integers, got 1-d float64"),
        ({"matrix": np.eye(3)}, "matrix: expected a SciPy sparse matrix, got ndarray"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        similarity(**{"matrix": ratings(13), **arguments})


def test_csr_that_is_not_canonical_is_refused() -> None:
    indptr, values = np.array([0, 2], np.int64), np.ones(2, np.float32)
    for columns in ([1, 0], [1, 1]):
        with pytest.raises(InvalidArgumentError, match=re.escape("without duplicates, got others in row 0")):
            similarity(Csr(indptr, np.array(columns, np.int32), values, (1, 2)))


def test_progress_rises_and_its_exception_stops_the_computation() -> None:
    matrix = scattered(14, 3000, 400, 0.2)
    parts: list[float] = []
    similarity(matrix, k=5, num_threads=1, progress=parts.append)
    assert parts
    assert parts == sorted(parts)
    assert 0 <= parts[0] <= parts[-1] <= 1

    def stop(part: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        similarity(matrix, k=5, progress=stop)
