"""Arrays that lie on the device: in and out without copies, by either protocol."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore import _native
from recocore.csr import Csr
from recocore.data import Interactions
from recocore.errors import InvalidArgumentError
from recocore.models import ALS
from recocore.ops import DeviceArray, similarity, spmm, topk
from recocore.ops.als import AlsObjective, als_half_epoch, als_objective
from recocore.retrieval import Retriever


class ByInterface:
    """Somebody else's array: what is known of it is its interface."""

    def __init__(self, array: DeviceArray, **changes: Any) -> None:
        self.owner = array
        self.__cuda_array_interface__ = {**array.__cuda_array_interface__, **changes}


class ByDlpack:
    """Somebody else's array, which gives a capsule."""

    def __init__(self, array: DeviceArray) -> None:
        self.shape = array.shape
        self.__dlpack__ = array.__dlpack__
        self.__dlpack_device__ = array.__dlpack_device__


def reals(rows: int, width: int, seed: int) -> Any:
    return np.random.default_rng(seed).integers(-3, 4, (rows, width)).astype(np.float32)


@pytest.mark.parametrize("kind", [lambda array: array, ByInterface, ByDlpack], ids=["own", "interface", "dlpack"])
def test_topk_of_arrays_on_the_device(kind: Any) -> None:
    queries, items = reals(9, 20, 1), reals(150, 20, 2)
    exclude = sp.random(9, 150, 0.3, format="csr", random_state=3)
    expected = topk(queries, items, 12, exclude=exclude)
    there = kind(DeviceArray.from_host(queries)), kind(DeviceArray.from_host(items))
    found: Any = topk(*there, 12, exclude=exclude, device="cuda", stream=0)
    ids, scores = found
    assert isinstance(ids, DeviceArray)
    np.testing.assert_array_equal(ids.to_host(), expected[0])
    np.testing.assert_array_equal(scores.to_host(), expected[1])


def test_rows_may_lie_apart_and_streams_may_differ() -> None:
    wide = DeviceArray.from_host(reals(50, 24, 1))
    rows = ByInterface(wide, shape=(50, 16), strides=(96, 4), stream=1)
    items = DeviceArray.from_host(reals(30, 16, 2))
    found: Any = topk(rows, ByInterface(items, stream=7), 5, device="cuda")
    expected, _ = topk(np.ascontiguousarray(wide.to_host()[:, :16]), items.to_host(), 5)
    np.testing.assert_array_equal(found[0].to_host(), expected)


@pytest.mark.parametrize(
    "changes", [{"typestr": "<f8"}, {"shape": (4, 4, 1)}, {"strides": (4, 16)}], ids=["dtype", "3-d", "columns"]
)
def test_other_arrays_are_refused_by_name(changes: dict[str, Any]) -> None:
    array = DeviceArray.from_host(reals(4, 4, 1))
    with pytest.raises(InvalidArgumentError, match="queries: expected a 2-d array of float32 on the device"):
        _native.topk(ByInterface(array, **changes), array, 1, device="cuda")
    with pytest.raises(InvalidArgumentError, match="items: expected an array on the device"):
        topk(array, reals(4, 4, 1), 1, device="cuda")


def test_values_that_are_not_finite_are_found_on_the_device() -> None:
    items = reals(300, 8, 1)
    items[211, 3] = np.inf
    there = DeviceArray.from_host(items)
    with pytest.raises(InvalidArgumentError, match="queries: expected finite values, got inf in row 211"):
        topk(there, there, 3, device="cuda")


def test_a_dlpack_capsule_keeps_its_array_until_it_is_given_back() -> None:
    capsule = DeviceArray.from_host(reals(3, 3, 1)).__dlpack__(stream=None)
    del capsule  # nobody took it: the memory goes back


