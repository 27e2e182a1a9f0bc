"""Turns the arguments of the native operations into what the extension takes; the core checks their ranges."""

from __future__ import annotations

import operator
from typing import Any

from recocore.csr import Csr
from recocore.errors import InvalidArgumentError


def sparse(matrix: Any, name: str) -> Csr:
    """A Csr as it is, or a SciPy sparse matrix as a canonical Csr.

    Raises:
        InvalidArgumentError: anything else, or values that float32 cannot hold as finite.
    """
    return matrix if isinstance(matrix, Csr) else Csr.from_scipy(matrix, name)


def integer(value: Any, name: str) -> int:
    """A whole number of any integer type that fits 64 bits; a boolean or a float is not one.

    Raises:
        InvalidArgumentError: the value is something else; the message names the argument.
    """
    if not isinstance(value, bool):
        try:
            number = operator.index(value)
        except TypeError:
            pass
        else:
            if -(2**63) <= number < 2**63:
                return number
    raise InvalidArgumentError(f"{name}: expected an integer, got {value!r}", field=name)


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


def threads(value: Any) -> int:
    """The num_threads of an operation: 0 for one a core.

    Raises:
        InvalidArgumentError: not an integer in [0, 1024].
    """
    number = integer(value, "num_threads")
    if not 0 <= number <= 1024:
        raise InvalidArgumentError(
            f"num_threads: expected 0 (one for each core) to 1024, got {number}", field="num_threads"
        )
    return number
