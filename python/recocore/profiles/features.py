"""Features: the columns of profiles as expressions, tags and segments read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.profiles.table import ProfileTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from recocore.expressions import Kind
    from recocore.types import AnyArray, Float64Array

_DAY_US = 86_400_000_000


class Features(Mapping[str, "AnyArray"]):
    """A mapping of feature names to arrays of one length, each made when it is first asked for.

    Numbers are float64 (NaN is missing), texts and flags objects (None is missing). A time `x` is there as
    `days_since_x`, its age at `as_of` in days. An interest vector `interest_x` gives `top_x`, the strongest name, and
    `top_x_share`, its part of the sum of all. Other lists are no features.

    Args:
        profiles: what `build` or `Updater.table` gave, or an Arrow table with a column `user_id`, which names no `as_of`.
        further: Arrow tables with more columns of the same users in the same order, such as `lifetime_features`.
        as_of: microseconds since 1970, where `profiles` is an Arrow table.

    Example:
        >>> table = pa.table({"user_id": ["ann", "bob"], "n_orders": [3, None], "lifecycle": ["active", "lost"]})
        >>> features = Features(table)
        >>> features.kinds, features["n_orders"].tolist()
        ({'n_orders': 'number', 'lifecycle': 'text'}, [3.0, nan])
    """

    def __init__(self, profiles: ProfileTable | pa.Table, *further: pa.Table, as_of: int | None = None) -> None:
        if isinstance(profiles, ProfileTable):
            first, as_of = profiles.table, profiles.as_of
        else:
            first = profiles
        if "user_id" not in first.column_names:
            raise InvalidArgumentError(
                f"profiles: expected a column user_id, got {', '.join(first.column_names)}", field="profiles"
            )
        self.users: pa.ChunkedArray = first.column("user_id")
        for table in further:
            if table.num_rows != first.num_rows or not table.column("user_id").equals(self.users):
                raise InvalidArgumentError(
                    f"further: expected the {first.num_rows:,} users of profiles in their order, got {table.num_rows:,} rows "
                    "of others",
                    field="further",
                )
        self._tables = (first, *further)
        self._as_of = as_of
        self._makers: dict[str, Callable[[], AnyArray]] = {}
        self._made: dict[str, AnyArray] = {}
        self.kinds: dict[str, Kind] = {}
        for table in self._tables:
            for field in table.schema:
                if field.name != "user_id":
                    self._offer(table, field.name, field.type)

    def _offer(self, table: pa.Table, name: str, kind: pa.DataType) -> None:
        column = table.column(name)
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            self._add(name, "number", partial(_numbers, column))
        elif pa.types.is_boolean(kind):
            self._add(name, "flag", partial(_objects, column))
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            self._add(name, "text", partial(_objects, column))
        elif pa.types.is_timestamp(kind) and self._as_of is not None:
            self._add(f"days_since_{name}", "number", partial(_ages, column, self._as_of))
        elif pa.types.is_list(kind) and f"{name}_total" in table.column_names:
            bare = name.removeprefix("interest_")
            self._add(f"top_{bare}", "text", partial(_strongest, column))
            self._add(f"top_{bare}_share", "number", partial(_share, column, table.column(f"{name}_total")))

    def _add(self, name: str, kind: Kind, maker: Callable[[], AnyArray]) -> None:
        self._makers[name] = maker
        self.kinds[name] = kind

    def __getitem__(self, name: str) -> AnyArray:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    @property
    def as_of(self) -> int | None:
        """Microseconds since 1970 of the profiles, None where they do not say."""
        return self._as_of

    @property
    def rows(self) -> int:
        """How many users there are."""
        return len(self.users)

    def numbers(self, name: str) -> Float64Array:
        """One feature of numbers.

        Raises:
            NotFoundError: no feature has this name.
            InvalidArgumentError: it holds no numbers.
        """
        if name not in self:
            raise NotFoundError(f"features: expected one of {', '.join(sorted(self))}, got {name!r}")
        if self.kinds[name] != "number":
            raise InvalidArgumentError(
                f"features: expected numbers, got {name}, which holds {self.kinds[name]}s", field="features"
            )
        values: Float64Array = self[name]
        return values

    def row(self, user_id: Any) -> dict[str, object]:
        """The features of one user as plain values, None where one is missing.

        Raises:
            NotFoundError: no such user.
        """
        at = self.position(user_id)
        first, *further = (table.slice(at, 1) for table in self._tables)
        single = Features(first, *further, as_of=self._as_of)
        return {name: _plain(values[0]) for name, values in single.items()}

    def position(self, user_id: Any) -> int:
        """The row of a user.

        Raises:
            NotFoundError: no such user.
        """
        try:
            wanted = pa.scalar(user_id, self.users.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            raise InvalidArgumentError(
                f"user_id: expected one of {self.users.type}, got {user_id!r}", field="user_id"
            ) from None
        found = int(pc.index(self.users, wanted).as_py())
        if found < 0:
            raise NotFoundError(f"user_id: no profile of {user_id!r}")
        return found


def _numbers(column: pa.ChunkedArray) -> Float64Array:
    return np.asarray(pc.fill_null(column.cast(pa.float64(), safe=False), np.nan).to_numpy(), np.float64)


def _objects(column: pa.ChunkedArray) -> AnyArray:
    values = np.empty(len(column), object)
    values[:] = column.to_pylist()
    return values


def _ages(column: pa.ChunkedArray, as_of: int) -> Float64Array:
    return np.asarray((as_of - _numbers(column.cast(pa.int64()))) / _DAY_US, np.float64)


def _firsts(column: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """The entries of all lists, and the place of each list's first one, null where it has none."""
    whole = column.combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(whole), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return whole.flatten(), pa.array(np.cumsum(lengths) - lengths, mask=lengths == 0)


def _strongest(column: pa.ChunkedArray) -> AnyArray:
    entries, firsts = _firsts(column)
    return _objects(pc.struct_field(entries, "name").take(firsts))


def _share(column: pa.ChunkedArray, total: pa.ChunkedArray) -> Float64Array:
    entries, firsts = _firsts(column)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = _numbers(pc.struct_field(entries, "weight").take(firsts)) / _numbers(total)
    return np.where(np.isfinite(share), share, np.nan)


def _plain(value: Any) -> object:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and np.isnan(value) else value
