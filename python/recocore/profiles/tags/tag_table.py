"""TagTable: the tags of all users, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from recocore.data import files
from recocore.errors import CorruptError
from recocore.profiles.tags.tag import Tag

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

COLUMNS: Final = {
    "name": pa.string(),
    "value": pa.string(),
    "weight": pa.float64(),
    "source": pa.string(),
    "updated": pa.timestamp("us", "UTC"),
    "version": pa.string(),
}


@dataclass(frozen=True, slots=True, eq=False)
class TagTable:
    """One row a user and tag, by user, then in the order of the definitions.

    Attributes:
        table: `user_id`, and the columns of `Tag`.
        errors: tag → for how many users its rule had no result, because a value that it looks at is missing.
    """

    table: pa.Table
    errors: Mapping[str, int]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def of(self, user_id: Any) -> list[Tag]:
        """The tags of one user; none for one who is not there."""
        ids = self.table.column("user_id")
        mine = self.table.filter(pc.equal(ids, pa.scalar(user_id, ids.type))).to_pylist()
        return [
            Tag(**{name: row[name] for name in COLUMNS if name != "updated"}, updated=row["updated"].astimezone(UTC))
            for row in mine
        ]

    def counts(self) -> dict[str, int]:
        """Tag → how many users have it, the most frequent first."""
        counted = pc.value_counts(self.table.column("name")).to_pylist()
        return {
            entry["values"]: entry["counts"] for entry in sorted(counted, key=lambda e: (-e["counts"], e["values"]))
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one Parquet file; it appears whole or not at all."""
        files.write_parquet(self.table, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TagTable:
        """Read what `save` wrote; the counts of errors are not in it.

        Raises:
            NotFoundError: no such file.
            CorruptError: not Parquet, damaged, or not a table of tags.
        """
        source = files.open_parquet(path)
        if source.schema.names != ["user_id", *COLUMNS]:
            raise CorruptError(f"{path}: expected tags that TagTable.save wrote, got another Parquet file")
        return cls(files.read_parquet(source, path, source.schema.names), {})
