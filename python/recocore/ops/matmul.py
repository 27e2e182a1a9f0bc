"""The largest entries of a sparse product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recocore import _native
from recocore.csr import Csr
from recocore.ops.arguments import integer, real, sparse, threads
from recocore.ops.device import checked_device, stream_handle

if TYPE_CHECKING:
    import numpy as np
    import scipy.sparse as sp

    from recocore.types import Progress


def matmul_topk(
    a: Any,
    b: Any,
    k: int | None,
    threshold: float | None = None,
    num_threads: int = 0,
    *,
    progress: Progress | None = None,
    device: str = "cpu",
    stream: Any = None,
) -> sp.csr_matrix[np.float32]:
    """Multiply two sparse matrices and keep the k largest entries of each row.

    An entry is in the product where stored entries of `a` and `b` meet, even if the products cancel to 0: negatives and
    zeros compete like any other value.

    Args:
        a: `[n, inner]` SciPy sparse matrix of any real dtype, or a `Csr`.
        b: `[inner, m]` likewise.
        k: entries kept of each row, by value descending and then column ascending; None keeps all.
        threshold: entries below are left out; compared in float32.
        num_threads: 0 for one a core; the result has the same bytes at every number.
        progress: told the part done in [0, 1]; an exception that it raises stops the computation.
        device: cpu, or cuda; the result has the same bytes there.
        stream: of CUDA, see `recocore.ops.topk`.

    Returns:
        float32 CSR `[n, m]` with columns rising in each row. Sums are float64; one beyond float32 becomes an infinity.

    Raises:
        InvalidArgumentError: shapes that do not fit, values that are not finite, or a bad k or threshold.
        OutOfMemoryError: the estimate is above the memory that is free.

    Time is O(pairs of entries that meet), scratch 12 bytes a column of `b` and thread.

    Example:
        >>> import scipy.sparse as sp
        >>> a = sp.csr_matrix([[1.0, 2.0], [0.0, 1.0]])
        >>> b = sp.csr_matrix([[1.0, 0.0, 3.0], [0.0, 4.0, 1.0]])
        >>> matmul_topk(a, b, k=1).toarray().tolist()
        [[0.0, 8.0, 0.0], [0.0, 4.0, 0.0]]
    """
    return Csr.from_native(
        _native.matmul_topk(
            sparse(a, "a").native,
            sparse(b, "b").native,
            None if k is None else integer(k, "k"),
            threshold=None if threshold is None else real(threshold, "threshold"),
            num_threads=threads(num_threads),
            progress=progress,
            device=checked_device(device),
            stream=stream_handle(stream),
        )
    ).to_scipy()
