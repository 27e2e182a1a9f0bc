"""Checks of arrays that come back from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recocore import _native
from recocore.csr import Csr
from recocore.errors import CorruptError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.types import AnyArray


def take(arrays: Mapping[str, AnyArray], name: str, dtype: type[np.generic], shape: tuple[int | None, ...]) -> Any:
    """The named array if it has this dtype and shape (None: any length).

    Raises:
        CorruptError: it is missing or differs; the message names it.
    """
    if name not in arrays:
        raise CorruptError(f"{name}: expected this array, got {', '.join(sorted(arrays)) or 'none'}")
    array = arrays[name]
    fits = array.ndim == len(shape) and all(
        wanted is None or wanted == got for wanted, got in zip(shape, array.shape, strict=True)
    )
    if array.dtype != np.dtype(dtype) or not fits:
        raise CorruptError(
            f"{name}: expected {np.dtype(dtype)} of shape {shape}, got {array.dtype} of shape {array.shape}"
        )
    return array


def take_finite(
    arrays: Mapping[str, AnyArray], name: str, dtype: type[np.generic], shape: tuple[int | None, ...]
) -> Any:
    """The same, and every value is finite."""
    array = take(arrays, name, dtype, shape)
    # NumPy's answer takes a byte a value beside them, and the start of a server four times as long.
    flat = array.dtype == np.float32 and array.flags.c_contiguous
    if not (_native.all_finite(array.reshape(-1)) if flat else np.isfinite(array).all()):
        raise CorruptError(f"{name}: expected finite values, got NaN or infinity")
    return array


def prefixed(prefix: str, arrays: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """The arrays under names that start with `prefix`."""
    return {prefix + name: array for name, array in arrays.items()}


def of_prefix(prefix: str, arrays: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """The arrays whose names start with `prefix`, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def csr_arrays(prefix: str, matrix: Csr) -> dict[str, AnyArray]:
    """The arrays of a sparse matrix under names that start with `prefix`."""
    return {
        f"{prefix}_indptr": matrix.indptr,
        f"{prefix}_indices": matrix.indices,
        f"{prefix}_values": matrix.values,
    }


def take_csr(arrays: Mapping[str, AnyArray], prefix: str, shape: tuple[int, int]) -> Csr:
    """The sparse matrix that `csr_arrays` gave.

    Raises:
        CorruptError: an array is missing, or the matrix is malformed or not finite; the message names it.
    """
    indptr = take(arrays, f"{prefix}_indptr", np.int64, (shape[0] + 1,))
    indices = take(arrays, f"{prefix}_indices", np.int32, (None,))
    values = take(arrays, f"{prefix}_values", np.float32, (len(indices),))
    matrix = Csr(indptr, indices, values, shape)
    matrix.check(prefix, CorruptError)
    return matrix
