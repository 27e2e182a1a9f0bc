"""ProfileTable: profiles at one moment, with what they were made by."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from recocore.data import files
from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.profiles.config import ProfileConfig
from recocore.profiles.cuts import CutPoints
from recocore.profiles.schema import profile_schema

if TYPE_CHECKING:
    import os

_KEY = b"recocore.profiles"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class ProfileTable:
    """One row a user, ascending by `user_id`; the columns are those of `recocore.profiles.profile_schema(config)`.

    Attributes:
        table: the profiles.
        as_of: microseconds since 1970: events before it count.
        config: what they were made by.
        cuts: the cut points of the scores: the configuration's, or those fitted to this table.
        currency: the ISO 4217 code of all money, None where no event says one.
        money_digits: decimals of the minor unit.

    Example:
        >>> from datetime import UTC, datetime
        >>> from recocore.profiles import build
        >>> events = pa.table({"user_id": ["ann"], "item_id": ["mug"], "type": ["buy"], "value": [7.5],
        ...                    "event_time": [datetime(2026, 3, 1, tzinfo=UTC)]})
        >>> profiles = build(events, as_of=datetime(2026, 3, 2, tzinfo=UTC))
        >>> row = profiles.row("ann")
        >>> row["spend_net"], row["rfm_recency"], row["lifecycle"]
        (750, 1.0, 'new')
    """

    table: pa.Table
    as_of: int
    config: ProfileConfig
    cuts: CutPoints
    currency: str | None
    money_digits: int

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        return (
            f"ProfileTable({len(self):,} users, {self.table.num_columns} columns, as of {self.as_of_time.isoformat()})"
        )

    @property
    def as_of_time(self) -> datetime:
        """`as_of` as a datetime in UTC."""
        return _EPOCH + timedelta(microseconds=self.as_of)

    def column(self, name: str) -> pa.ChunkedArray:
        """One column.

        Raises:
            NotFoundError: no column has this name.
        """
        if name not in self.table.column_names:
            raise NotFoundError(f"name: expected a column of profiles, got {name!r}; profile_schema(config) lists them")
        return self.table.column(name)

    def row(self, user_id: str | int) -> dict[str, Any]:
        """One user's profile as plain values. O(log users).

        Raises:
            NotFoundError: the user has no event before `as_of`.
        """
        ids = self.table.column("user_id")
        if isinstance(user_id, bool) or not isinstance(user_id, int if pa.types.is_integer(ids.type) else str):
            raise InvalidArgumentError(f"user_id: expected one of {ids.type}, got {user_id!r}", field="user_id")
        low, high = 0, len(ids)
        wanted: Any = user_id.encode() if isinstance(user_id, str) else user_id
        while low < high:
            middle = (low + high) // 2
            found = ids[middle].as_py()
            if (found.encode() if isinstance(found, str) else found) < wanted:
                low = middle + 1
            else:
                high = middle
        if low == len(ids) or ids[low].as_py() != user_id:
            raise NotFoundError(f"user_id: no profile of {user_id!r} as of {self.as_of_time.isoformat()}")
        return dict(self.table.slice(low, 1).to_pylist()[0])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one Parquet file, configuration and cut points in its metadata; it appears whole or not at all."""
        about = {
            "as_of": self.as_of,
            "config": self.config.to_json(),
            "cuts": self.cuts.to_body(),
            "currency": self.currency,
            "money_digits": self.money_digits,
        }
        files.write_parquet(self.table.replace_schema_metadata({_KEY: json.dumps(about).encode()}), path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ProfileTable:
        """Read what `save` wrote.

        Raises:
            NotFoundError: no such file.
            CorruptError: not Parquet, damaged, or not a table of profiles.
        """
        source = files.open_parquet(path)
        metadata = (source.schema.metadata or {}).get(_KEY)
        if metadata is None:
            raise CorruptError(f"{path}: expected profiles that ProfileTable.save wrote, got another Parquet file")
        table = files.read_parquet(source, path, source.schema.names).replace_schema_metadata(None)
        try:
            about = json.loads(metadata)
            loaded = cls(
                table,
                int(about["as_of"]),
                ProfileConfig.from_json(about["config"]),
                CutPoints.from_body(about["cuts"]),
                about["currency"],
                int(about["money_digits"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptError(f"{path}: expected profiles that ProfileTable.save wrote, got {error}") from error
        expected = profile_schema(loaded.config, table.schema.field("user_id").type)
        if table.schema.names != expected.names:
            raise CorruptError(f"{path}: its columns are not those of its configuration")
        return loaded
