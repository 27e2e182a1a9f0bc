"""EventBatch: rows of the one event schema, from Arrow, Parquet or CSV."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from recocore.data import files
from recocore.data.coerce import TimeReading, TimeUnit, coded_texts, coerce
from recocore.data.schema import CODED_TEXT, DEFAULT_TYPE, EVENT_SCHEMA, ID_COLUMNS
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable

    from recocore.types import BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class EventBatch:
    """Events in the columns of `EVENT_SCHEMA`, as many of them as the source had, in the schema's order.

    `user_id`, `item_id` (string or int64) and `type` (never null) are always there. The schema is an allow-list: a
    source column outside of it is refused, unless `columns` maps it to a name of the schema or `drop_unmapped` says
    that what is not mapped is meant to go.

    The `from_` constructors share these arguments:

        columns: schema name → source name, for sources with other names; a schema name absent here keeps its own.
        drop_unmapped: leave out source columns that neither the schema nor `columns` names.
        time_unit: s, ms or us, for times that are numbers since 1970; a number without it is refused.
        timezone: an IANA name, for times without a zone; such a time without it is refused.

    Example:
        >>> source = pa.table({"who": ["ann", "bob"], "item_id": [7, 8], "at": [1_700_000_000, 1_700_000_060]})
        >>> events = EventBatch.from_arrow(source, columns={"user_id": "who", "event_time": "at"}, time_unit="s")
        >>> events.table.column_names, len(events)
        (['event_time', 'user_id', 'item_id', 'type'], 2)
        >>> events.column("event_time")[0].as_py().isoformat()
        '2023-11-14T22:13:20+00:00'
    """

    table: pa.Table

    def __post_init__(self) -> None:
        names = self.table.column_names
        wanted = [name for name in EVENT_SCHEMA.names if name in names]
        if names != wanted or not {"user_id", "item_id", "type"} <= set(names):
            raise InvalidArgumentError(
                f"table: expected columns of the event schema in its order, got {names}; use EventBatch.from_arrow",
                field="table",
            )
        for field in self.table.schema:
            wanted_type = EVENT_SCHEMA.field(field.name).type
            integer_id = field.name in ID_COLUMNS and field.type == pa.int64()
            coded = wanted_type == pa.string() and field.type == CODED_TEXT
            if field.type != wanted_type and not integer_id and not coded:
                raise InvalidArgumentError(
                    f"table: expected {field.name} as {wanted_type}, got {field.type}; use EventBatch.from_arrow",
                    field="table",
                )

    @classmethod
    def from_arrow(
        cls,
        table: Any,
        columns: Mapping[str, str] | None = None,
        *,
        drop_unmapped: bool = False,
        time_unit: TimeUnit | None = None,
        timezone: str | None = None,
        coded: Collection[str] = (),
    ) -> EventBatch:
        """Take a table of Arrow, or of anything that exports Arrow (pandas, polars). Columns that fit are not copied.

        Args:
            table: the rows.
            columns: as above, like the next three.
            drop_unmapped: see there.
            time_unit: see there.
            timezone: see there.
            coded: text columns that stay dictionary-encoded (int32 codes of strings) where the source has them so, for a
                reader that wants codes; all others are decoded.

        Raises:
            InvalidArgumentError: a column that is missing, unknown or of a type that the schema's type cannot hold.
        """
        times = TimeReading(time_unit, timezone)
        source = as_table(table)
        picked = _pick(source.column_names, _mapping(columns), drop_unmapped)

        def take(name: str) -> pa.ChunkedArray:
            column = source.column(picked[name])
            texts = coded_texts(column) if name in coded else None
            return texts if texts is not None else coerce(column, name, _label(name, picked[name]), times)

        taken = {name: take(name) for name in EVENT_SCHEMA.names if name in picked}
        if "type" in taken:
            if taken["type"].null_count:
                taken["type"] = pc.fill_null(taken["type"].cast(pa.string()), DEFAULT_TYPE)
        else:
            taken["type"] = pa.chunked_array([pa.repeat(DEFAULT_TYPE, source.num_rows)])
        return cls(pa.table({name: taken[name] for name in EVENT_SCHEMA.names if name in taken}))

    @classmethod
    def from_parquet(
        cls,
        path: str | os.PathLike[str],
        columns: Mapping[str, str] | None = None,
        *,
        drop_unmapped: bool = False,
        time_unit: TimeUnit | None = None,
        timezone: str | None = None,
    ) -> EventBatch:
        """Read a Parquet file, or a folder of them; only the columns that are kept are read.

        Raises:
            NotFoundError: no such path.
            CorruptError: not Parquet, or a truncated or damaged file.
            InvalidArgumentError: as `from_arrow`.
        """
        source = files.open_parquet(path)
        present = [name for name in source.schema.names if not _is_row_number(name)]
        picked = _pick(present, _mapping(columns), drop_unmapped)
        table = files.read_parquet(source, path, list(dict.fromkeys(picked.values())))
        return cls.from_arrow(table, columns, drop_unmapped=drop_unmapped, time_unit=time_unit, timezone=timezone)

    @classmethod
    def from_csv(
        cls,
        path: str | os.PathLike[str],
        columns: Mapping[str, str] | None = None,
        *,
        drop_unmapped: bool = False,
        time_unit: TimeUnit | None = None,
        timezone: str | None = None,
    ) -> EventBatch:
        """Read a CSV file with a header line; an id stays the text that it is ("007" is not 7), empty is missing.

        Raises:
            NotFoundError: no such path.
            CorruptError: not CSV, or lines of different lengths.
            InvalidArgumentError: as `from_arrow`.
        """
        TimeReading(time_unit, timezone)  # refuses what it does not know before the file is read with it
        mapped = {name: _mapping(columns).get(name, name) for name in EVENT_SCHEMA.names}
        types: dict[str, pa.DataType] = {}
        for name, source in mapped.items():
            kind = EVENT_SCHEMA.field(name).type
            if pa.types.is_timestamp(kind):
                kind = pa.string() if time_unit is None else pa.float64() if time_unit == "s" else pa.int64()
            elif pa.types.is_list(kind):
                kind = pa.string()  # CSV has no lists; what is there is refused by its name
            types[source] = kind
        table = files.read_csv(path, types)
        return cls.from_arrow(table, columns, drop_unmapped=drop_unmapped, time_unit=time_unit, timezone=timezone)

    @classmethod
    def concat(cls, batches: Iterable[EventBatch]) -> EventBatch:
        """The rows of all batches in turn; a column that a batch lacks is null there. Copies nothing else."""
        tables = [batch.table for batch in batches]
        if not tables:
            raise InvalidArgumentError("batches: expected at least one batch, got none", field="batches")
        for name in ID_COLUMNS:
            kinds = {str(table.schema.field(name).type) for table in tables}
            if len(kinds) > 1:
                raise InvalidArgumentError(
                    f"batches: expected {name} of one type, got {' and '.join(sorted(kinds))}; cast one of them",
                    field="batches",
                )
        whole = pa.concat_tables(tables, promote_options="default")
        return cls(whole.select([name for name in EVENT_SCHEMA.names if name in whole.column_names]))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        return f"EventBatch({len(self):,} events: {', '.join(self.table.column_names)})"

    def has(self, name: str) -> bool:
        """Whether the batch came with this column."""
        return name in self.table.column_names

    def column(self, name: str) -> pa.ChunkedArray:
        """One column.

        Raises:
            InvalidArgumentError: the batch came without it.
        """
        if not self.has(name):
            raise InvalidArgumentError(
                f"events: expected a column {name}, got {', '.join(self.table.column_names)}; "
                f"name its source with columns={{{name!r}: ...}} (--columns {name}=SOURCE)",
                field=name,
            )
        return self.table.column(name)

    def filter(self, mask: BoolArray) -> EventBatch:
        """The rows where `mask`, bool `[rows]`, holds."""
        return EventBatch(self.table.filter(pa.array(mask)))

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write a Parquet file that `from_parquet` reads without arguments; the file appears whole or not at all."""
        files.write_parquet(self.table, path)


