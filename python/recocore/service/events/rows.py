"""Events between their protos and the rows of a state: checked on the way in, whole on the way out."""

from __future__ import annotations

import math
import re
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from recocore._native import EventMessages
from recocore.data.schema import ITEMLESS_TYPES
from recocore.errors import InvalidArgumentError
from recocore.service import attribution, limits
from recocore.service.problems import InvalidRequestError, Violation
from recocore.v1 import event_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from google.protobuf.timestamp_pb2 import Timestamp

    from recocore.service.attribution import Attribution

_TYPE = re.compile(rf"[a-z0-9_]{{1,{limits.MAX_TYPE_CHARS}}}")
_LONG_TEXTS = frozenset({"referrer", "page", "query"})
_NUMBERS = {
    "quantity": (-limits.MAX_QUANTITY, limits.MAX_QUANTITY),
    "position": (0, limits.MAX_POSITION),
    "dwell_ms": (0, limits.MAX_DWELL_MS),
}
_FLOATS = frozenset({"value", "rating", "price"})
_OF_ALL = frozenset({"event_id", "type", "user_id"})
_REQUIRED = _OF_ALL | {"item_id"}
# What the service knows better than a caller.
_OWN = ("known_time", "served_model", "served_request")
_TAG = re.compile(rf"[^\x00-\x1f]{{1,{limits.MAX_TAG_CHARS}}}")
# Tokens whose words are kept: the events that follow from one answer have its token.
_KEPT_TOKENS = 4_096
# No character takes more than 4 bytes: texts of so many need no encoding to be measured.
_SHORT_CHARS = limits.MAX_ID_BYTES // 4
_US = 1_000_000
_DAY_US = 86_400 * _US

_encode = msgspec.msgpack.Encoder().encode


class RowMaker:
    """Turns events into rows, MessagePack maps with the names of `recocore.data.schema.EVENT_SCHEMA`.

    Args:
        key: what attribution tokens are signed with; None where they are not.
        known: whether rows say when they were made, as `known_time`.
    """

    def __init__(self, key: bytes | None = None, *, known: bool = False) -> None:
        self._key = key
        self._known = known
        self._messages = EventMessages(*_native_fields(), sorted(ITEMLESS_TYPES))
        self._told = lru_cache(_KEPT_TOKENS)(self._tell)

    def read(self, request: bytes, now_us: int) -> tuple[int, list[bytes | None]] | None:
        """The durability of a serialised RecordEventsRequest, and the row of each event, as `row` would make it.

        None in place of an event that is left to `row`, since it may be wrong; None in place of all where the bytes may be no
        such request. 0.5 us an event of 8 fields, and 2 us more with a token that others have too.
        """
        read = self._messages.read(request, now_us, limits.MAX_EVENTS)
        if read is None:
            return None
        durability, rows, tokens = read
        for place, token, has_arm in tokens:
            row = rows[place]
            assert row is not None
            try:
                rows[place] = _with(row, *self._told(token, has_arm))
            except InvalidArgumentError:
                rows[place] = None
        if self._known:
            said = _encode({"known_time": now_us})[1:]
            rows = [row and _with(row, 1, said) for row in rows]
        return durability, rows

    def _tell(self, token: str, has_arm: bool) -> tuple[int, bytes]:
        """What an attribution token adds to a row: how many fields, and these as they stand in the map."""
        row: dict[str, Any] = {"experiment": ""} if has_arm else {}
        _attribute(row, attribution.decode(token, self._key))
        if has_arm:
            del row["experiment"]
        return len(row), _encode(row)[1:]

    def row(self, event: v1.Event, path: str, now_us: int) -> bytes:
        """The row of an event. Takes some 10 us.

        Args:
            event: any.
            path: of the event in its request, such as `events[3]`, for errors.
            now_us: microseconds since 1970, UTC: the time of an event that has none.

        Raises:
            InvalidRequestError: fields break their limits, or the attribution token is damaged or forged.
        """
        wrong: list[Violation] = []
        row: dict[str, Any] = {"event_time": now_us}
        if self._known:
            row["known_time"] = now_us
        for field, value in event.ListFields():
            name = field.name
            check = _CHECKS.get(name, _text_problem)
            # Most fields are texts, and most texts are short.
            if check is _text_problem and len(value) <= _SHORT_CHARS:
                row[name] = value
            elif check is None:
                continue
            elif problem := check(name, value, now_us):
                wrong.append(Violation(f"{path}.{name}", problem))
            elif name == "event_time":
                row[name] = value.seconds * _US + value.nanos // 1_000
            elif name == "tags":
                row[name] = list(value)
            else:
                row[name] = value
        if not row.keys() >= _REQUIRED and (row.get("type") not in ITEMLESS_TYPES or not row.keys() >= _OF_ALL):
            wrong += self._missing(row, path, wrong)
        token = row.get("attribution_token")
        if token is not None:
            try:
                _attribute(row, attribution.decode(token, self._key))
            except InvalidArgumentError as error:
                wrong.append(Violation(f"{path}.attribution_token", str(error)))
        if wrong:
            raise InvalidRequestError(tuple(wrong))
        return _encode(row)

    @staticmethod
    def _missing(row: Mapping[str, Any], path: str, wrong: Sequence[Violation]) -> Iterator[Violation]:
        named = {violation.field for violation in wrong}
        required = _OF_ALL if row.get("type") in ITEMLESS_TYPES else _REQUIRED
        for name in sorted(required - row.keys()):
            if f"{path}.{name}" not in named:
                yield Violation(f"{path}.{name}", "expected a text, got none")


