"""What a build without CUDA says to those who ask for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.sparse as sp

from recocore import _native
from recocore.csr import Csr
from recocore.errors import InvalidArgumentError, UnsupportedError
from recocore.models import ALS, ItemKNN, UserKNN
from recocore.ops import DeviceArray, association_rules, matmul_topk, similarity, spmm, topk
from recocore.ops.als import AlsObjective, als_half_epoch, als_objective
from recocore.retrieval import Retriever

if TYPE_CHECKING:
    from collections.abc import Callable

ONES = np.ones((2, 2), np.float32)
EYE = sp.csr_matrix(np.eye(2, dtype=np.float32))
OBJECTIVE = AlsObjective(0.1, 0.1, 0.0)
CALLS: dict[str, Callable[..., Any]] = {
    "topk": lambda **how: topk(ONES, ONES, 1, **how),
    "similarity": lambda **how: similarity(EYE, **how),
    "matmul_topk": lambda **how: matmul_topk(EYE, EYE, 1, **how),
    "spmm": lambda **how: spmm(EYE, ONES, **how),
    "association_rules": lambda **how: association_rules(EYE, **how),
    "als_half_epoch": lambda **how: als_half_epoch(Csr.from_scipy(EYE), ONES, ONES.copy(), OBJECTIVE, **how),
    "als_objective": lambda **how: als_objective(Csr.from_scipy(EYE), ONES, ONES, OBJECTIVE, **how),
    "Retriever": lambda **how: Retriever(ONES, **how),
    "ALS": ALS,
    "ItemKNN": ItemKNN,
    "UserKNN": UserKNN,
}

without_cuda = pytest.mark.skipif(_native.built_with_cuda(), reason="this build has the CUDA operations")


@without_cuda
@pytest.mark.parametrize("name", CALLS)
def test_cuda_is_refused_with_the_next_step(name: str) -> None:
    with pytest.raises(
        UnsupportedError, match=r"no CUDA operations; build them with .*RECOCORE_CUDA=ON, or use device='cpu'"
    ):
        CALLS[name](device="cuda")


@pytest.mark.parametrize("name", CALLS)
def test_other_devices_are_unknown(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="device: expected one of cpu, cuda, got 'tpu'"):
        CALLS[name](device="tpu")


@without_cuda
def test_the_extension_refuses_too() -> None:
    for call in (
        lambda: _native.topk(ONES, ONES, 1, device="cuda"),
        lambda: _native.score_all(ONES, ONES, device="cuda"),
        lambda: _native.gram(ONES, device="cuda"),
        lambda: _native.spmm(Csr.from_scipy(EYE).native, ONES, device="cuda"),
        lambda: DeviceArray.from_host(ONES),
        _native.cuda_device,
    ):
        with pytest.raises(UnsupportedError, match="no CUDA operations"):
            call()
    assert _native.cuda_device_count() == 0


def test_arrays_on_a_device_are_told_by_their_protocols() -> None:
    array = {"shape": (2, 2), "typestr": "<f4", "data": (0, False), "version": 3}
    there = SimpleNamespace(__cuda_array_interface__=array)
    assert _native.is_on_device(there)
    assert not _native.is_on_device(ONES)
    assert not _native.is_on_device(EYE)
    with pytest.raises(InvalidArgumentError, match="device: expected cuda for arrays on the device"):
        topk(there, there, 1)
    with pytest.raises(InvalidArgumentError, match="items: expected an array on the device, as the other one is"):
        _native.topk(there, ONES, 1)


def test_sixteen_bits_are_for_the_device() -> None:
    with pytest.raises(InvalidArgumentError, match="precision: float16 and bfloat16 need device='cuda'"):
        topk(ONES, ONES, 1, precision="float16")


def test_a_stream_is_a_number_or_has_one() -> None:
    with pytest.raises(InvalidArgumentError, match="stream: expected None, a cudaStream_t as an integer"):
        topk(ONES, ONES, 1, stream="legacy")


@pytest.mark.parametrize("width", [1, 3, 64])
def test_a_sparse_product_is_scipys(width: int) -> None:
    rng = np.random.default_rng(width)
    matrix: Any = sp.random(40, 30, 0.2, format="csr", random_state=1, dtype=np.float32)
    dense = rng.normal(size=(30, width)).astype(np.float32)
    expected = matrix.astype(np.float64) @ dense.astype(np.float64)
    for threads in (1, 3):
        np.testing.assert_array_equal(spmm(matrix, dense, threads), expected.astype(np.float32))
    with pytest.raises(InvalidArgumentError, match="dense: expected 30 rows"):
        spmm(matrix, dense[:5])
