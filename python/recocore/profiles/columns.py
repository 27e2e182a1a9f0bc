"""Events as the native pass takes them: codes, hashes and whole numbers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore import _native
from recocore.data.buffers import filled, flat, hashes
from recocore.data.events import EventBatch, as_events
from recocore.data.id_column import missing_ids
from recocore.data.schema import DEFAULT_TYPE
from recocore.errors import InvalidArgumentError
from recocore.profiles.codes import codes, renamed
from recocore.profiles.config import TAGS_COLUMN
from recocore.profiles.money import currency_of, digits_of, minor_units
from recocore.profiles.tag_sets import tag_sets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from recocore.profiles.config import ProfileConfig
    from recocore.types import AnyArray, Int32Array, UInt8Array

    # (offsets int64, data uint8), in the layout of Arrow's LargeString; None is no names.
    NativeNames = tuple[AnyArray, AnyArray] | None

NONE = np.iinfo(np.int64).min

# Columns of the extension by those of the event schema: what is only compared, whole numbers, money.
_COMPARED = {"ids": "event_id", "items": "item_id", "sessions": "session_id", "orders": "order_id"}
_WHOLE = {"known": "known_time", "dwell": "dwell_ms", "quantities": "quantity"}
_MONEY = {"money": "value", "prices": "price"}


@dataclass(frozen=True, slots=True, eq=False)
class NativeEvents:
    """A batch in the form of the extension.

    Attributes:
        columns: arrays by the extension's names, absent ones left out.
        user_ids: distinct ids, ascending: string or int64 Arrow array.
        vocabularies: names of the codes, for the extension.
        dimension_names: the same as Arrow arrays, one a dimension of the configuration; of `tag` the names of sets.
        query_names: search terms by code.
        path_names: names of `config.path` by code.
        currency: of all money, None where no event says one.
        money_digits: decimals of the minor unit.
    """

    columns: dict[str, AnyArray]
    user_ids: pa.Array
    vocabularies: dict[str, Any]
    dimension_names: tuple[pa.Array, ...]
    query_names: pa.Array
    path_names: pa.Array
    currency: str | None
    money_digits: int


def native_events(
    events: Any, config: ProfileConfig, currency: str | None = None, *, num_threads: int = 1
) -> NativeEvents:
    """Encode a batch, or what `EventBatch.from_arrow` takes; an empty text is none. O(events), no Python loop over them.

    Money must be of `currency`, or of the configuration's; where neither says one, of the events' only one. Columns are
    encoded independently of each other, by so many threads (0 is one for each core).

    Raises:
        InvalidArgumentError: events without a user or a time; money that is no whole number of minor units, or of more
            than one currency.
    """
    coded = {f"dimension_{place}": name for place, name in enumerate(config.dimension_columns)}
    coded |= {"queries": "query"} | ({} if config.path == "type" else {"paths": config.path})
    kept = {"user_id", "type", "currency", *coded.values(), *_COMPARED.values()}
    batch = as_events(events, coded=kept)
    table = batch.table

    def there(columns: dict[str, str]) -> list[tuple[str, pa.ChunkedArray]]:
        return [(column, table.column(name)) for column, name in columns.items() if _present(table, name)]

    currency = currency_of(batch, currency or config.currency)
    digits = digits_of(currency) if config.money_digits is None else config.money_digits
    # What takes longest first, so that threads end together; an error is that of the first in this order.
    tasks: dict[str, Callable[[], Any]] = {
        "users": partial(_users, batch),
        "times": partial(_times, batch),
        "types": partial(_types, table.column("type"), config),
    }
    for column, values in there(coded):
        tasks[column] = partial(_CODED.get(coded[column], _named), values)
    for column, values in there(_COMPARED):
        tasks[column] = partial(hashes, values, _native.hash_names, _native.hash_numbers)
    for column, values in there(_WHOLE):
        tasks[column] = partial(_whole, values)
    for column, values in there({"coupons": "coupon_id"}):
        tasks[column] = partial(_flags, values)
    for column, values in there(_MONEY):
        tasks[column] = partial(minor_units, values, digits, _MONEY[column])
    columns = done_in_threads(tasks, num_threads)

    columns["users"], user_ids = columns["users"]
    columns["types"], type_codes, type_names = columns["types"]
    names = dict.fromkeys(("queries", "paths", *coded), pa.array([], pa.string()))
    for column in coded:
        if column in columns:
            columns[column], names[column] = columns[column]
    if config.path == "type":
        columns["paths"], names["paths"] = _without_empty(type_codes, type_names)
    dimension_names = tuple(names[f"dimension_{place}"] for place in range(len(config.dimensions)))
    vocabularies = {
        "dimensions": [native_names(each) for each in dimension_names],
        "query": native_names(names["queries"]),
        "path": native_names(names["paths"]),
    }
    return NativeEvents(
        columns, user_ids, vocabularies, dimension_names, names["queries"], names["paths"], currency, digits
    )


def done_in_threads(tasks: Mapping[str, Callable[[], Any]], num_threads: int) -> dict[str, Any]:
    """The results of tasks that let go of the interpreter, by their names; the first one's error where some fail."""
    workers = min(num_threads or _native.available_cores(), len(tasks))
    if workers <= 1:
        return {name: task() for name, task in tasks.items()}
    with ThreadPoolExecutor(workers, "recocore-columns") as pool:
        futures = {name: pool.submit(task) for name, task in tasks.items()}
        return {name: future.result() for name, future in futures.items()}


