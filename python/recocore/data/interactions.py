"""Interactions: who liked what, as a sparse matrix with its id maps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from recocore.csr import Csr
from recocore.data.events import as_events
from recocore.data.ids import IdMap
from recocore.data.times import times_to_us
from recocore.data.weighting import decay, weigh
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from recocore.types import AnyArray, BoolArray, Float64Array, Int32Array, Int64Array

Duplicates: TypeAlias = Literal["sum", "last", "max"]


@dataclass(frozen=True, eq=False)
class Interactions:
    """One entry for each pair of a user and an item that met; never changed, only derived from.

    Parts of the same interactions (train and test, fold-in) share both id maps and the shape, so that an index means
    the same user or item in all of them.

    Attributes:
        users: the map of user ids to rows.
        items: the map of item ids to columns.
        matrix: CSR `[n_users, n_items]` with float32 weights, columns ascending in each row, no pair twice.
        timestamps: int64 `[nnz]`, microseconds since 1970 of each pair's latest event, or None where times are unknown.

    Example:
        >>> met = Interactions.from_coo(["ann", "ann", "bob"], [10, 30, 30], [1.0, 2.0, 5.0])
        >>> met.matrix.to_scipy().toarray().tolist()
        [[1.0, 2.0], [0.0, 5.0]]
        >>> met.users.ids_of([0, 1]), met.items.ids_of([0, 1])
        (['ann', 'bob'], [10, 30])
    """

    users: IdMap
    items: IdMap
    matrix: Csr
    timestamps: Int64Array | None = None

    def __post_init__(self) -> None:
        if self.matrix.shape != (len(self.users), len(self.items)):
            raise InvalidArgumentError(
                f"matrix: expected shape {(len(self.users), len(self.items))} as the id maps have, "
                f"got {self.matrix.shape}",
                field="matrix",
            )
        if self.timestamps is not None and len(self.timestamps) != self.matrix.nnz:
            raise InvalidArgumentError(
                f"timestamps: expected one for each of {self.matrix.nnz} entries, got {len(self.timestamps)}",
                field="timestamps",
            )

    @classmethod
    def from_coo(
        cls, users: Any, items: Any, values: Any = None, timestamps: Any = None, duplicates: Duplicates = "sum"
    ) -> Interactions:
        """Build from one row an event: `users[e]` met `items[e]` with weight `values[e]` (1 where None).

        Args:
            users: `[n]` ids: integers, strings or other hashable objects, in any container (see `IdMap.build`).
            items: `[n]` ids.
            values: `[n]` finite numbers that float32 can hold.
            timestamps: `[n]` datetime64, Arrow timestamps, datetimes, or integer microseconds since 1970.
            duplicates: what rows of the same pair become: their sum, the last of them (the latest where there are
                timestamps, else the last row) or their max. The pair's timestamp is the latest in any case.

        Raises:
            InvalidArgumentError: missing ids, lengths that differ, or values that are not finite.
        """
        user_map, rows = IdMap.build(users, "users")
        item_map, columns = IdMap.build(items, "items")
        return _assemble(user_map, item_map, rows, columns, values=values, timestamps=timestamps, duplicates=duplicates)

    @classmethod
    def from_csr(cls, csr: Any) -> Interactions:
        """Take a SciPy sparse matrix `[n_users, n_items]`; its row and column numbers are the ids.

        Canonical float32 CSR is shared, not copied: leave it unchanged afterwards.
        """
        matrix = Csr.from_scipy(csr, "csr")
        return cls(IdMap.range(matrix.shape[0]), IdMap.range(matrix.shape[1]), matrix)

    @classmethod
    def from_events(
        cls, events: Any, weights: Mapping[str, float] | None = None, half_life: timedelta | None = None
    ) -> Interactions:
        """Weigh events by type and age, and add up those of each pair.

        Args:
            events: cleaned events, a batch or what `EventBatch.from_arrow` takes; those of a type that `weights` does not
                name are ignored.
            weights: event type → weight; by default view and click 1, wishlist 2, cart 3, buy 5, refund -5, and 1 for
                events of a log without types. Pairs whose sum is not above 0 (bought and refunded) are dropped; their
                user and item stay in the maps.
            half_life: an event this much older than the last one weighs half: w * 2^(-age / half_life).

        Raises:
            InvalidArgumentError: an unknown type in `weights`, no event that counts, missing ids, or `half_life` with
                events without a time.
        """
        counted = weigh(as_events(events), weights)
        user_map, rows = IdMap.build(counted.users, "user_id")
        item_map, columns = IdMap.build(counted.items, "item_id")
        decayed = decay(counted.weights, counted.timestamps, half_life)
        return add_up(user_map, item_map, rows, columns, weights=decayed, timestamps=counted.timestamps)

    def aligned(
        self,
        users: Any,
        items: Any,
        values: Any = None,
        timestamps: Any = None,
        duplicates: Duplicates = "sum",
        *,
        unknown: Literal["error", "drop"] = "error",
    ) -> Interactions:
        """Other interactions under these id maps, such as a test set that came apart from its training set.

        Args:
            users: as in `from_coo`.
            items: as in `from_coo`.
            values: as in `from_coo`.
            timestamps: as in `from_coo`.
            duplicates: as in `from_coo`.
            unknown: what to do with rows whose user or item the maps do not know: refuse or leave out.
        """
        rows, columns = self.users.indices_of(users), self.items.indices_of(items)
        _check_lengths(len(rows), len(columns), values, timestamps)
        known = (rows >= 0) & (columns >= 0)
        if not known.all():
            if unknown != "drop":
                raise InvalidArgumentError(
                    f"users, items: expected ids of these interactions, got {int((~known).sum())} of {len(known)} rows "
                    "with another; pass unknown='drop' to leave them out",
                    field="unknown",
                )
            values = None if values is None else _numbers(values)[known]
            timestamps = None if timestamps is None else times_to_us(timestamps, "timestamps")[known]
            rows, columns = rows[known], columns[known]
        return _assemble(
            self.users, self.items, rows, columns, values=values, timestamps=timestamps, duplicates=duplicates
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.n_users:,} users, {self.n_items:,} items, {self.nnz:,} entries)"

    @property
    def is_mapped(self) -> bool:
        """Whether the matrix and its transpose lie in files, so that they need not fit into memory."""
        return False

    @property
    def n_users(self) -> int:
        """The number of users, those without an entry included."""
        return self.matrix.shape[0]

    @property
    def n_items(self) -> int:
        """The number of items, those without an entry included."""
        return self.matrix.shape[1]

    @property
    def nnz(self) -> int:
        """The number of entries."""
        return self.matrix.nnz

    @cached_property
    def by_item(self) -> Csr:
        """The matrix transposed, `[n_items, n_users]`; computed once. O(nnz)."""
        return self.matrix.transpose()

    def rows(self) -> Int32Array:
        """The user index of each entry, int32 `[nnz]`."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.matrix.indptr))

    def with_matrix(self, matrix: Csr, timestamps: Int64Array | None = None) -> Interactions:
        """Other entries under the same id maps; `matrix` is CSR `[n_users, n_items]`."""
        return Interactions(self.users, self.items, matrix, timestamps)

    def where(self, mask: BoolArray) -> Interactions:
        """The entries where `mask`, bool `[nnz]`, holds, under the same id maps. O(nnz)."""
        if mask.shape != (self.nnz,) or mask.dtype != np.bool_:
            raise InvalidArgumentError(
                f"mask: expected bool [{self.nnz}], got {mask.dtype} {list(mask.shape)}", field="mask"
            )
        before = np.zeros(self.nnz + 1, np.int64)
        np.cumsum(mask, out=before[1:])
        kept = replace(
            self.matrix,
            indptr=before[self.matrix.indptr],
            indices=self.matrix.indices[mask],
            values=self.matrix.values[mask],
        )
        return self.with_matrix(kept, None if self.timestamps is None else self.timestamps[mask])

    def subset_users(self, user_indices: Any) -> Interactions:
        """The entries of these users alone, under the same id maps: the rows of all others are empty."""
        indices = np.asarray(user_indices)
        if indices.ndim != 1 or (indices.dtype.kind not in "iu" and len(indices)):
            raise InvalidArgumentError(
                f"user_indices: expected 1-d integers, got {indices.ndim}-d {indices.dtype}", field="user_indices"
            )
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < self.n_users:
            raise InvalidArgumentError(
                f"user_indices: expected numbers in [0, {self.n_users}), got {indices.min()} to {indices.max()}",
                field="user_indices",
            )
        chosen = np.zeros(self.n_users, np.bool_)
        chosen[indices.astype(np.int64)] = True
        return self.where(np.repeat(chosen, np.diff(self.matrix.indptr)))


