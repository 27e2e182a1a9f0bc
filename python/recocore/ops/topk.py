"""Exact retrieval of the largest inner products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recocore import _native
from recocore.csr import Csr
from recocore.errors import InvalidArgumentError
from recocore.ops.arguments import choice, integer, no_matrix, threads
from recocore.ops.device import checked_device, is_on_device, returned, shape_of, stream_handle

if TYPE_CHECKING:
    from recocore.types import CudaArray, Float32Array, Int32Array, NativeFilter, NativeRows, Progress

PRECISIONS = ("auto", "float32", "float16", "bfloat16")


def topk(
    queries: Float32Array | CudaArray,
    items: Float32Array | CudaArray,
    k: int,
    exclude: Any = None,
    allow: Any = None,
    num_threads: int = 0,
    precision: str = "auto",
    progress: Progress | None = None,
    *,
    device: str = "cpu",
    stream: Any = None,
) -> tuple[Int32Array | CudaArray, Float32Array | CudaArray]:
    """Find the k items with the largest inner product for each query.

    Args:
        queries: float32 `[n, f]`, C-contiguous, finite.
        items: float32 `[m, f]`, C-contiguous, finite.
        k: how many for each query, at least 1; may exceed m.
        exclude: items that must not come back: a sparse `[n, m]` with a row for each query (stored entries count,
            whatever their finite value), or for every query integer ids or a mask, bool `[m]`.
        allow: the only items that may come back, in the same forms. Masks of categories, stock or price bands combine
            with `&` and `|` before they are handed over.
        num_threads: 0 is one for each core. The result does not depend on it.
        precision: "auto" scans 8-bit codes of the items where that is faster and scores what they let through;
            "float32" scans floats. On CUDA, "float16" and "bfloat16" scan items in 16 bits and score what they let through in
            float32; "auto" is "float32" there. The result is the same to the bit.
        progress: told the part done; an exception that it raises stops the search.
        device: "cpu", or "cuda". Queries and items may both lie there already, as arrays of CuPy, torch or anything with
            `__cuda_array_interface__` or DLPack; then the results do too.
        stream: of CUDA: a cudaStream_t as an integer, or a CuPy stream. None takes that of the queries where they name
            one, the default stream for other arrays on the device, and a stream of the call's own for those of the host.

    Returns:
        ids int32 and scores float32, both `[n, k]`: score descending, then id ascending; -1 and -inf where fewer than k
        items may come back. Computed scores may differ by rounding between instruction sets. O(n m f). For one catalogue
        and many calls, `recocore.retrieval.Retriever` prepares the items once.

    Raises:
        InvalidArgumentError: a shape, dtype or id that does not fit, or a value that is not finite (its row is named).
        UnsupportedError: device cuda where there is none; says how to get it.

    Example:
        >>> import numpy as np
        >>> items = np.eye(3, dtype=np.float32)
        >>> ids, scores = topk(np.array([[1, 3, 2]], np.float32), items, k=2, exclude=np.array([1]))
        >>> ids.tolist(), scores.tolist()
        ([[2, 0]], [[2.0, 1.0]])
    """
    choice(precision, "precision", PRECISIONS)
    k = integer(k, "k", 1)
    shape = (_rows(queries, "queries"), _rows(items, "items"))
    ids, scores = _native.topk(
        queries,
        items,
        k,
        **candidate_filter(shape, exclude, allow),
        num_threads=threads(num_threads),
        precision=precision,
        progress=progress,
        device=checked_device(device),
        stream=stream_handle(stream),
    )
    return (returned(ids, queries), returned(scores, queries)) if is_on_device(ids) else (ids, scores)


def _rows(matrix: Any, argument: str) -> int:
    if is_on_device(matrix):
        return shape_of(matrix)[0]
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2:
        raise no_matrix(matrix, argument)
    return len(matrix)


def candidate_list(value: Any, shape: tuple[int, int], argument: str) -> Int32Array | NativeRows | None:
    """An allow- or block-list as the extension takes it: ids for every query or a CSR row for each.

    Raises:
        InvalidArgumentError: neither integers in [0, columns), nor a mask of all columns, nor a sparse matrix of `shape`.
    """
    if value is None:
        return None
    if not isinstance(value, Csr) and hasattr(value, "tocsr"):
        value = Csr.from_scipy(value, argument)
    if isinstance(value, Csr):
        if value.shape != shape:
            raise InvalidArgumentError(
                f"{argument}: expected a sparse matrix of shape {shape}, got {value.shape}", field=argument
            )
        return value.native, None
    try:
        ids = np.asarray(value)
    except ValueError:  # rows of different lengths
        ids = np.empty((0, 0), object)
    if ids.dtype == bool:
        if ids.shape != shape[1:]:
            raise InvalidArgumentError(
                f"{argument}: expected a mask of {shape[1]} items, got {list(ids.shape)} booleans", field=argument
            )
        return np.flatnonzero(ids).astype(np.int32)
    if ids.size == 0 and ids.ndim == 1:
        return np.empty(0, np.int32)
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise InvalidArgumentError(
            f"{argument}: expected a 1-d array of item indices or a sparse matrix of shape {shape}, "
            f"got {ids.ndim}-d {ids.dtype}",
            field=argument,
        )
    if ids.min() < 0 or ids.max() >= shape[1]:
        raise InvalidArgumentError(
            f"{argument}: expected item indices in [0, {shape[1]}), got {ids.min()} to {ids.max()}", field=argument
        )
    return ids.astype(np.int32)


def candidate_filter(shape: tuple[int, int], exclude: Any, allow: Any, block: Any = None) -> NativeFilter:
    """Which items may come back, as the extension takes it; `block` holds beside `exclude`, in the same forms.

    Raises:
        InvalidArgumentError: as `candidate_list`.
    """
    rows: list[NativeRows] = []
    shared: list[Int32Array] = []
    for name, value in (("exclude", exclude), ("block", block)):
        listed = candidate_list(value, shape, name)
        if isinstance(listed, tuple):
            rows.append(listed)
        elif listed is not None:
            shared.append(listed)
    return {
        "exclude": rows,
        "block": np.concatenate(shared) if shared else None,
        "allow": candidate_list(allow, shape, "allow"),
    }