def native_names(names: pa.Array) -> NativeNames:
    """Strings in the layout that the extension takes."""
    large = names.cast(pa.large_string())
    _, offsets, data = large.buffers()
    if offsets is None or len(large) == 0:
        return np.zeros(1, np.int64), np.empty(0, np.uint8)
    starts = np.frombuffer(offsets, np.int64)[large.offset : large.offset + len(large) + 1]
    return starts, np.frombuffer(data if data is not None else b"", np.uint8)


def arrow_names(names: tuple[AnyArray, AnyArray]) -> pa.Array:
    """Strings from the layout of the extension."""
    offsets, data = names
    large = pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))
    return large.cast(pa.string())


def _present(table: pa.Table, name: str) -> bool:
    return name in table.column_names and table.column(name).null_count < table.num_rows


def _times(batch: EventBatch) -> AnyArray:
    column = batch.column("event_time")
    if column.null_count:
        raise InvalidArgumentError(
            f"events: expected event_time in each of {len(column)} events, got {column.null_count} missing; "
            "recocore.data.clean(events) sets them aside",
            field="event_time",
        )
    return filled(column.cast(pa.int64()), NONE)


def _users(batch: EventBatch) -> tuple[Int32Array, pa.Array]:
    column = batch.column("user_id")
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    users, names = codes(column)
    if (len(users) and users.min() < 0) or (pa.types.is_string(names.type) and pc.index(names, "").as_py() >= 0):
        missing = missing_ids(column.cast(names.type)).sum()
        raise InvalidArgumentError(
            f"events: expected user_id in each of {len(column)} events, got {missing} missing; "
            "recocore.data.clean(events) sets them aside",
            field="user_id",
        )
    order = np.asarray(pc.sort_indices(names))
    rank = np.empty(len(names), np.int32)
    rank[order] = np.arange(len(names), dtype=np.int32)
    users = users if users.flags.writeable else users.copy()
    _native.renumber(users, rank)
    return users, names.take(pa.array(order))


def _types(column: pa.ChunkedArray, config: ProfileConfig) -> tuple[UInt8Array, Int32Array, pa.Array]:
    """The configuration's codes of types, and codes and names as the column has them."""
    coded, names = codes(column)
    ours = {name: code for code, name in enumerate(config.all_types)}
    # The last is what the code -1 finds: a batch that was put together by hand may have no type somewhere.
    to_ours = np.array([ours.get(name, len(ours)) for name in (*names.to_pylist(), DEFAULT_TYPE)], np.uint8)
    return to_ours[coded], coded, names


def _whole(column: pa.ChunkedArray) -> AnyArray:
    return filled(column.cast(pa.int64()), NONE)


def _flags(column: pa.ChunkedArray) -> Int32Array:
    """0 where there is a text that is not empty, -1 where not."""
    return np.asarray(flat(pc.fill_null(pc.not_equal(column, ""), False))).astype(np.int32) - 1


def _named(column: pa.ChunkedArray) -> tuple[Int32Array, pa.Array]:
    """Codes of names; an empty one is none."""
    return _without_empty(*codes(column))


def _without_empty(coded: Int32Array, names: pa.Array) -> tuple[Int32Array, pa.Array]:
    return renamed(coded, names) if pc.index(names, "").as_py() >= 0 else (coded, names)


def _terms(column: pa.ChunkedArray) -> tuple[Int32Array, pa.Array]:
    """Codes of search terms, trimmed and in lower case; what is empty then is none."""
    terms, names = codes(column)
    return renamed(terms, pc.utf8_lower(pc.utf8_trim_whitespace(names)))


# How the names of a column become codes, where not as they are.
_CODED: dict[str, Callable[[pa.ChunkedArray], tuple[Int32Array, pa.Array]]] = {"query": _terms, TAGS_COLUMN: tag_sets}
