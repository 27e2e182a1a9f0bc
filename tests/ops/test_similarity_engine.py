"""The engine's ways of summing up, at sizes and on values that make it choose each of them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore import _native
from recocore.ops import SIMILARITY_KINDS, similarity

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.types import Float64Array

VALUES: dict[str, Callable[[Any, int], Any]] = {
    "ones": lambda rng, n: np.ones(n),
    "ones and stored zeros": lambda rng, n: rng.integers(0, 2, n),
    "twos": lambda rng, n: np.full(n, 2.0),
    "ratings": lambda rng, n: rng.integers(1, 6, n),
    "half steps": lambda rng, n: rng.integers(0, 11, n) / 2,
    "beyond small integers": lambda rng, n: rng.integers(0, 40, n),
    "reals": lambda rng, n: rng.normal(size=n),
}
SHAPES: dict[str, tuple[int, int, int]] = {
    "crowded, several blocks": (5000, 300, 250_000),
    "thin, several blocks": (9500, 4000, 60_000),
    "few columns": (1200, 20, 9_000),
}


def skewed(shape: str, values: str) -> Any:
    """Few popular rows and columns and many others, as catalogues have them."""
    rows, cols, draws = SHAPES[shape]
    rng = np.random.default_rng([len(shape), len(values)])
    r = (rows * rng.random(draws) ** 3).astype(np.int64)
    c = (cols * rng.random(draws) ** 2).astype(np.int64)
    pattern = sp.csr_matrix((np.ones(draws), (rng.permutation(rows)[r], c)), shape=(rows, cols))
    pattern.sum_duplicates()
    pattern.data = VALUES[values](rng, pattern.nnz).astype(np.float32)
    return pattern


def scores_of(matrix: Any, kind: str, rows: Any) -> Float64Array:
    """The scores of some rows with all, in float64 by matrix products; 0 for a row with itself."""
    x = matrix.astype(np.float64)
    b = x.copy()
    b.data[:] = 1
    counts = np.diff(matrix.indptr).astype(np.float64)
    squares = np.asarray(x.multiply(x).sum(1)).ravel()
    xy, n = (x[rows] @ x.T).toarray(), (b[rows] @ b.T).toarray()
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Any = {
            "cosine": lambda: xy / np.sqrt(np.outer(squares[rows], squares)),
            "tanimoto": lambda: xy / (squares[rows][:, None] + squares[None, :] - xy),
            "jaccard": lambda: n / (counts[rows][:, None] + counts[None, :] - n),
            "conditional_probability": lambda: n / counts[rows][:, None],
        }[kind]()
    scores: Float64Array = np.nan_to_num(found)
    scores[np.arange(len(rows)), rows] = 0
    return scores


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_best_are_those_of_the_whole_product(shape: str, values: str) -> None:
    matrix = skewed(shape, values)
    some = np.random.default_rng(0).permutation(matrix.shape[0])[:150]
    kinds = ("jaccard", "conditional_probability") if values == "ones" else ("cosine", "tanimoto")
    for kind in kinds:
        expected = scores_of(matrix, kind, some)
        for k in (3, 60):
            ours = similarity(matrix, kind, k=k)
            for i, scores in zip(some, expected, strict=True):
                row = ours[[i]]
                best = np.sort(scores[scores != 0])[::-1][:k]
                np.testing.assert_allclose(np.sort(row.data)[::-1], best, rtol=3e-6, atol=1e-9)
                np.testing.assert_allclose(row.data, scores[row.indices], rtol=3e-6, atol=1e-9)


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("shape", SHAPES)
def test_neither_threads_nor_asking_for_rows_shows_in_the_bytes(shape: str, values: str) -> None:
    matrix = skewed(shape, values)
    rows = np.random.default_rng(1).integers(0, matrix.shape[0], 50)
    variants: list[dict[str, Any]] = [
        {"k": 5},
        {"k": 80},
        {"k": 5, "shrinkage": 3.0, "min_support": 2},
        {"k": 20, "threshold": 0.2},
    ]
    for options in variants:
        whole = similarity(matrix, num_threads=1, **options)
        again = similarity(matrix, num_threads=7, **options)
        np.testing.assert_array_equal(whole.indptr, again.indptr)
        np.testing.assert_array_equal(whole.indices, again.indices)
        np.testing.assert_array_equal(whole.data, again.data)
        some = similarity(matrix, rows=rows, **options)
        np.testing.assert_array_equal(some.toarray(), whole[rows].toarray())


EVERY_KIND = """
import hashlib
from tests.ops.test_similarity_engine import skewed
from recocore.ops import SIMILARITY_KINDS, similarity
digest = hashlib.sha256()
for values, options in (("ones", {}), ("half steps", {"shrinkage": 2.0, "min_support": 3}), ("reals", {})):
    matrix = abs(skewed("few columns", values))
    for kind in SIMILARITY_KINDS:
        found = similarity(matrix, kind, k=9, **options)
        for array in (found.indptr, found.indices, found.data):
            digest.update(array.tobytes())
