"""A sparse matrix times a dense one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recocore import _native
from recocore.ops.arguments import sparse, threads
from recocore.ops.device import checked_device, is_on_device, returned, stream_handle

if TYPE_CHECKING:
    from recocore.types import CudaArray, Float32Array, Progress


def spmm(
    matrix: Any,
    dense: Float32Array | CudaArray,
    num_threads: int = 0,
    *,
    device: str = "cpu",
    stream: Any = None,
    progress: Progress | None = None,
) -> Float32Array | CudaArray:
    """Multiply a sparse matrix by a dense one: a step of propagation over a graph.

    Args:
        matrix: `[rows, columns]` SciPy sparse matrix of any real dtype, or a `Csr`.
        dense: float32 `[columns, f]`, rows contiguous; on the device, the result is too.
        num_threads: 0 for one a core.
        device: cpu, or cuda.
        stream: of CUDA, see `recocore.ops.topk`.
        progress: told the part done in [0, 1]; an exception that it raises stops the computation.

    Returns:
        float32 `[rows, f]`. Sums are float64, in the order of a row's entries: the same bytes at every number of threads and
        on every device. O(nnz f).

    Raises:
        InvalidArgumentError: shapes or dtypes that do not fit, or a value of the matrix that is not finite.
        UnsupportedError: device cuda where there is none.

    Example:
        >>> import numpy as np
        >>> import scipy.sparse as sp
        >>> spmm(sp.csr_matrix([[0, 2], [1, 1]]), np.array([[1, 2], [3, 4]], np.float32)).tolist()
        [[6.0, 8.0], [4.0, 6.0]]
    """
    found = _native.spmm(
        sparse(matrix, "matrix").native,
        dense,
        threads(num_threads),
        progress,
        device=checked_device(device),
        stream=stream_handle(stream),
    )
    return returned(found, dense) if is_on_device(found) else found