def add_up(
    users: IdMap,
    items: IdMap,
    rows: Int32Array,
    columns: Int32Array,
    *,
    weights: Float64Array,
    timestamps: Int64Array | None,
) -> Interactions:
    """The sum of the weights of each pair, without the pairs whose sum is not above 0."""
    summed = _assemble(users, items, rows, columns, values=weights, timestamps=timestamps, duplicates="sum")
    liked = summed.matrix.values > 0
    return summed if liked.all() else summed.where(liked)


def _assemble(
    users: IdMap, items: IdMap, rows: Int32Array, columns: Int32Array, *, values: Any, timestamps: Any, duplicates: str
) -> Interactions:
    if duplicates not in get_args(Duplicates):
        raise InvalidArgumentError(f"duplicates: expected sum, last or max, got {duplicates!r}", field="duplicates")
    _check_lengths(len(rows), len(columns), values, timestamps)
    numbers = None if values is None else _numbers(values)
    shape = (len(users), len(items))
    if timestamps is None:
        single = np.ones(len(rows), np.float32) if numbers is None else numbers.astype(np.float32)
        matrix = Csr.from_coo(rows, columns, single, shape, duplicates)
        _refuse_beyond_single(matrix.values)
        return Interactions(users, items, matrix)
    times = times_to_us(timestamps, "timestamps")
    return Interactions(users, items, *_merge_timed(rows, columns, numbers, times, shape=shape, duplicates=duplicates))