for kind in ("cosine", "jaccard"):
    found = similarity(skewed("thin, several blocks", "ones"), kind, k=9)
    digest.update(found.indices.tobytes() + found.data.tobytes())
print(digest.hexdigest())
"""


def test_every_instruction_set_gives_the_same_bytes() -> None:
    def run(isa: str) -> str:
        environment = os.environ | {"RECOCORE_FORCE_ISA": isa}
        done = subprocess.run(
            [sys.executable, "-c", EVERY_KIND], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert len({run(isa) for isa in _native.supported_isas()}) == 1


@pytest.mark.parametrize("kind", SIMILARITY_KINDS)
def test_both_sides_of_a_pair_get_what_one_side_gets(kind: str) -> None:
    matrix = abs(skewed("few columns", "ratings"))
    few = similarity(matrix, kind, k=2)  # so few that pairs are offered to both rows
    everything = similarity(matrix, kind, k=None)
    for i in range(0, matrix.shape[0], 7):
        row = everything[[i]]
        order = np.lexsort((row.indices, -row.data))[:2]
        assert few[[i]].indices.tolist() == sorted(row.indices[order].tolist())


def test_more_than_two_to_the_31_products() -> None:
    rows, friends = 50_000, [7, 20_000, 49_999]
    ones = np.ones((rows, 2), np.float32)
    ones[:, 1] = np.isin(np.arange(rows), friends)
    found = similarity(sp.csr_matrix(ones), "cooccurrence", k=2, threshold=2)
    assert np.flatnonzero(np.diff(found.indptr)).tolist() == friends
    assert found[friends].indices.tolist() == [20_000, 49_999, 7, 49_999, 7, 20_000]
    assert (found.data == 2).all()


@pytest.mark.parametrize("kind", ["jaccard", "cosine", "lift", "log_likelihood_ratio"])
@pytest.mark.parametrize("min_support", [2, 3])
def test_min_support_leaves_room_for_the_pairs_that_have_it(kind: str, min_support: int) -> None:
    rng = np.random.default_rng(14)
    r, c = (3000 * rng.random(14_000) ** 2).astype(int), (4000 * rng.random(14_000) ** 2).astype(int)
    matrix = sp.csr_matrix((np.ones(14_000), (r, c)), shape=(3000, 4000))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    everything = similarity(matrix, kind, k=None, min_support=min_support)
    for k in (1, 4):
        found = similarity(matrix, kind, k=k, min_support=min_support)
        np.testing.assert_array_equal(np.diff(found.indptr), np.minimum(np.diff(everything.indptr), k))


def test_rows_with_more_entries_than_16_bits_count() -> None:
    columns = 70_000
    long, short = np.ones(columns, np.float32), np.arange(columns) < 66_000
    matrix = sp.csr_matrix(np.stack([long, long * short, long]))
    found = similarity(matrix, "cooccurrence", k=None).toarray()
    np.testing.assert_array_equal(found, [[0, 66_000, 70_000], [66_000, 0, 66_000], [70_000, 66_000, 0]])
    np.testing.assert_array_equal(
        similarity(4 * matrix, "bm25", k=None, rows=[1]).nnz, 0
    )  # in every row: no information


def test_more_rows_than_16_bits_number() -> None:
    rows = 70_000
    matrix = sp.csr_matrix((np.ones(rows, np.float32), (np.arange(rows), np.arange(rows) // 2)))
    found = similarity(matrix, "jaccard", k=4)
    assert (np.diff(found.indptr) == 1).all()
    np.testing.assert_array_equal(found.indices, np.arange(rows) ^ 1)


@pytest.mark.parametrize("kind", ["cosine", "jaccard", "lift"])
def test_the_best_of_more_partners_than_a_block_holds(kind: str) -> None:
    rng = np.random.default_rng(15)
    rows, entries = 70_000, 300_000
    r, c = (rows * rng.random(entries) ** 2).astype(int), rng.integers(0, 2000, entries)
    matrix = sp.csr_matrix((np.ones(entries, np.float32), (rng.permutation(rows)[r], c)), shape=(rows, 2000))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    some = rng.integers(0, rows, 200)
    everything = similarity(matrix, kind, k=None, rows=some)
    for k in (5, 40):
        found = similarity(matrix, kind, k=k)[some]
        for i in range(len(some)):
            row = everything[[i]]
            order = np.lexsort((row.indices, -row.data))[:k]
            assert found[[i]].indices.tolist() == sorted(row.indices[order].tolist())


@pytest.mark.parametrize("magnitude", [1e-30, 1e-15, 1e15, 1e30])
def test_a_cosine_does_not_depend_on_the_magnitude(magnitude: float) -> None:
    matrix = skewed("few columns", "reals")
    scaled = (matrix.astype(np.float64) * magnitude).astype(np.float32)
    ours, expected = similarity(scaled, k=5), similarity(matrix, k=5)
    np.testing.assert_allclose(ours.data.sum(), expected.data.sum(), rtol=1e-5)
    assert (np.diff(ours.indptr) == np.diff(expected.indptr)).all()


def test_duplicates_are_found_where_nearly_everything_cancels() -> None:
    """With huge weights a Tversky index tells exact duplicates from near ones in the last digits of its terms."""
    rng = np.random.default_rng(16)
    base = (rng.random((250, 100)) < 0.3).repeat(8, axis=0)
    base[rng.random(base.shape) < 0.002] ^= True
    base[1::8] = base[0::8]
    rows = len(base)
    blocks = sp.block_diag([sp.csr_matrix(base[i : i + 8].astype(np.float32)) for i in range(0, rows, 8)], "csr")
    both = similarity(blocks, "tversky", k=1, alpha=1e9, beta=1e9)
    one = similarity(blocks, "tversky", k=1, alpha=1e9, beta=1e9, rows=np.arange(rows))
    assert both[0, 1] == both[1, 0] == 1
    np.testing.assert_array_equal(one.toarray(), both.toarray())


def test_sums_too_small_for_float32_are_still_compared() -> None:
    rng = np.random.default_rng(17)
    common = rng.uniform(1e-22, 3e-22, (400, 6))
    own = np.diag(rng.uniform(1.1e-15, 3e-15, 400))
    matrix = sp.csr_matrix(np.hstack([common, own]).astype(np.float32))
    x = matrix.toarray().astype(np.float64)
    norms = np.sqrt((x * x).sum(1))
    expected = (x[:, :6] @ x[:, :6].T) / np.outer(norms, norms)
    np.fill_diagonal(expected, 0)
    for rows in (None, np.arange(400)):
        found = similarity(matrix, k=3, rows=rows)
        best = np.sort(expected, axis=1)[:, -3:]
        np.testing.assert_allclose(np.sort(found.data.reshape(400, 3), axis=1), best, rtol=1e-5)
