"""What is known of items beside who had them: texts, numbers and flags, by field.

Files of an index that has some, with n the place of a field in the sorted names:

    attributes.fields.arrow                    the names of the fields, an id map
    attributes.kinds.npy                       int8 [fields], positions in KINDS
    attributes.<n>.words.arrow                 of a text, its distinct values, an id map
    attributes.<n>.{indptr,codes}.npy          of a text, the words of each item
    attributes.<n>.values.npy                  of a number, float64 [m], NaN where there is none; of a flag, int8 [m], -1 there
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Self, TypeAlias

import numpy as np

from recocore.data import IdMap
from recocore.errors import CorruptError, InvalidArgumentError
from recocore.scoring.arrays import take

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recocore.types import AnyArray, Float64Array, Int32Array, Int64Array
    from recocore.types import BoolArray as Mask

FieldType: TypeAlias = Literal["text", "number", "flag"]

# Texts of a field that was given as lists come as a list.
AttributeValue: TypeAlias = str | list[str] | float | bool

PREFIX = "attributes."
FIELDS_FILE = "attributes.fields.arrow"
KINDS_FILE = "attributes.kinds.npy"


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """A field of text.

    Attributes:
        words: the distinct values.
        indptr: int64 `[m + 1]`; the words of item i are `codes[indptr[i]:indptr[i + 1]]`.
        codes: int32, indices of `words`; those of one item in the order in which they were given, each once.
        listed: whether the field was given as lists.
    """

    type: ClassVar[FieldType] = "text"
    words: IdMap
    indptr: Int64Array
    codes: Int32Array
    listed: bool

    def has(self) -> Mask:
        """Which items have a value, bool `[m]`."""
        found: Mask = self.indptr[1:] > self.indptr[:-1]
        return found

    def first(self) -> Int32Array:
        """The first word of each item, int32 `[m]`, -1 where it has none."""
        some = self.has()
        found = np.full(len(some), -1, np.int32)
        found[some] = self.codes[self.indptr[:-1][some]]
        return found

    def any_of(self, words: Sequence[str]) -> Mask:
        """Which items have one of the words, bool `[m]`. O(m + codes)."""
        wanted = np.zeros(len(self.words) + 1, np.bool_)
        wanted[self.words.indices_of(list(words))] = True
        wanted[-1] = False  # where unknown words point
        rows = np.searchsorted(self.indptr, np.flatnonzero(wanted[self.codes]), side="right") - 1
        found = np.zeros(len(self.indptr) - 1, np.bool_)
        found[rows] = True
        return found

    def values_of(self, items: Int32Array) -> list[AttributeValue | None]:
        """The value of each item, None where it has none."""
        spans = [slice(int(self.indptr[item]), int(self.indptr[item + 1])) for item in items.tolist()]
        words = iter(self.words.ids_of(np.concatenate([np.empty(0, np.int32), *(self.codes[span] for span in spans)])))
        found: list[AttributeValue | None] = []
        for span in spans:
            texts = [next(words) for _ in range(span.stop - span.start)]
            found.append((texts if self.listed else texts[0]) if texts else None)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A field of numbers: float64 `[m]`, NaN where an item has none."""

    type: ClassVar[FieldType] = "number"
    values: Float64Array

    def has(self) -> Mask:
        """Which items have a value, bool `[m]`."""
        return ~np.isnan(self.values)

    def values_of(self, items: Int32Array) -> list[AttributeValue | None]:
        """The value of each item, None where it has none."""
        return [None if value != value else value for value in self.values[items].tolist()]  # noqa: PLR0124  # NaN


@dataclass(frozen=True, slots=True, eq=False)
class Flags:
    """A field of flags: int8 `[m]`, 0 or 1, -1 where an item has none."""

    type: ClassVar[FieldType] = "flag"
    values: AnyArray

    def has(self) -> Mask:
        """Which items have a value, bool `[m]`."""
        found: Mask = self.values >= 0
        return found

    def values_of(self, items: Int32Array) -> list[AttributeValue | None]:
        """The value of each item, None where it has none."""
        return [None if value < 0 else bool(value) for value in self.values[items].tolist()]


Attribute: TypeAlias = Texts | Numbers | Flags

KINDS = ("text", "texts", "number", "flag")


