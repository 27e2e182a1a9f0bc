"""External ids ↔ internal indices: the one place where they meet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore import _native
from recocore.data.buffers import flat, integers
from recocore.data.id_column import id_column
from recocore.errors import CorruptError, InvalidArgumentError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from recocore.types import BoolArray, Int32Array, Int64Array, UInt8Array

IdKind: TypeAlias = Literal["range", "integer", "string", "object"]

_MAX_IDS = np.iinfo(np.int32).max
_KIND, _SIZE = b"recocore.ids.kind", b"recocore.ids.size"


class IdMap(ABC):
    """An immutable one-to-one map between external ids and the indices 0 .. n-1.

    Indices are given in sorted id order (integers by value, strings by their UTF-8 bytes), so that the map does not
    depend on the order of the rows, and "index ascending" is "id ascending". Four kinds:

    - range: the ids are 0 .. n-1; nothing is stored;
    - integer: a sorted int64 array, which may be memory-mapped;
    - string: a sorted Arrow LargeString array, which may be memory-mapped;
    - object: any other hashable ids in a dictionary, sorted if they compare, else in order of first appearance.

    A lookup of one id takes O(log n) and builds nothing. Clients of the service have ids only as text, so that integer
    and range maps also know an id by its decimal text: "42" is 42, while "042", "+42" and "4 2" are unknown.

    Example:
        >>> users, codes = IdMap.build(["bob", "ann", "bob"])
        >>> codes.tolist(), users.kind, len(users)
        ([1, 0, 1], 'string', 2)
        >>> users.index_of("bob"), users.index_of("eve"), users.id_of(0)
        (1, -1, 'ann')
    """

    __slots__ = ()

    @staticmethod
    def build(ids: Any, argument: str = "ids") -> tuple[IdMap, Int32Array]:
        """Make the map of the distinct ids, and the index of each row.

        Args:
            ids: `[n]` integers, strings or other hashable ids, in a list, a NumPy array, or an Arrow, pandas or polars
                column; ten million integers or strings need no Python loop. Ids that are just 0 .. n-1 give a range.
            argument: the name that errors use.

        Returns:
            The map and int32 `[n]` indices.

        Raises:
            InvalidArgumentError: missing or empty ids (with counts), floats, booleans, integers above int64, integers
                mixed with strings, or 2**31 distinct ids.
        """
        column = id_column(ids, argument)
        if isinstance(column, np.ndarray):
            return _build_integers(column, argument)
        if isinstance(column, list):
            return _build_objects(column, argument)
        return _build_strings(column, argument)

    @staticmethod
    def range(n: int) -> IdMap:
        """The map whose ids are the numbers 0 .. n-1."""
        if not 0 <= n <= _MAX_IDS:
            raise InvalidArgumentError(f"n: expected 0 <= n < 2**31, got {n}", field="n")
        return _RangeIds(n)

    @staticmethod
    def from_arrow(table: pa.Table) -> IdMap:
        """The map that `to_arrow` wrote; its arrays are those of the table, copied only if they came in pieces.

        Raises:
            CorruptError: no such table, or ids that are not strictly ascending. O(n), one pass.
        """
        metadata = table.schema.metadata or {}
        kind = metadata.get(_KIND, b"").decode(errors="replace")
        try:
            if kind == "range":
                return IdMap.range(int(metadata.get(_SIZE, b"")))
            column = table.column("id")
            ids = flat(column)
            if kind == "integer" and ids.type == pa.int64() and ids.null_count == 0:
                return _IntegerIds(_ascending(integers(ids)))
            if kind == "string" and ids.type in {pa.string(), pa.large_string()} and ids.null_count == 0:
                return _StringIds.of(_ascending(ids.cast(pa.large_string())))
        except (KeyError, ValueError) as error:
            raise CorruptError(f"id map: expected the table of IdMap.to_arrow, got {error}") from None
        raise CorruptError(f"id map: expected kind range, integer or string, got {kind!r} with {table.schema.names}")

    @property
    @abstractmethod
    def kind(self) -> IdKind:
        """How the ids are kept: range, integer, string or object."""

    @abstractmethod
    def __len__(self) -> int: ...

    def __repr__(self) -> str:
        return f"IdMap({len(self):,} ids of kind {self.kind})"

    @abstractmethod
    def index_of(self, id: Hashable) -> int:
        """The index of one id, -1 where it is unknown.

        Raises:
            InvalidArgumentError: a type that can never be an id of this map, such as an integer where ids are strings.
        """

    @abstractmethod
    def indices_of(self, ids: Any) -> Int32Array:
        """The index of each id, -1 where it is unknown; int32 `[n]`. Takes what `build` takes."""

    @abstractmethod
    def ids_of(self, indices: Any) -> list[Any]:
        """The ids at `indices`, integers `[n]` in [0, len)."""

    @abstractmethod
    def to_arrow(self) -> pa.Table:
        """A table that `from_arrow` reads, for Arrow IPC or Parquet; its schema's metadata names the kind.

        Raises:
            UnsupportedError: ids that are neither integers nor strings.
        """

    def id_of(self, index: int) -> Any:
        """The id at one index."""
        return self.ids_of([index])[0]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _RangeIds(IdMap):
    size: int

    @property
    def kind(self) -> IdKind:
        return "range"

    def __len__(self) -> int:
        return self.size

    def index_of(self, id: Hashable) -> int:
        number = _as_integer(id)
        return number if number is not None and 0 <= number < self.size else -1

    def indices_of(self, ids: Any) -> Int32Array:
        numbers, known = _as_integers(ids)
        return np.where(known & (numbers >= 0) & (numbers < self.size), numbers, -1).astype(np.int32)

    def ids_of(self, indices: Any) -> list[Any]:
        return list(_checked(indices, self.size).tolist())

    def to_arrow(self) -> pa.Table:
        return _table(pa.array([], pa.int64()), self.kind, self.size)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _IntegerIds(IdMap):
    values: Int64Array

    @property
    def kind(self) -> IdKind:
        return "integer"

    def __len__(self) -> int:
        return len(self.values)

    def index_of(self, id: Hashable) -> int:
        number = _as_integer(id)
        if number is None:
            return -1
        at = int(np.searchsorted(self.values, number))
        return at if at < len(self.values) and self.values[at] == number else -1

    def indices_of(self, ids: Any) -> Int32Array:
        numbers, known = _as_integers(ids)
        if len(self.values) == 0:
            return np.full(len(numbers), -1, np.int32)
        at = np.minimum(np.searchsorted(self.values, numbers), len(self.values) - 1)
        return np.where(known & (self.values[at] == numbers), at, -1).astype(np.int32)

    def ids_of(self, indices: Any) -> list[Any]:
        return list(self.values[_checked(indices, len(self))].tolist())

    def to_arrow(self) -> pa.Table:
        return _table(pa.array(self.values), self.kind, len(self))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _StringIds(IdMap):
    strings: pa.LargeStringArray
    offsets: Int64Array
    data: UInt8Array

    @classmethod
    def of(cls, strings: pa.LargeStringArray) -> _StringIds:
        return cls(strings, *_layout(strings))

    @property
    def kind(self) -> IdKind:
        return "string"

    def __len__(self) -> int:
        return len(self.strings)

    def index_of(self, id: Hashable) -> int:
        if not isinstance(id, str):
            raise InvalidArgumentError(f"id: expected a string as the ids of this map are, got {id!r}", field="id")
        try:
            text = id.encode()
        except UnicodeEncodeError:
            return -1
        found = _native.find_sorted_bytes(
            self.offsets, self.data, np.array([0, len(text)], np.int64), np.frombuffer(text, np.uint8)
        )
        return int(found[0])

    def indices_of(self, ids: Any) -> Int32Array:
        if plain := _layout_of_texts(ids):
            return _native.find_sorted_bytes(self.offsets, self.data, *plain)
        column = id_column(ids, allow_empty=True)
        if len(column) == 0:
            return np.empty(0, np.int32)
        if not isinstance(column, pa.LargeStringArray):
            raise InvalidArgumentError(
                "ids: expected strings as the ids of this map are; convert with str", field="ids"
            )
        return _native.find_sorted_bytes(self.offsets, self.data, *_layout(column))

    def ids_of(self, indices: Any) -> list[Any]:
        # Not by pa.compute.take, which takes 60 us for ten; nor pa.array: see _layout_of_texts.
        return _native.texts_at(self.offsets, self.data, _checked(indices, len(self)))

    def to_arrow(self) -> pa.Table:
        return _table(self.strings, self.kind, len(self))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _ObjectIds(IdMap):
    objects: tuple[Hashable, ...]
    lookup: dict[Hashable, int]

    @property
    def kind(self) -> IdKind:
        return "object"

    def __len__(self) -> int:
        return len(self.objects)

    def index_of(self, id: Hashable) -> int:
        try:
            return self.lookup.get(id, -1)
        except TypeError:
            raise InvalidArgumentError(f"id: expected a hashable id, got {id!r}", field="id") from None

    def indices_of(self, ids: Any) -> Int32Array:
        return np.fromiter((self.index_of(id) for id in ids), np.int32)

    def ids_of(self, indices: Any) -> list[Any]:
        return [self.objects[index] for index in _checked(indices, len(self)).tolist()]

    def to_arrow(self) -> pa.Table:
        raise UnsupportedError(
            f"ids of type {type(self.objects[0]).__name__} cannot be saved; use strings or integers as ids"
        )


def _build_integers(numbers: Int64Array, argument: str) -> tuple[IdMap, Int32Array]:
    if len(numbers) == 0:
        return _RangeIds(0), np.empty(0, np.int32)
    low, high = int(numbers.min()), int(numbers.max())
    if high - low <= 4 * len(numbers):
        # Dense ids: a table over the span is several times faster than a sort.
        present = np.zeros(high - low + 1, np.bool_)
        present[numbers - low] = True
        values = np.flatnonzero(present) + low
        codes = (np.cumsum(present, dtype=np.int64) - 1)[numbers - low]
    else:
        values, codes = np.unique(numbers, return_inverse=True)
    _refuse_too_many(len(values), argument)
    if low == 0 and high == len(values) - 1:
        return _RangeIds(len(values)), codes.astype(np.int32)
    return _IntegerIds(values.astype(np.int64, copy=False)), codes.astype(np.int32)


def _build_strings(strings: pa.LargeStringArray, argument: str) -> tuple[IdMap, Int32Array]:
    encoded = strings.dictionary_encode()
    distinct = encoded.dictionary
    _refuse_too_many(len(distinct), argument)
    try:
        distinct.validate(full=True)
    except pa.ArrowInvalid as error:
        raise InvalidArgumentError(f"{argument}: expected UTF-8 strings, got {error}", field=argument) from None
    order = pc.sort_indices(distinct)
    rank = np.empty(len(distinct), np.int32)
    rank[order.to_numpy()] = np.arange(len(distinct), dtype=np.int32)
    return _StringIds.of(distinct.take(order)), rank[encoded.indices.to_numpy()]


def _build_objects(objects: list[Hashable], argument: str) -> tuple[IdMap, Int32Array]:
    try:
        distinct: list[Any] = list(dict.fromkeys(objects))
    except TypeError as error:
        raise InvalidArgumentError(f"{argument}: expected hashable ids, got {error}", field=argument) from None
    try:
        distinct.sort()
    except TypeError:
        distinct = list(dict.fromkeys(objects))
    lookup = {id: index for index, id in enumerate(distinct)}
    codes = np.fromiter((lookup[id] for id in objects), np.int32, len(objects))
    return _ObjectIds(tuple(distinct), lookup), codes


def _refuse_too_many(distinct: int, argument: str) -> None:
    if distinct > _MAX_IDS:
        raise InvalidArgumentError(
            f"{argument}: expected fewer than 2**31 distinct ids, got {distinct}", field=argument
        )


def _as_integer(id: Hashable) -> int | None:
    """The number that an integer or its decimal text means, None for any other text and beyond int64."""
    if isinstance(id, str):
        # The length bounds int(), whose time grows with the square of it.
        digits = id.removeprefix("-")
        if not (len(digits) <= 19 and digits.isascii() and digits.isdigit()) or str(int(id)) != id:
            return None
        id = int(id)
    if isinstance(id, (bool, np.bool_)) or not isinstance(id, (int, np.integer)):
        raise InvalidArgumentError(f"id: expected an integer or its decimal text, got {id!r}", field="id")
    return int(id) if -(2**63) <= int(id) < 2**63 else None


def _as_integers(ids: Any) -> tuple[Int64Array, BoolArray]:
    """The number of each id, and whether it is one."""
    if _are_texts(ids):
        texts: Sequence[str] = ids
    else:
        column = id_column(ids, allow_empty=True)
        if isinstance(column, np.ndarray):
            return column, np.ones(len(column), np.bool_)
        if isinstance(column, list):
            raise InvalidArgumentError("ids: expected integers as the ids of this map are", field="ids")
        texts = column.to_pylist()
    numbers = [_as_integer(text) for text in texts]
    known = np.array([number is not None for number in numbers], np.bool_)
    return np.array([number or 0 for number in numbers], np.int64), known


def _checked(indices: Any, size: int) -> Int64Array:
    taken = np.asarray(indices)
    if taken.ndim != 1 or (taken.dtype.kind not in "iu" and len(taken)):
        raise InvalidArgumentError(f"indices: expected 1-d integers, got {taken.ndim}-d {taken.dtype}", field="indices")
    if len(taken) and not 0 <= int(taken.min()) <= int(taken.max()) < size:
        raise InvalidArgumentError(
            f"indices: expected numbers in [0, {size}), got {taken.min()} to {taken.max()}", field="indices"
        )
    return taken.astype(np.int64)


def _ascending(ids: Any) -> Any:
    arrow = isinstance(ids, pa.Array)
    if not (pc.all(pc.less(ids[:-1], ids[1:]), min_count=0).as_py() if arrow else np.all(ids[:-1] < ids[1:])):
        raise CorruptError("id map: expected strictly ascending ids, got them out of order")
    return ids


def _are_texts(ids: Any) -> bool:
    """Whether this is a list of nothing but strings.

    What a server is asked comes so. Through `pa.array` it would be right too, but that imports pandas wherever it is installed:
    28 MB in each server process, and 0.2 s of the first answer.
    """
    return isinstance(ids, (list, tuple)) and len(ids) > 0 and all(type(id) is str for id in ids)


def _layout_of_texts(ids: Any) -> tuple[Int64Array, UInt8Array] | None:
    """Offsets and bytes of a list of nothing but strings; None for anything else."""
    if not _are_texts(ids):
        return None
    try:
        encoded = [id.encode() for id in ids]
    except UnicodeEncodeError:
        return None  # which the other way refuses by name
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(id) for id in encoded], out=offsets[1:])
    return offsets, np.frombuffer(b"".join(encoded), np.uint8)


def _layout(strings: pa.LargeStringArray) -> tuple[Int64Array, UInt8Array]:
    """Arrow's offsets and bytes as NumPy views; a slice keeps its place by its offsets."""
    _, offsets, data = strings.buffers()
    if offsets is None or offsets.size == 0:
        return np.zeros(1, np.int64), np.empty(0, np.uint8)
    starts = np.frombuffer(offsets, np.int64)[strings.offset : strings.offset + len(strings) + 1]
    return starts, np.frombuffer(data if data is not None else b"", np.uint8)


def _table(ids: pa.Array, kind: str, size: int) -> pa.Table:
    metadata = {_KIND: kind.encode(), _SIZE: str(size).encode()}
    return pa.table({"id": ids}, schema=pa.schema([pa.field("id", ids.type, nullable=False)], metadata=metadata))