def as_events(source: Any, *, coded: Collection[str] = ()) -> EventBatch:
    """A batch as it is, or what `EventBatch.from_arrow` makes of a table, a DataFrame or a mapping of columns.

    Raises:
        InvalidArgumentError: as `EventBatch.from_arrow`.
    """
    return source if isinstance(source, EventBatch) else EventBatch.from_arrow(source, coded=coded)


def as_table(source: Any, argument: str = "table") -> pa.Table:
    """A table of Arrow, or what anything that exports one holds, without a copy.

    Raises:
        InvalidArgumentError: it exports none, or columns of mixed types; the message names `argument`.
    """
    if isinstance(source, pa.Table):
        return _without_row_numbers(source)
    if isinstance(source, pa.RecordBatch):
        return _without_row_numbers(pa.Table.from_batches([source]))
    if isinstance(source, dict) or hasattr(source, "__arrow_c_stream__"):
        try:
            return _without_row_numbers(pa.table(source))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise InvalidArgumentError(
                f"{argument}: expected columns of one type each, got {error}", field=argument
            ) from None
    raise InvalidArgumentError(
        f"{argument}: expected a pyarrow.Table, a DataFrame of pandas or polars, or a mapping of columns, "
        f"got {type(source).__name__}",
        field=argument,
    )


