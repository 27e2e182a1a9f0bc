"""Names for the arrays that cross room boundaries."""

from collections.abc import Callable
from typing import Any, TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt

Float32Array: TypeAlias = npt.NDArray[np.float32]
Float64Array: TypeAlias = npt.NDArray[np.float64]
Int32Array: TypeAlias = npt.NDArray[np.int32]
Int64Array: TypeAlias = npt.NDArray[np.int64]
UInt8Array: TypeAlias = npt.NDArray[np.uint8]
UInt64Array: TypeAlias = npt.NDArray[np.uint64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
AnyArray: TypeAlias = npt.NDArray[Any]

# An array on a CUDA device: CuPy's, torch's, `recocore.ops.DeviceArray` or whatever has `__cuda_array_interface__` or gives a
# DLPack capsule.
CudaArray: TypeAlias = Any

# (indptr, indices, values, (rows, columns)): a CSR matrix as the extension takes and returns it.
NativeCsr: TypeAlias = tuple[Int64Array, Int32Array, Float32Array, tuple[int, int]]

# Ids for each query: the rows of a CSR pattern, all in order or those that the array names.
NativeRows: TypeAlias = tuple[NativeCsr, Int32Array | None]


class NativeFilter(TypedDict):
    """The candidates of a ranking, as keywords of the extension: ids for every query, or rows for each."""

    exclude: list[NativeRows]
    block: Int32Array | None
    allow: Int32Array | NativeRows | None


# Told the part done in [0, 1] every 50 ms or less often; an exception that it raises stops the computation.
Progress: TypeAlias = Callable[[float], object]