def _merge_timed(
    rows: Int32Array,
    columns: Int32Array,
    values: Float64Array | None,
    times: Int64Array,
    *,
    shape: tuple[int, int],
    duplicates: str,
) -> tuple[Csr, Int64Array]:
    """Canonical CSR of events with times, and the latest time of each entry; sums are taken in float64."""
    pairs = rows.astype(np.int64) * shape[1] + columns
    # Sorting by time as well costs three times as much, and only "last" asks for it.
    order = np.lexsort((times, pairs)) if duplicates == "last" else np.argsort(pairs, kind="stable")
    pairs, times = pairs[order], times[order]
    ordered = np.ones(len(order)) if values is None else values[order]
    if len(pairs):
        first = np.flatnonzero(np.concatenate([[True], pairs[1:] != pairs[:-1]]))
        if duplicates == "last":
            ordered = ordered[np.append(first[1:], len(pairs)) - 1]
        else:
            ordered = (np.add if duplicates == "sum" else np.maximum).reduceat(ordered, first)
        pairs, times = pairs[first], np.maximum.reduceat(times, first)
    indptr = np.zeros(shape[0] + 1, np.int64)
    entry_rows, entry_columns = np.divmod(pairs, max(shape[1], 1))
    np.cumsum(np.bincount(entry_rows, minlength=shape[0]), out=indptr[1:])
    _refuse_beyond_single(ordered)
    return Csr(indptr, entry_columns.astype(np.int32), ordered.astype(np.float32), shape), times


def _check_lengths(users: int, items: int, values: Any, timestamps: Any) -> None:
    lengths = {"users": users, "items": items}
    for name, rows in (("values", values), ("timestamps", timestamps)):
        if rows is not None:
            try:
                lengths[name] = len(rows)
            except TypeError:
                raise InvalidArgumentError(f"{name}: expected one for each row, got {rows!r}", field=name) from None
    if len(set(lengths.values())) > 1:
        raise InvalidArgumentError(
            f"{', '.join(lengths)}: expected equal lengths, got {', '.join(map(str, lengths.values()))}", field="items"
        )


def _numbers(values: Any) -> Float64Array:
    """float64 values that float32 can hold; negative zero becomes zero."""
    numbers = np.asarray(values)
    if numbers.ndim != 1 or (numbers.dtype.kind not in "biuf" and len(numbers)):
        raise InvalidArgumentError(
            f"values: expected a 1-d array of real numbers, got {numbers.ndim}-d {numbers.dtype}", field="values"
        )
    numbers = numbers.astype(np.float64) + 0.0
    _refuse_beyond_single(numbers)
    return numbers


def _refuse_beyond_single(numbers: AnyArray) -> None:
    beyond = ~(np.abs(numbers) <= np.finfo(np.float32).max)
    if beyond.any():
        at = int(np.flatnonzero(beyond)[0])
        raise InvalidArgumentError(
            f"values: expected finite numbers within float32, got {numbers[at]} at entry {at}; "
            "recocore.data.clean(events) sets such events aside",
            field="values",
        )
