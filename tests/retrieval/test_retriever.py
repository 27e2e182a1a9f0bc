"""The retriever against scoring every pair: the same ids and the same bits, whatever the items are like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.retrieval.vectors import KINDS, best, gaussian, integers, mixed_lengths, on_the_bound, products, tiny

from recocore.errors import CancelledError, CorruptError, InvalidArgumentError, UnsupportedError
from recocore.ops import topk
from recocore.retrieval import Retriever, rank_candidates

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recocore.types import Float32Array

METRICS = ("inner_product", "cosine", "euclidean")


def same(found: Any, expected: Any) -> None:
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("n", [1, 3, 21])
def test_equals_scoring_every_pair_to_the_bit(kind: Callable[..., Float32Array], n: int) -> None:
    queries, items = kind(n, 40, 1), kind(3000, 40, 2)
    if kind.__name__ == "huge":
        queries /= np.float32(1e10)
    retriever = Retriever(items)
    for k in (1, 10, 100):
        expected = best(products(queries, items), k)
        for precision in ("auto", "float32"):
            same(retriever.topk(queries, k, precision=precision), expected)
            same(topk(queries, items, k, precision=precision), expected)


@pytest.mark.parametrize("f", [0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 128, 300])
def test_any_width(f: int) -> None:
    queries, items = gaussian(19, f, 3), gaussian(1000, f, 4)
    expected = best(products(queries, items), 7)
    same(Retriever(items).topk(queries, 7), expected)
    same(Retriever(items).topk(queries[:1], 7), (expected[0][:1], expected[1][:1]))
    same(topk(queries, items, 7, precision="float32"), expected)


@pytest.mark.parametrize("m", [0, 1, 3, 4, 5, 6, 7, 63, 64, 65, 191, 192, 193, 384, 385])
@pytest.mark.parametrize("n", [1, 2, 4, 5, 15, 16, 17, 33])
def test_any_number_of_queries_and_items(n: int, m: int) -> None:
    queries, items = integers(n, 20, 5), integers(m, 20, 6)
    retriever = Retriever(items)
    for k in (1, 5, max(m - 1, 1), m + 3):
        expected = best(products(queries, items), k)
        same(retriever.topk(queries, k), expected)
        same(topk(queries, items, k), expected)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n", [1, 2, 40])
def test_threads_do_not_show(metric: Any, n: int) -> None:
    queries, items = gaussian(n, 64, 7), mixed_lengths(6000, 64, 8)
    retriever = Retriever(items, metric=metric)
    one = retriever.topk(queries, 20, num_threads=1)
    for threads in (2, 7):
        found = retriever.topk(queries, 20, num_threads=threads)
        assert found[0].tobytes() == one[0].tobytes()
        assert found[1].tobytes() == one[1].tobytes()


def test_many_queries_pack_on_the_way() -> None:
    queries, items = gaussian(200, 48, 9), on_the_bound(5000, 48, 10)
    expected = best(products(queries, items), 30)
    for precision in ("auto", "float32"):
        same(topk(queries, items, 30, precision=precision), expected)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 20),
    m=st.integers(1, 700),
    f=st.integers(1, 90),
    k=st.integers(1, 40),
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)),
)
def test_codes_never_show(seed: int, n: int, m: int, f: int, k: int, kinds: Any) -> None:
    queries, items = kinds[0](n, f, seed), kinds[1](m, f, seed + 1)
    try:
        retriever = Retriever(items)
    except UnsupportedError:
        retriever = Retriever(items / np.float32(1e10))
    expected = best(products(queries, retriever.items), k)
    same(retriever.topk(queries, k), expected)
    same(retriever.topk(queries, k, precision="float32"), expected)
    same(retriever.topk(queries[:1], k), (expected[0][:1], expected[1][:1]))


def lists(n: int, m: int, share: float, seed: int) -> Any:
    return np.random.default_rng(seed).random((n, m)) < share


@pytest.mark.parametrize("n", [1, 30])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_filters_in_every_form(n: int, share: float) -> None:
    queries, items = integers(n, 24, 11), integers(2000, 24, 12)
    scores = products(queries, items)
    own, shared, allowed_own = lists(n, 2000, share, 13), lists(1, 2000, share, 14)[0], lists(n, 2000, share, 15)
    sold_out = np.arange(0, 2000, 7)
    in_stock = ~np.isin(np.arange(2000), sold_out)
    retriever = Retriever(items)
    for exclude, out in ((sp.csr_matrix(own), own), (shared, shared), (np.flatnonzero(shared), shared), (None, False)):
        for allow, only in ((sp.csr_matrix(allowed_own), allowed_own), (shared, shared), (None, True)):
            admitted = ~np.broadcast_to(out, scores.shape) & only & in_stock
            for k in (5, 300):
                expected = best(scores, k, admitted)
                for precision in ("auto", "float32"):
                    same(
                        retriever.topk(queries, k, exclude=exclude, allow=allow, block=sold_out, precision=precision),
                        expected,
                    )


def test_what_is_excluded_never_comes_back_though_it_would_win() -> None:
    queries = np.ones((6, 32), np.float32)
    items = np.linspace(1, 2, 4000, dtype=np.float32)[:, None] * np.ones(32, np.float32)
    exclude = sp.csr_matrix(np.arange(4000)[None, :] >= np.array([[0], [100], [2000], [3000], [3999], [4000]]))
    ids, scores = Retriever(items).topk(queries, 2, exclude=exclude)
    assert ids.tolist() == [[-1, -1], [99, 98], [1999, 1998], [2999, 2998], [3998, 3997], [3999, 3998]]
    assert np.isneginf(scores[0]).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_thresholds_cut(metric: Any, precision: str) -> None:
    queries, items = gaussian(20, 32, 16), gaussian(3000, 32, 17)
    retriever = Retriever(items, metric=metric)
    full = retriever.topk(queries, 3000)
    thresholds = full[1][np.arange(20), np.arange(0, 200, 10)]
    ids, _ = retriever.topk(queries, 250, thresholds=thresholds, precision=precision)
    for row in range(20):
        kept = min(10 * row + 1, 250)
        np.testing.assert_array_equal(ids[row, :kept], full[0][row, :kept])
        assert (ids[row, kept:] == -1).all()
    assert (retriever.topk(queries, 3, thresholds=np.inf)[0] == -1).all()


@pytest.mark.parametrize("kind", [gaussian, mixed_lengths, tiny, on_the_bound], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("n", [1, 25])
def test_cosine_and_distance_against_float64(kind: Callable[..., Float32Array], metric: Any, n: int) -> None:
    queries, items = kind(n, 30, 18), kind(2500, 30, 19)
    items[7] = 0
    items[8:12] = items[12]
    retriever = Retriever(items, metric=metric)
    ids, scores = retriever.topk(queries, 40)
    same(retriever.topk(queries, 40, precision="float32"), (ids, scores))
    q, y = queries.astype(np.float64), items.astype(np.float64)
    if metric == "cosine":
        with np.errstate(invalid="ignore"):
            exact = (q / np.linalg.norm(q, axis=1, keepdims=True)) @ (y / np.linalg.norm(y, axis=1, keepdims=True)).T
        exact[np.isnan(exact)] = 0
        tolerance = 1e-5
    else:
        exact = -((q[:, None, :] - y[None]) ** 2).sum(axis=2)
        tolerance = 1e-5 * np.abs(exact).max()
    np.testing.assert_allclose(scores, np.take_along_axis(exact, ids, 1), rtol=1e-5, atol=tolerance)
    np.testing.assert_allclose(scores, -np.sort(-exact, axis=1)[:, :40], rtol=1e-5, atol=tolerance)


def test_cosine_of_zeros_is_zero() -> None:
    items = np.array([[1, 0], [0, 0], [-1, 0]], np.float32)
    ids, scores = Retriever(items, metric="cosine").topk(np.array([[2, 0], [0, 0]], np.float32), 3)
    assert ids.tolist() == [[0, 1, 2], [0, 1, 2]]
    assert scores.tolist() == [[1, 0, -1], [0, 0, 0]]


@pytest.mark.parametrize("n", [1, 20])
def test_biases_are_added(n: int) -> None:
    queries, items = gaussian(n, 33, 20), gaussian(4000, 33, 21)
    biases = (10 * np.random.default_rng(22).normal(size=4000)).astype(np.float32)
    retriever = Retriever(items, biases=biases)
    expected = best(products(queries, items) + biases, 15)
    for precision in ("auto", "float32"):
        same(retriever.topk(queries, 15, precision=precision), expected)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("form", ["none", "shared", "own"])
def test_boosts_move_items_by_what_they_add(metric: Any, form: str) -> None:
    queries, items = integers(9, 20, 23), integers(600, 20, 24)
    rng = np.random.default_rng(25)
    boosted = rng.choice(600, 50, replace=False)
    amounts = rng.integers(-30, 31, 50).astype(np.float32)
    retriever = Retriever(items, metric=metric)
    ids, scores = retriever.topk(queries, 600)
    plain = np.empty((9, 600), np.float32)
    np.put_along_axis(plain, ids.astype(int), scores, 1)
    plain[:, boosted] += amounts
    only = {"none": True, "shared": lists(1, 600, 0.4, 26)[0], "own": lists(9, 600, 0.4, 27)}[form]
    allow = {"none": None, "shared": only, "own": sp.csr_matrix(only)}[form]
    for threshold in (None, 3.0):
        expected = best(plain, 30, only, threshold)
        found = retriever.topk(queries, 30, boosts=(boosted, amounts), allow=allow, thresholds=threshold)
        same(found, expected)


def test_lists_of_each_query_are_ordered() -> None:
    queries, items = gaussian(4, 16, 28), gaussian(300, 16, 29)
    listed = lists(4, 300, 0.05, 30)
    found = rank_candidates(Retriever(items), queries, sp.csr_matrix(listed))
    same((found.ids, found.scores), best(products(queries, items), listed.sum(axis=1).max(), listed))


def test_mapped_arrays_give_the_same_answers(tmp_path: Path) -> None:
    queries, items = gaussian(8, 50, 31), mixed_lengths(900, 50, 32)
    retriever = Retriever(items)
    arrays = {"items": items, **retriever.arrays()}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in arrays}
    restored = Retriever.from_arrays(mapped.pop("items"), mapped)
    same(restored.topk(queries, 12), retriever.topk(queries, 12))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("order", lambda a: a[:-1], "as many items as there are"),
        ("order", lambda a: np.roll(a, 1), "permutations"),
        ("positions", lambda a: a + 1, "permutations"),
        ("order", lambda a: np.where(a == 0, -5, a), "permutations"),
        ("codes", lambda a: np.ascontiguousarray(a[:, :32]), "rounded up to 64"),
        ("codes", lambda a: a.astype(np.int16), "codes: expected a C-contiguous 2-d array of int8"),
        ("norms", lambda a: a.astype(np.float64), "norms: expected a C-contiguous 1-d array of float32"),
        ("lengths", None, 'expected an array "lengths", got none'),
        ("lengths", lambda a: np.zeros_like(a) + a.max(), "lengths of what the codes hold"),
        ("lengths", lambda a: a[::-1].copy(), "lengths that fall"),
        ("errors", lambda a: a * np.nan, "finite and not negative"),
        ("inverse_scales", np.zeros_like, "finite and not negative"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name: str, change: Any, message: str) -> None:
    items = gaussian(50, 10, 33)
    arrays = Retriever(items).arrays()
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays[name])
    with pytest.raises(CorruptError, match=message):
        Retriever.from_arrays(items, arrays)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n", [1, 5, 17])
def test_items_without_values_tie(metric: Any, n: int) -> None:
    items = np.empty((2000, 0), np.float32)
    retriever = Retriever(items, metric=metric)
    restored = Retriever.from_arrays(items, retriever.arrays(), metric=metric)
    for found in (retriever.topk(np.empty((n, 0), np.float32), 2), restored.topk(np.empty((n, 0), np.float32), 2)):
        assert found[0].tolist() == [[0, 1]] * n
        assert not found[1].any()


@pytest.mark.parametrize("f", [64, 128, 1024])
@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_a_large_bias_beside_many_small_products(f: int, precision: str) -> None:
    """Every addition to a sum that starts at the bias may lose half of its last digit."""
    items = np.zeros((4000, f), np.float32)
    items[2000, 1:] = 2.0**-24 * 0.99
    items[:1000, 0] = 1.01 * np.sqrt(f) * 2.0**-24  # longer, so looked at first, and at right angles to the query
    biases = np.ones(4000, np.float32)
    biases[:100] = np.float32(1 + int(f * 0.45) * 2.0**-23)
    queries = np.ones((8, f), np.float32)
    queries[:, 0] = 0
    expected = best(products(queries, items) + biases, 2)
    same(Retriever(items, biases=biases).topk(queries, 2, precision=precision), expected)


@pytest.mark.parametrize("length", [1e3, 1e10, 1e30])
@pytest.mark.parametrize("n", [1, 8])
def test_a_query_of_the_smallest_floats(n: int, length: float) -> None:
    queries, items = np.zeros((n, 64), np.float32), np.zeros((6000, 64), np.float32)
    queries[:, :2] = 1.4e-45
    items[:, 0] = 1.2 * length  # longer, so looked at first
    items[3000, :2] = length / np.sqrt(2)
    expected = best(products(queries, items), 1)
    for precision in ("auto", "float32"):
        same(Retriever(items).topk(queries, 1, precision=precision), expected)


def test_cosines_of_the_smallest_floats_are_cosines() -> None:
    items = np.array([[1, 0], [1e-45, 1e-45], [3e-45, 0]], np.float32)
    ids, scores = Retriever(items, metric="cosine").topk(np.array([[1, 1]], np.float32), 3)
    assert ids.tolist() == [[1, 0, 2]]
    np.testing.assert_allclose(scores, [[1, 0.5**0.5, 0.5**0.5]], rtol=1e-6)


def test_a_cosine_query_that_is_not_finite_is_named() -> None:
    queries = np.ones((3, 4), np.float32)
    queries[1, 2] = np.nan
    with pytest.raises(InvalidArgumentError, match="queries: expected finite values, got nan in row 1"):
        Retriever(np.ones((5, 4), np.float32), metric="cosine").topk(queries, 2)
    with pytest.raises(
        InvalidArgumentError, match="queries: expected a C-contiguous 2-d array of float32, got 2-d int"
    ):
        Retriever(np.ones((5, 4), np.float32), metric="cosine").topk(np.ones((3, 4), int), 2)


def test_what_is_prepared_cannot_be_changed() -> None:
    arrays = Retriever(gaussian(50, 10, 37)).arrays()
    for array in arrays.values():
        with pytest.raises(ValueError, match="read-only"):
            array[:1] = 0


def test_the_queries_of_others_do_not_matter() -> None:
    queries, items = gaussian(50, 64, 34), gaussian(3000, 64, 35)
    retriever = Retriever(items)
    together = retriever.topk(queries, 10)
    for row in (0, 16, 49):
        alone = retriever.topk(queries[row : row + 1], 10)
        same(alone, (together[0][row : row + 1], together[1][row : row + 1]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"queries": np.ones((2, 4), np.float32)}, r"items: expected as many columns as queries \[2, 4\]"),
        ({"queries": np.full((1, 3), np.nan, np.float32)}, "queries: expected finite values, got nan in row 0"),
        ({"queries": np.ones((3, 2), np.float32).T}, "C-contiguous"),
        ({"queries": np.ones(3, np.float32)}, r"got 1-d float32; x\[None\] makes one row of it"),
        ({"queries": [[1.0, 2.0, 3.0]]}, r"got list; convert it with numpy.ascontiguousarray\(x, 'float32'\)"),
        ({"allow": ["p1"]}, "allow: expected a 1-d array of item indices"),
        ({"boosts": (["p1"], [1])}, "got 1-d <U2; the id map's indices_of gives the indices of ids"),
        ({"k": 0}, "k: expected an integer of at least 1, got 0"),
        ({"precision": "int4"}, "precision: expected one of auto, float32, float16, bfloat16, got 'int4'"),
        ({"thresholds": np.ones(2, np.float32)}, "thresholds: expected one for each of the 1 queries, got 2"),
        ({"thresholds": np.ones(1)}, "thresholds: expected a C-contiguous 1-d array of float32"),
        ({"thresholds": np.nan}, "thresholds: expected numbers, got nan for query 0"),
        ({"allow": np.ones(4, bool)}, r"allow: expected a mask of 5 items, got \[4\] booleans"),
        ({"boosts": ([1, 1], [2, 3])}, "boosts: expected each item once"),
        ({"boosts": ([1], [np.inf])}, "boosts: expected finite amounts"),
        ({"boosts": 5}, "boosts: expected a pair of item indices and amounts, got 5"),
        ({"boosts": ([1], ["x"])}, "boosts: expected a pair of item indices and amounts"),
        ({"exclude": [[1], [2, 3]]}, "exclude: expected a 1-d array of item indices"),
        ({"thresholds": "a"}, "thresholds: expected a real number, got 'a'"),
        ({"boosts": ([5], [1])}, r"boosts: expected indices in \[0, 5\)"),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"queries": np.ones((1, 3), np.float32), "k": 2, **change}
    with pytest.raises(InvalidArgumentError, match=message):
        Retriever(np.ones((5, 3), np.float32)).topk(**arguments)


def test_bad_items_are_named() -> None:
    items = np.ones((5, 3), np.float32)
    items[3, 1] = np.inf
    with pytest.raises(InvalidArgumentError, match="items: expected finite values, got inf in row 3"):
        Retriever(items)
    for other in (sp.csr_array(np.eye(3, dtype=np.float32)), [[1.0, 2.0]], None):
        with pytest.raises(InvalidArgumentError, match="items: expected a C-contiguous 2-d array of float32, got"):
            Retriever(other)  # type: ignore[arg-type]
    with pytest.raises(
        UnsupportedError, match="items: expected lengths below 1e37, got more in row 0; scale the items"
    ):
        Retriever(np.full((2, 2), 1e38, np.float32))
    with pytest.raises(InvalidArgumentError, match="metric: expected one of inner_product, cosine, euclidean"):
        Retriever(np.ones((2, 2), np.float32), metric="manhattan")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="biases: expected None with metric='cosine'"):
        Retriever(np.ones((2, 2), np.float32), metric="cosine", biases=np.ones(2, np.float32))
    with pytest.raises(InvalidArgumentError, match=r"biases: expected one for each of the 2 items, got \[3\]"):
        Retriever(np.ones((2, 2), np.float32), biases=np.ones(3, np.float32))


def test_a_retriever_says_what_it_holds() -> None:
    shop = Retriever(np.ones((1500, 3), np.float32), metric="cosine")
    assert repr(shop) == "Retriever(1,500 items of 3 numbers, metric='cosine')"


def test_a_progress_callback_can_stop_it() -> None:
    retriever = Retriever(gaussian(30_000, 64, 36))

    def stop(fraction: float) -> None:
        raise CancelledError(f"stopped at {fraction}")

    with pytest.raises(CancelledError, match="stopped at"):
        retriever.topk(retriever.items, 5, progress=stop)