def test_factors_on_the_device_are_solved_in_place() -> None:
    data = Csr.from_scipy(sp.random(40, 30, 0.3, format="csr", random_state=1, dtype=np.float32))
    objective = AlsObjective(0.05, 0.1, 1.0)
    fixed, solved = reals(30, 33, 1) / 10, np.zeros((40, 33), np.float32)
    als_half_epoch(data, fixed, solved, objective, solver="cholesky")
    there, here = DeviceArray.from_host(fixed), DeviceArray.from_host(np.zeros((40, 33), np.float32))
    als_half_epoch(data, there, here, objective, device="cuda")
    np.testing.assert_allclose(here.to_host(), solved, atol=3e-5 * abs(solved).max())
    value = als_objective(data, here, there, objective, device="cuda")
    assert value == pytest.approx(als_objective(data, solved, fixed, objective), rel=1e-5)
    gram = _native.gram(there, device="cuda").to_host()
    np.testing.assert_allclose(gram, fixed.T @ fixed, rtol=1e-5, atol=1e-5)
    scores = _native.score_all(here, there, device="cuda").to_host()
    np.testing.assert_allclose(scores, here.to_host() @ fixed.T, rtol=1e-4, atol=1e-5)


def test_a_sparse_matrix_times_factors_on_the_device() -> None:
    matrix, dense = sp.random(40, 30, 0.3, format="csr", random_state=1, dtype=np.float32), reals(30, 5, 1)
    found = spmm(matrix, DeviceArray.from_host(dense), device="cuda")
    assert isinstance(found, DeviceArray)
    np.testing.assert_array_equal(found.to_host(), spmm(matrix, dense))


@pytest.mark.parametrize("metric", ["inner_product", "cosine", "euclidean"])
def test_a_retriever_on_the_device_answers_as_one_on_the_cpu(metric: Any) -> None:
    rng = np.random.default_rng(1)
    items, queries = (rng.normal(size=(n, 24)).astype(np.float32) for n in (200, 11))
    here, there = Retriever(items, metric=metric), Retriever(items, metric=metric, device="cuda")
    mask = rng.random(200) < 0.5
    for options in ({}, {"allow": mask}, {"block": np.array([3, 5]), "thresholds": -30.0}):
        ids, scores = here.topk(queries, 9, **options)
        found = there.topk(queries, 9, **options)
        np.testing.assert_array_equal(found[0], ids)
        np.testing.assert_allclose(found[1], scores, rtol=1e-5, atol=1e-5)
    assert there.arrays()["order"].tolist() == here.arrays()["order"].tolist()
    if metric != "cosine":
        on_device: Any = there.topk(DeviceArray.from_host(queries), 9)
        np.testing.assert_array_equal(on_device[0].to_host(), here.topk(queries, 9)[0])


def test_a_model_fits_and_ranks_on_the_device() -> None:
    data = Interactions.from_csr(sp.random(60, 40, 0.2, format="csr", random_state=2, dtype=np.float32))
    options: dict[str, Any] = {"factors": 16, "iterations": 3, "solver": "cholesky"}
    here, there = ALS(**options).fit(data), ALS(**options, device="cuda").fit(data)
    before = _native.cuda_device_count()
    expected, found = here.recommend(range(60), k=5), there.recommend(range(60), k=5)
    assert (expected.ids == found.ids).mean() > 0.97
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
    assert before == 1


@pytest.mark.parametrize("kind", ["cosine", "jaccard", "pearson", "rp3beta"])
def test_similarity_has_the_bytes_of_the_cpu(kind: str) -> None:
    matrix: Any = sp.random(90, 50, 0.2, format="csr", random_state=5, dtype=np.float32)
    matrix = abs(matrix)
    here, there = similarity(matrix, kind, k=8), similarity(matrix, kind, k=8, device="cuda")
    assert here.indices.tolist() == there.indices.tolist()
    assert here.data.tobytes() == there.data.tobytes()


def test_info_says_what_it_found() -> None:
    found = _native.cuda_device()
    assert set(found) == {"name", "capability", "memory", "free_memory", "multiprocessors"}
