"""One event: checked against the event schema's allow-list, and as the bytes that the log keeps encrypted.

In the log an event is a MessagePack array of the schema's fields in the order of `FIELDS`, times in microseconds since 1970.
"""

from __future__ import annotations

import math
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import pyarrow as pa

from recocore.data import EventBatch
from recocore.data.schema import DEFAULT_TYPE, EVENT_SCHEMA, ITEMLESS_TYPES
from recocore.errors import CorruptError, InvalidArgumentError
from recocore.state.values import MAX_ROWS, RowResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Characters of a text field, and of an id.
MAX_TEXT: Final = 1_024
MAX_ID: Final = 256
# Tags of an event, and characters of one.
MAX_TAGS: Final = 32
MAX_TAG: Final = 64

# A clock that runs ahead is forgiven that much; an event of next year would be a user's newest for a year.
_AHEAD_US: Final = 24 * 3600 * 1_000_000

_Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
# No control characters: what reads tags puts one between them.
_Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TAG, pattern=r"\A[^\x00-\x1f]*\Z")]
_Tags = Annotated[tuple[_Tag, ...], msgspec.Meta(max_length=MAX_TAGS)]
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID)]
# JSON and Parquet know no more than 64 bits.
_Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Event(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The fields of an event; those of `recocore.data.schema.EVENT_SCHEMA`.

    The order is that of the log on disk: a new field goes to the end.
    """

    event_id: _Id | None = None
    event_time: _Whole | datetime | None = None
    known_time: _Whole | datetime | None = None
    user_id: _Id | _Whole | None = None
    visitor_id: _Id | None = None
    item_id: _Id | _Whole | None = None
    type: _Id = DEFAULT_TYPE
    value: float | None = None
    quantity: _Whole | None = None
    session_id: _Id | None = None
    device: _Text | None = None
    ip: _Text | None = None
    country: _Text | None = None
    channel: _Text | None = None
    referrer: _Text | None = None
    page: _Text | None = None
    query: _Text | None = None
    position: _Whole | None = None
    dwell_ms: _Whole | None = None
    rating: float | None = None
    category: _Text | None = None
    brand: _Text | None = None
    price: float | None = None
    currency: _Text | None = None
    order_id: _Text | None = None
    payment_id: _Text | None = None
    address_id: _Text | None = None
    coupon_id: _Text | None = None
    campaign_id: _Text | None = None
    experiment: _Text | None = None
    attribution_token: _Text | None = None
    served_model: _Text | None = None
    served_request: _Text | None = None
    tags: _Tags | None = None


FIELDS: Final = Event.__struct_fields__

# Where the fields stand that records keep, in the order of `_native.UserRecords` and `_native.kept_events_add`.
FACTS: Final = tuple(
    FIELDS.index(name)
    for name in (
        *("event_time", "type", "item_id", "session_id", "order_id", "value", "price", "currency"),
        *("quantity", "dwell_ms", "query", "coupon_id", "category", "brand", "channel", "tags"),
    )
)

_TIMES = ("event_time", "known_time")
_FLOATS = ("value", "rating", "price")
_DECODER = msgspec.msgpack.Decoder(Event)
_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(list).decode
_WHERE = re.compile(r"(.*?)(?: - at `\$\.(\w+).*`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_KINDS = {
    pa.timestamp("us", "UTC"): "a time",
    pa.string(): "text",
    pa.int64(): "a whole number",
    pa.float64(): "a number",
    pa.list_(
        pa.string()
    ): f"a list of at most {MAX_TAGS} texts of 1 to {MAX_TAG} characters, none of them a control character",
}


def check_event(row: Mapping[str, Any] | bytes, now: int) -> Event | RowResult:
    """The event in a row, a mapping or its MessagePack bytes; or what is wrong with it.

    Ids become text, missing times `now` (microseconds since 1970).

    Example:
        >>> check_event({"user_id": 7, "item_id": "tea", "type": "buy"}, 1).user_id
        '7'
        >>> check_event({"user_id": "ann", "item_id": "tea", "colour": "red"}, 1)[:2]
        ('invalid', 'colour')
    """
    try:
        event = _DECODER.decode(row) if isinstance(row, bytes) else msgspec.convert(row, Event)
    except msgspec.ValidationError as error:
        return _refusal(str(error))
    except (msgspec.DecodeError, UnicodeError) as error:
        return RowResult("invalid", "", f"event: expected a MessagePack map, got {error}; correct it and send it again")
    return _ids_wrong(event) or _numbers_wrong(event) or _times_wrong(event, now) or event


def _ids_wrong(event: Event) -> RowResult | None:
    if event.user_id is not None:
        event.user_id = str(event.user_id)
    elif event.visitor_id is None:
        return _invalid("user_id", "expected a user_id or a visitor_id, got neither")
    if event.item_id is not None:
        event.item_id = str(event.item_id)
        # Records keep a user's items, and their types, as one text with this between them.
        if "\0" in event.item_id:
            return _invalid("item_id", "expected text without NUL")
    elif event.type not in ITEMLESS_TYPES:
        return _invalid("item_id", f"expected an item for an event of type {event.type!r:.40}, got none")
    return _invalid("type", "expected text without NUL") if "\0" in event.type else None


def _numbers_wrong(event: Event) -> RowResult | None:
    for name in _FLOATS:
        number = getattr(event, name)
        if number is not None and not math.isfinite(number):
            return _invalid(name, f"expected a finite number, got {number}")
    return None


def _times_wrong(event: Event, now: int) -> RowResult | None:
    for name in _TIMES:
        moment = getattr(event, name)
        if moment.__class__ is not int:
            if moment is None:
                moment = now
            elif moment.tzinfo is None:
                return _invalid(name, f"expected a time with a zone, got {moment.isoformat()}")
            else:
                moment = round(moment.timestamp() * 1_000_000)
            setattr(event, name, moment)
        if not 0 <= moment <= now + _AHEAD_US:
            return _invalid(name, f"expected from 1970 to a day from now, in microseconds since 1970, got {moment}")
    return None


def pack(event: Event) -> bytes:
    """The bytes that the log keeps, encrypted."""
    return _ENCODE(msgspec.structs.astuple(event))


def unpack(data: bytes) -> list[Any]:
    """The values of `FIELDS`, from `pack`. An older log may have fewer fields.

    Raises:
        CorruptError: these are not such bytes.
    """
    try:
        values: list[Any] = _DECODE(data)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise CorruptError(f"not an event: {error}") from None
    if len(values) > len(FIELDS):
        raise CorruptError(
            f"an event of {len(values)} fields, and this version knows {len(FIELDS)}; a newer one wrote it"
        )
    return values + [None] * (len(FIELDS) - len(values))


def rows_of(events: EventBatch | Sequence[Mapping[str, Any] | bytes]) -> Sequence[Mapping[str, Any] | bytes]:
    """The rows of a call.

    Raises:
        InvalidArgumentError: too many of them, or something else.
    """
    if isinstance(events, EventBatch):
        _check_count(len(events))
        table = events.table
        for name in _TIMES:
            if name in table.column_names:
                at = table.column_names.index(name)
                table = table.set_column(at, name, table.column(name).cast(pa.int64()))
        return [{name: value for name, value in row.items() if value is not None} for row in table.to_pylist()]
    given: Any = events
    if isinstance(given, (str, bytes)) or not hasattr(given, "__len__"):
        raise InvalidArgumentError(
            f"events: expected an EventBatch or a sequence of mappings, got {type(events).__name__}", field="events"
        )
    _check_count(len(events))
    return events


def batch_of(events: Iterable[list[Any]]) -> EventBatch:
    """Events as columns of the schema, less those that are null throughout, but for the ids and the type."""
    columns = dict(zip(FIELDS, zip(*events, strict=True), strict=False))  # without an event there is no column
    arrays = {}
    for name in EVENT_SCHEMA.names:
        values = columns.get(name, ())
        if name in ("user_id", "item_id", "type") or any(value is not None for value in values):
            arrays[name] = pa.array(values, EVENT_SCHEMA.field(name).type)
    return EventBatch(pa.table(arrays))


def json_event(values: list[Any]) -> dict[str, Any]:
    """An event for a person: its fields by name, times as ISO 8601, without what it lacks."""
    named = {name: value for name, value in zip(FIELDS, values, strict=True) if value is not None}
    return {name: iso(value) if name in _TIMES else value for name, value in named.items()}


def iso(moment: int) -> str:
    """Microseconds since 1970 as ISO 8601, UTC."""
    return datetime.fromtimestamp(moment // 1_000_000, UTC).replace(microsecond=moment % 1_000_000).isoformat()


def now_us() -> int:
    """The clock, in microseconds since 1970."""
    return time.time_ns() // 1_000


def microseconds(moment: datetime, name: str) -> int:
    """A time as microseconds since 1970.

    Raises:
        InvalidArgumentError: it has no zone.
    """
    if moment.tzinfo is None:
        raise InvalidArgumentError(f"{name}: expected a time with a zone, got {moment.isoformat()}", field=name)
    return round(moment.timestamp() * 1_000_000)


def _check_count(count: int) -> None:
    if count > MAX_ROWS:
        raise InvalidArgumentError(
            f"events: expected at most {MAX_ROWS:,} a call, got {count:,}; split them", field="events"
        )


def _refusal(message: str) -> RowResult:
    unknown = _UNKNOWN.match(message)
    if unknown:
        return _invalid(unknown[1][:80], "not in the event schema, so it is not stored; leave it out")
    match = _WHERE.match(message)
    assert match is not None
    name = match[2] or ""
    what = match[1].lower()
    if name in EVENT_SCHEMA.names:
        what += f"; {name} is {_KINDS[EVENT_SCHEMA.field(name).type]}"
    return _invalid(name or "event", what)


def _invalid(name: str, what: str) -> RowResult:
    return RowResult("invalid", name, f"{name}: {what}; correct the event and send it again")