class Attributes:
    """The attributes of all items of an index, immutable.

    Args:
        columns: fields by name.
    """

    def __init__(self, columns: Mapping[str, Attribute]) -> None:
        self.columns: dict[str, Attribute] = dict(sorted(columns.items()))

    @property
    def fields(self) -> Mapping[str, FieldType]:
        """The type of each field, by name."""
        return {name: column.type for name, column in self.columns.items()}

    def column(self, name: str, path: str) -> Attribute:
        """One field.

        Args:
            name: the field's.
            path: where a request names it, for the error.

        Raises:
            InvalidArgumentError: there is none of this name.
        """
        if (found := self.columns.get(name)) is None:
            have = ", ".join(f"{known} ({kind})" for known, kind in self.fields.items()) or "none"
            raise InvalidArgumentError(
                f"{path}: {name!r:.80} is no attribute of the items of this index; it has {have:.2000}", field=path
            )
        return found

    def groups(self, name: str, path: str) -> tuple[Int32Array, int]:
        """The group of each item by the first value of a text: int32 `[m]`, -1 for none, and how many there are; kept."""
        column = self.column(name, path)
        if not isinstance(column, Texts):
            raise InvalidArgumentError(
                f"{path}: expected a text, as groups are of equal texts, got the {column.type} {name!r}", field=path
            )
        found = self._groups.get(name)
        if found is None:
            words, numbers = np.unique(column.first(), return_inverse=True)
            unnamed = len(words) > 0 and words[0] == -1
            found = self._groups[name] = numbers.astype(np.int32) - np.int32(unnamed), len(words) - int(unnamed)
        return found

    def values_of(self, items: Int32Array, fields: Sequence[str] | None) -> list[dict[str, AttributeValue]]:
        """What is known of each item, by field; what has no value is left out.

        Raises:
            InvalidArgumentError: a field that is not there.
        """
        names = list(self.columns) if fields is None else list(fields)
        found: list[dict[str, AttributeValue]] = [{} for _ in range(len(items))]
        for at, name in enumerate(names):
            for values, value in zip(found, self.column(name, f"fields[{at}]").values_of(items), strict=True):
                if value is not None:
                    values[name] = value
        return found

    def files(self) -> tuple[dict[str, IdMap], dict[str, AnyArray]]:
        """Id maps and arrays by the names of their files; none where there is no field."""
        if not self.columns:
            return {}, {}
        maps = {FIELDS_FILE: IdMap.build(list(self.columns))[0]}
        kinds = [
            KINDS.index("texts" if isinstance(column, Texts) and column.listed else column.type)
            for column in self.columns.values()
        ]
        arrays: dict[str, AnyArray] = {KINDS_FILE: np.array(kinds, np.int8)}
        for at, column in enumerate(self.columns.values()):
            if isinstance(column, Texts):
                maps[f"{PREFIX}{at}.words.arrow"] = column.words
                arrays[f"{PREFIX}{at}.indptr.npy"] = column.indptr
                arrays[f"{PREFIX}{at}.codes.npy"] = column.codes
            else:
                arrays[f"{PREFIX}{at}.values.npy"] = column.values
        return maps, arrays

    @classmethod
    def from_files(cls, maps: Mapping[str, IdMap], arrays: Mapping[str, AnyArray], n_items: int) -> Self:
        """The attributes again from what `files` gave; arrays may be mapped. O(bytes).

        Raises:
            CorruptError: a file is missing, too many, or holds what it cannot; the message names it.
        """
        if not maps and not arrays:
            return cls({})
        kinds = take(arrays, KINDS_FILE, np.int8, (None,))
        names = _map_of(maps, FIELDS_FILE)
        if names.kind != "string" or len(names) != len(kinds):
            raise CorruptError(f"{FIELDS_FILE}: expected {len(kinds)} names, got {len(names)} {names.kind} ids")
        if len(kinds) == 0 or kinds.min() < 0 or kinds.max() >= len(KINDS):
            raise CorruptError(f"{KINDS_FILE}: expected numbers in [0, {len(KINDS)}), at least one")
        columns: dict[str, Attribute] = {}
        for at, (name, kind) in enumerate(zip(names.ids_of(range(len(names))), kinds.tolist(), strict=True)):
            columns[name] = _column(f"{PREFIX}{at}.", KINDS[kind], maps, arrays, n_items)
        found = cls(columns)
        if unknown := sorted({*maps, *arrays}.difference(*found.files())):
            raise CorruptError(f"{unknown[0]}: belongs to no attribute")
        return found

    @cached_property
    def _groups(self) -> dict[str, tuple[Int32Array, int]]:
        return {}


def _column(
    prefix: str, kind: str, maps: Mapping[str, IdMap], arrays: Mapping[str, AnyArray], n_items: int
) -> Attribute:
    if kind in {"text", "texts"}:
        words = _map_of(maps, f"{prefix}words.arrow")
        indptr = take(arrays, f"{prefix}indptr.npy", np.int64, (n_items + 1,))
        codes = take(arrays, f"{prefix}codes.npy", np.int32, (None,))
        if len(words) and words.kind != "string":
            raise CorruptError(f"{prefix}words: expected texts, got {words.kind} ids")
        if indptr[0] != 0 or indptr[-1] != len(codes) or (indptr[1:] < indptr[:-1]).any():
            raise CorruptError(f"{prefix}indptr: expected numbers that rise from 0 to {len(codes)}")
        if len(codes) and (codes.min() < 0 or codes.max() >= len(words)):
            raise CorruptError(f"{prefix}codes: expected numbers in [0, {len(words)})")
        if kind == "text" and len(codes) and np.diff(indptr).max() > 1:
            raise CorruptError(f"{prefix}indptr: expected at most one text an item")
        return Texts(words, indptr, codes, kind == "texts")
    if kind == "number":
        numbers = take(arrays, f"{prefix}values.npy", np.float64, (n_items,))
        if np.isinf(numbers).any():
            raise CorruptError(f"{prefix}values: expected numbers that are not infinite")
        return Numbers(numbers)
    flags = take(arrays, f"{prefix}values.npy", np.int8, (n_items,))
    if n_items and (flags.min() < -1 or flags.max() > 1):
        raise CorruptError(f"{prefix}values: expected flags 0, 1 or -1 for none")
    return Flags(flags)


def _map_of(maps: Mapping[str, IdMap], name: str) -> IdMap:
    if name not in maps:
        raise CorruptError(f"{name}: missing")
    return maps[name]