def _is_row_number(name: str) -> bool:
    """Whether pandas made this column of an index without a name, as after sorting or sampling; nobody asked for it."""
    return re.fullmatch(r"__index_level_\d+__", name) is not None


def _without_row_numbers(table: pa.Table) -> pa.Table:
    kept = [place for place, name in enumerate(table.column_names) if not _is_row_number(name)]
    return table if len(kept) == table.num_columns else table.select(kept)


def _label(name: str, source: str) -> str:
    return name if name == source else f"{name} (column {source!r})"


def _mapping(columns: Any) -> Mapping[str, str]:
    if columns is None:
        return {}
    if not isinstance(columns, Mapping) or not all(isinstance(source, str) for source in columns.values()):
        raise InvalidArgumentError(
            f"columns: expected a mapping of names to names, got {columns!r}; the schema's name comes first",
            field="columns",
        )
    return columns


def _pick(present: list[str], columns: Mapping[str, str], drop_unmapped: bool) -> dict[str, str]:
    """Schema name → source name of every column to take."""
    for name in columns:
        if name not in EVENT_SCHEMA.names:
            near = difflib.get_close_matches(name, EVENT_SCHEMA.names, 1)
            raise InvalidArgumentError(
                f"columns: {name!r} is no column of the event schema{f', did you mean {near[0]!r}?' if near else ''} "
                f"(it maps schema name to source name; the schema has {', '.join(EVENT_SCHEMA.names)})",
                field="columns",
            )
    absent = [source for source in columns.values() if source not in present]
    if absent:
        raise InvalidArgumentError(
            f"columns: the source has no column {', '.join(map(repr, absent))}; it has {', '.join(map(repr, present))}",
            field="columns",
        )
    mapped = set(columns.values())
    picked = {name: name for name in present if name in EVENT_SCHEMA.names and name not in mapped} | dict(columns)
    missing = [name for name in ID_COLUMNS if name not in picked]
    if missing:
        raise InvalidArgumentError(
            f"events: expected columns user_id and item_id, got {', '.join(map(repr, present)) or 'none'}; "
            f"map what is missing, as in columns={{{missing[0]!r}: 'source name'}} (--columns {missing[0]}=SOURCE)",
            field=missing[0],
        )
    unknown = [name for name in present if name not in picked.values()]
    if unknown and not drop_unmapped:
        raise InvalidArgumentError(
            f"events: {', '.join(map(repr, unknown))} not in the event schema; "
            f"map them, as in columns={{'category': {unknown[0]!r}}}, or pass drop_unmapped=True (--drop-unmapped) "
            f"to leave them out (the schema has {', '.join(EVENT_SCHEMA.names)})",
            field="columns",
        )
    repeated = [name for name, count in Counter(present).items() if count > 1 and name in picked.values()]
    if repeated:
        raise InvalidArgumentError(
            f"events: expected column names once, got {', '.join(map(repr, repeated))} more than once", field="columns"
        )
    return picked
