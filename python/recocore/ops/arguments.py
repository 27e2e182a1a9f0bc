"""Turns the arguments of the native operations into what the extension takes; the core checks their ranges."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.csr import Csr
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Collection

    from recocore.types import Int32Array


def sparse(matrix: Any, name: str) -> Csr:
    """A Csr as it is, or a SciPy sparse matrix as a canonical Csr; the operation that takes it looks at its entries.

    Raises:
        InvalidArgumentError: anything else.
    """
    return matrix if isinstance(matrix, Csr) else Csr.from_scipy(matrix, name, check=False)


def integer(value: Any, name: str, least: int = -(2**63), most: int = 2**63 - 1) -> int:
    """A whole number of any integer type in [least, most]; a boolean or a float is not one.

    Raises:
        InvalidArgumentError: the value is something else; the message names the argument.
    """
    if not isinstance(value, bool):
        try:
            number = operator.index(value)
        except TypeError:
            pass
        else:
            if least <= number <= most:
                return number
    limits = "" if least == -(2**63) else f" of at least {least}" if most >= 2**31 - 1 else f" from {least} to {most}"
    raise InvalidArgumentError(f"{name}: expected an integer{limits}, got {value!r}", field=name)


def checked_indices(value: Any, count: int, argument: str) -> Int32Array:
    """Integers `[n]` in [0, count) as int32.

    Raises:
        InvalidArgumentError: not a 1-d array of integers, or one out of range.
    """
    try:
        indices = np.asarray(value)
    except ValueError:  # rows of different lengths
        indices = np.empty((0, 0), object)
    if indices.size == 0 and indices.ndim == 1:
        return np.empty(0, np.int32)
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        step = "; the id map's indices_of gives the indices of ids" if indices.dtype.kind in "OUS" else ""
        raise InvalidArgumentError(
            f"{argument}: expected a 1-d array of integers, got {indices.ndim}-d {indices.dtype}{step}", field=argument
        )
    if indices.min() < 0 or indices.max() >= count:
        raise InvalidArgumentError(
            f"{argument}: expected indices in [0, {count}), got {indices.min()} to {indices.max()}", field=argument
        )
    return np.ascontiguousarray(indices, np.int32)


def real(value: Any, name: str) -> float:
    """A real number of any numeric type.

    Raises:
        InvalidArgumentError: the value is something else, a string for example; the message names the argument.
    """
    if not isinstance(value, (bool, str, bytes)):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
    raise InvalidArgumentError(f"{name}: expected a real number, got {value!r}", field=name)


def not_negative(value: Any, name: str) -> float:
    """A finite real number of at least 0.

    Raises:
        InvalidArgumentError: the value is something else; the message names the argument.
    """
    number = real(value, name)
    if not (math.isfinite(number) and number >= 0):
        raise InvalidArgumentError(f"{name}: expected a finite number >= 0, got {value!r}", field=name)
    return number


def positive(value: Any, name: str) -> float:
    """A finite real number above 0.

    Raises:
        InvalidArgumentError: the value is something else; the message names the argument.
    """
    number = real(value, name)
    if not (math.isfinite(number) and number > 0):
        raise InvalidArgumentError(f"{name}: expected a finite number > 0, got {value!r}", field=name)
    return number


def choice(value: Any, name: str, known: Collection[str]) -> str:
    """One of the known names.

    Raises:
        InvalidArgumentError: the value is something else; the message lists the known ones.
    """
    if not isinstance(value, str) or value not in known:
        raise InvalidArgumentError(f"{name}: expected one of {', '.join(known)}, got {value!r}", field=name)
    return value


def threads(value: Any) -> int:
    """The num_threads of an operation: 0 for one a core.

    Raises:
        InvalidArgumentError: not an integer in [0, 1024].
    """
    try:
        return integer(value, "num_threads", 0, 1024)
    except InvalidArgumentError:
        raise InvalidArgumentError(
            f"num_threads: expected 0 (one for each core) to 1024, got {value!r}", field="num_threads"
        ) from None


def no_matrix(value: object, argument: str) -> InvalidArgumentError:
    """What to raise where a float32 matrix was expected, and what makes one of the value.

    Example:
        >>> print(no_matrix(np.ones(3, np.float32), "queries"))
        queries: expected a C-contiguous 2-d array of float32, got 1-d float32; x[None] makes one row of it
    """
    got, step = type(value).__name__, "" if value is None else "; convert it with numpy.ascontiguousarray(x, 'float32')"
    if isinstance(value, np.ndarray):
        got = f"{value.ndim}-d {value.dtype}"
        step = "; x[None] makes one row of it" if value.ndim == 1 else ""
    return InvalidArgumentError(
        f"{argument}: expected a C-contiguous 2-d array of float32, got {got}{step}", field=argument
    )