def _with(row: bytes, count: int, said: bytes) -> bytes:
    """A row of the native reader, which is a map of 16 bits of length, with further fields."""
    fields = int.from_bytes(row[1:3], "big") + count
    return b"".join((row[:1], fields.to_bytes(2, "big"), row[3:], said))


def _native_fields() -> tuple[list[tuple[int, str, str, int, int, bool]], list[int], int, int]:
    """The fields of an event as the native reader takes them, the numbers that it leaves, those of item and experiment."""
    fields, left, numbers = [], [], v1.Event.DESCRIPTOR.fields_by_name
    for field in v1.Event.DESCRIPTOR.fields:
        name, least, most = field.name, 0, 0
        if name in _OWN:
            left.append(field.number)
            continue
        if name == "event_time":
            kind = "time"
        elif name in _FLOATS:
            kind = "number"
        elif name == "tags":
            kind, least, most = "texts", limits.MAX_TAGS, limits.MAX_TAG_CHARS
        elif name in _NUMBERS:
            kind, (least, most) = "whole", _NUMBERS[name]
        elif name == "attribution_token":
            kind, most = "token", limits.MAX_ATTRIBUTION_TOKEN_CHARS
        else:
            kind, most = ("type", limits.MAX_TYPE_CHARS) if name == "type" else ("text", _most_bytes(name))
        fields.append((field.number, name, kind, least, most, name in _OF_ALL))
    return fields, left, numbers["item_id"].number, numbers["experiment"].number


def _most_bytes(name: str) -> int:
    return limits.MAX_TEXT_BYTES if name in _LONG_TEXTS else limits.MAX_ID_BYTES


def event_of(row: Mapping[str, Any]) -> v1.Event:
    """The event of a row that a state exports: times are datetimes, ISO 8601 texts or microseconds since 1970."""
    event = v1.Event()
    for name, value in row.items():
        if value is None or name not in v1.Event.DESCRIPTOR.fields_by_name:
            continue
        if name in ("event_time", "known_time"):
            _set_time(getattr(event, name), value)
        elif name in ("user_id", "item_id"):
            setattr(event, name, str(value))
        elif name == "tags":
            event.tags.extend(value)
        else:
            setattr(event, name, value)
    return event


def _attribute(row: dict[str, Any], said: Attribution) -> None:
    """Note what the token of an answer says of it."""
    row["served_model"] = said.served_model
    row["served_request"] = said.request_id
    if said.experiment and "experiment" not in row:
        row["experiment"] = f"{said.experiment}/{said.variant}"


def _set_time(timestamp: Timestamp, value: datetime | str | int) -> None:
    if isinstance(value, int):
        timestamp.FromMicroseconds(value)
    else:
        timestamp.FromDatetime(datetime.fromisoformat(value) if isinstance(value, str) else value)


def _text_problem(name: str, value: str, now_us: int) -> str | None:
    most = _most_bytes(name)
    if (size := len(value.encode())) > most:
        return f"expected at most {most} bytes, got {size}"
    return None


def _type_problem(name: str, value: str, now_us: int) -> str | None:
    if _TYPE.fullmatch(value):
        return None
    return f"expected 1 to {limits.MAX_TYPE_CHARS} of a-z, 0-9 and _, got {value[:80]!r}"


def _token_problem(name: str, value: str, now_us: int) -> str | None:
    return None  # what reads it says what is wrong


def _tags_problem(name: str, value: Sequence[str], now_us: int) -> str | None:
    if len(value) > limits.MAX_TAGS:
        return f"expected at most {limits.MAX_TAGS}, got {len(value)}"
    wrong = next((tag for tag in value if not _TAG.fullmatch(tag)), None)
    if wrong is None:
        return None
    return f"expected 1 to {limits.MAX_TAG_CHARS} characters in each, none a control character, got {wrong[:80]!r}"


def _time_problem(name: str, value: Any, now_us: int) -> str | None:
    if 0 <= value.seconds <= (now_us + _DAY_US) // _US and 0 <= value.nanos < 1_000_000_000:
        return None
    return f"expected a time from 1970 to a day from now, got {value.seconds} s since 1970"


def _whole_problem(name: str, value: int, now_us: int) -> str | None:
    least, most = _NUMBERS[name]
    return None if least <= value <= most else f"expected {least} to {most}, got {value}"


def _float_problem(name: str, value: float, now_us: int) -> str | None:
    return None if math.isfinite(value) else f"expected a finite number, got {value}"


_CHECKS: dict[str, Callable[[str, Any, int], str | None] | None] = {
    "type": _type_problem,
    "event_time": _time_problem,
    "attribution_token": _token_problem,
    "tags": _tags_problem,
    **dict.fromkeys(_NUMBERS, _whole_problem),
    **dict.fromkeys(_FLOATS, _float_problem),
    **dict.fromkeys(_OWN),
}
