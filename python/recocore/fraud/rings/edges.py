"""Edges between accounts and entities: ids of any hashable kind become indices, and come back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from recocore.types import Float64Array, Int32Array

    Ids = Sequence[Hashable] | np.ndarray[Any, Any]


# The sum over all edges that memory holds stays a finite number.
_HEAVIEST = 1e290


@dataclass(frozen=True, slots=True, eq=False)
class Numbered:
    """Ids and where each row has its own.

    Attributes:
        ids: each id once, ascending where ids can be compared, else as they came.
        indices: int32 `[rows]`, into `ids`.
    """

    ids: list[Hashable]
    indices: Int32Array

    @classmethod
    def of(cls, values: Ids, argument: str) -> Numbered:
        """Number the ids of rows. O(n log n).

        Raises:
            InvalidArgumentError: not one id a row, a missing one, or one that cannot be hashed.
        """
        if isinstance(values, np.ndarray) and values.ndim != 1:
            raise InvalidArgumentError(f"{argument}: expected a 1-d array of ids, got {values.ndim}-d", field=argument)
        if isinstance(values, np.ndarray) and values.dtype.kind in "iuUS":
            unique, inverse = np.unique(values, return_inverse=True)
            return cls(unique.tolist(), inverse.astype(np.int32, copy=False))
        # Columns know how to become plain ids; what iterating over one gives may be scalars of its library.
        plain = next((name for name in ("tolist", "to_pylist", "to_list") if hasattr(values, name)), None)
        rows = list(values) if plain is None else getattr(values, plain)()
        try:
            ids = list(dict.fromkeys(rows))
        except TypeError as error:
            raise InvalidArgumentError(f"{argument}: expected hashable ids: {error}", field=argument) from error
        # Else all whose id is missing would meet at one account or entity.
        missing = [one for one in ids if one is None or (isinstance(one, float) and math.isnan(one))]
        if missing:
            raise InvalidArgumentError(
                f"{argument}: expected an id in each row, got {missing[0]}; leave rows without one out", field=argument
            )
        try:
            ids.sort()
        except TypeError:  # ids that cannot be compared keep the order in which they came
            ids = list(dict.fromkeys(rows))
        place = {one: index for index, one in enumerate(ids)}
        return cls(ids, np.fromiter((place[one] for one in rows), np.int32, len(rows)))

    def named(self, indices: Int32Array) -> tuple[Hashable, ...]:
        """The ids of indices."""
        return tuple(self.ids[index] for index in indices.tolist())


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Who met what: accounts and entities of rows, numbered."""

    accounts: Numbered
    entities: Numbered

    @classmethod
    def of(cls, accounts: Ids, entities: Ids, kinds: Ids | None) -> Edges:
        """Number both sides; with kinds an entity is (kind, id).

        Raises:
            InvalidArgumentError: sides of different length, or ids that are none.
        """
        numbered = Numbered.of(accounts, "accounts")
        others = Numbered.of(entities, "entities")
        if kinds is not None:
            of_kind = Numbered.of(kinds, "kinds")
            require_length("kinds", len(of_kind.indices), len(others.indices))
            pairs = of_kind.indices.astype(np.int64) * max(len(others.ids), 1) + others.indices
            unique, inverse = np.unique(pairs, return_inverse=True)
            ids: list[Hashable] = [
                (of_kind.ids[pair // len(others.ids)], others.ids[pair % len(others.ids)]) for pair in unique.tolist()
            ]
            others = Numbered(ids, inverse.astype(np.int32, copy=False))
        require_length("entities", len(others.indices), len(numbered.indices))
        return cls(numbered, others)

    def __len__(self) -> int:
        return len(self.accounts.indices)

    @property
    def shape(self) -> tuple[int, int]:
        """How many accounts and entities there are."""
        return len(self.accounts.ids), len(self.entities.ids)


def require_length(argument: str, got: int, expected: int) -> None:
    """Refuse a column of another length.

    Raises:
        InvalidArgumentError: it has one.
    """
    if got != expected:
        raise InvalidArgumentError(f"{argument}: expected one for each of {expected} edges, got {got}", field=argument)


def decayed(
    count: int, weights: Any | None, times: Any | None, half_life: float | None, now: Any | None
) -> Float64Array | None:
    """Weights of edges, halved with each half-life of age; None is 1 for each.

    Raises:
        InvalidArgumentError: one of times and half_life alone, other lengths, or numbers that are none.
    """
    if (times is None) != (half_life is None):
        raise InvalidArgumentError(
            "half_life: expected together with times: give both, or neither for weights that do not decay",
            field="half_life",
        )
    result = None if weights is None else _column(weights, "weights", count)
    if result is not None and result.max(initial=0.0) > _HEAVIEST:
        raise InvalidArgumentError(
            f"weights: expected at most {_HEAVIEST:g}, got {result.max():g}; only their ratios matter: scale them down",
            field="weights",
        )
    if times is None or half_life is None or count == 0:
        return result
    seconds = _column(_seconds(times), "times", count)
    latest = float(seconds.max() if now is None else _column(np.atleast_1d(_seconds(now)), "now", 1)[0])
    age = np.maximum(latest - seconds, 0.0)
    decay: Float64Array = np.exp2(-age / half_life)
    return decay if result is None else result * decay


def priors_of(priors: Mapping[Any, float] | None, accounts: Numbered) -> Float64Array | None:
    """The prior of each account, 0 where none is given."""
    if priors is None:
        return None
    return _column([priors.get(one, 0.0) for one in accounts.ids], "priors", len(accounts.ids))


def _seconds(times: Any) -> Any:
    array = np.asarray(times)
    if array.dtype.kind != "M":
        return array
    return np.where(np.isnat(array), np.nan, array.astype("datetime64[us]").astype(np.int64) / 1e6)


def _column(values: Any, argument: str, count: int) -> Float64Array:
    try:
        array = np.ascontiguousarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{argument}: expected numbers: {error}", field=argument) from error
    if array.ndim != 1:
        raise InvalidArgumentError(f"{argument}: expected a 1-d array, got {array.ndim}-d", field=argument)
    require_length(argument, len(array), count)
    if not np.isfinite(array).all():
        raise InvalidArgumentError(f"{argument}: expected finite numbers, got NaN or infinity", field=argument)
    return array
