"""Reading what is known of items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from recocore.data import latest_item_columns
from recocore.data.files import open_parquet, read_csv, read_parquet
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from recocore.data import EventBatch


def item_tables(path: str | None, id_column: str, events: EventBatch) -> list[pa.Table]:
    """The attributes of items: what a log says, then what a file does, which holds where both have a column.

    Args:
        path: a Parquet file, a folder of them or a CSV file, with a row an item; None for none.
        id_column: its column of ids.
        events: the log.

    Raises:
        NotFoundError: no such file.
        CorruptError: it cannot be read.
        InvalidArgumentError: it has no such column.
    """
    said = latest_item_columns(events)
    tables = [] if said is None else [said]
    if path is None:
        return tables
    if path.lower().endswith((".csv", ".csv.gz")):
        table = read_csv(path, {id_column: pa.string()})
    else:
        source = open_parquet(path)
        table = read_parquet(source, path, source.schema.names)
    if id_column not in table.column_names:
        raise InvalidArgumentError(
            f"items: expected a column {id_column} in {path}, got {', '.join(table.column_names)}; name the one that has the "
            "ids with --item-id",
            field="items",
        )
    others = [name for name in table.column_names if name not in {id_column, "item_id"}]
    return [*tables, table.select([id_column, *others]).rename_columns(["item_id", *others])]
