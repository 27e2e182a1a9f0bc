"""Names for the arrays that cross room boundaries."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Float32Array: TypeAlias = npt.NDArray[np.float32]
Float64Array: TypeAlias = npt.NDArray[np.float64]
Int32Array: TypeAlias = npt.NDArray[np.int32]
Int64Array: TypeAlias = npt.NDArray[np.int64]
UInt8Array: TypeAlias = npt.NDArray[np.uint8]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
AnyArray: TypeAlias = npt.NDArray[Any]

# (indptr, indices, values, (rows, columns)): a CSR matrix as the extension takes and returns it.
NativeCsr: TypeAlias = tuple[Int64Array, Int32Array, Float32Array, tuple[int, int]]

# (exclude, block, allow) of a ranking: rows of CSR patterns for each query (all rows in order, or the rows named), ids for
# every query, and either for the allow-list.
NativeRows: TypeAlias = tuple[NativeCsr, Int32Array | None]
NativeFilter: TypeAlias = tuple[list[NativeRows], Int32Array | None, Int32Array | NativeRows | None]

# Told the part done in [0, 1] every 50 ms or less often; an exception that it raises stops the computation.
Progress: TypeAlias = Callable[[float], object]
