"""Checks of what callers hand to an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from recocore.index.results import ExternalId
    from recocore.types import Int32Array


def id_list(ids: Iterable[ExternalId], argument: str) -> list[ExternalId]:
    """The ids as a list, whatever holds them; the message of an error names `argument`."""
    if isinstance(ids, (str, bytes, int)):
        raise InvalidArgumentError(
            f"{argument}: expected a sequence of ids, got one: {ids!r}; put it in a list", field=argument
        )
    try:
        return ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
    except TypeError:
        raise InvalidArgumentError(
            f"{argument}: expected a sequence of ids, got {type(ids).__name__}", field=argument
        ) from None


def missing(ids: list[ExternalId], indices: Int32Array) -> tuple[ExternalId, ...]:
    """The ids without an index, each once."""
    return tuple(dict.fromkeys(ids[position] for position in np.flatnonzero(indices < 0).tolist()))


def check_indices(indices: Any, count: int, argument: str, least: int = 0) -> None:
    """Raise InvalidArgumentError unless these are int32 `[n]` in [least, count)."""
    if not isinstance(indices, np.ndarray) or indices.dtype != np.int32 or indices.ndim != 1:
        got = f"{indices.dtype} {list(indices.shape)}" if isinstance(indices, np.ndarray) else type(indices).__name__
        raise InvalidArgumentError(
            f"{argument}: expected an int32 array [n], got {got}; convert it with numpy.asarray(x, numpy.int32)",
            field=argument,
        )
    if len(indices) and not least <= indices.min() <= indices.max() < count:
        raise InvalidArgumentError(
            f"{argument}: expected indices in [{least}, {count}), got {indices.min()} to {indices.max()}",
            field=argument,
        )


def whole(value: Any, least: int, argument: str) -> None:
    """Raise InvalidArgumentError unless this is a whole number in [least, 2**31)."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or not least <= value < 2**31:
        expected = "below 2**31" if whole and value > least else f"of at least {least}"
        raise InvalidArgumentError(f"{argument}: expected a whole number {expected}, got {value!r}", field=argument)
