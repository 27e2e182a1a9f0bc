"""One event as the packed log takes it, without Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore.data.schema import DEFAULT_TYPE, EVENT_SCHEMA
from recocore.data.times import to_us
from recocore.errors import InvalidArgumentError
from recocore.profiles.config import TAGS_COLUMN
from recocore.profiles.money import minor_unit
from recocore.profiles.tag_sets import set_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.profiles.config import ProfileConfig

_NONE = int(np.iinfo(np.int64).min)
_NAMES = frozenset(EVENT_SCHEMA.names)


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """Arguments of `ProfileLog.append_one`, and whether there is money among them."""

    arguments: tuple[Any, ...]
    has_money: bool


class EventReader:
    """Reads events by one configuration."""

    def __init__(self, config: ProfileConfig) -> None:
        self._types = {name: code for code, name in enumerate(config.all_types)}
        self._dimension_columns = config.dimension_columns
        self._path = config.path

    def read(self, event: Mapping[str, Any], digits: int) -> ReadEvent:
        """Check an event, money having `digits` decimals.

        Raises:
            InvalidArgumentError: a name or a value that does not fit.
        """
        unknown = event.keys() - _NAMES
        if unknown:
            raise InvalidArgumentError(
                f"event: {', '.join(sorted(map(repr, unknown)))} not in the event schema "
                f"(which has {', '.join(EVENT_SCHEMA.names)})",
                field="event",
            )
        user = event.get("user_id")
        if user is None or user == "":
            raise InvalidArgumentError("event: expected a user_id, got none", field="user_id")
        key = user_key(user)
        if not key:
            raise InvalidArgumentError(f"user_id: expected an integer of 64 bits, got {user!r}", field="user_id")
        kind = DEFAULT_TYPE if event.get("type") is None else _text(event, "type") or ""
        known = event.get("known_time")
        money, price = (
            _NONE if event.get(name) is None else minor_unit(event[name], digits, name) for name in ("value", "price")
        )
        item = event.get("item_id")
        if isinstance(item, bool) or not isinstance(item, (str, int, np.integer, type(None))):
            raise InvalidArgumentError(f"item_id: expected a string or an integer, got {item!r}", field="item_id")
        arguments = (
            key,
            to_us(event.get("event_time"), "event_time"),
            _NONE if known is None else to_us(known, "known_time"),
            self._types.get(kind, len(self._types)),
            _text(event, "event_id"),
            int(item) if isinstance(item, np.integer) else item,
            _text(event, "session_id"),
            _text(event, "order_id"),
            money,
            price,
            _whole(event, "dwell_ms"),
            _whole(event, "quantity"),
            _term(_text(event, "query")),
            kind or None if self._path == "type" else _text(event, self._path),
            _text(event, "coupon_id") is not None,
            [
                set_name(event.get(name)) if name == TAGS_COLUMN else _text(event, name)
                for name in self._dimension_columns
            ],
        )
        return ReadEvent(arguments, money != _NONE or price != _NONE)


def user_key(user_id: Any) -> bytes:
    """A user's name in the log: a string's UTF-8, an integer's eight bytes; one beyond 64 bits is nobody's.

    Raises:
        InvalidArgumentError: neither.
    """
    if isinstance(user_id, str):
        return user_id.encode()
    if isinstance(user_id, bool) or not isinstance(user_id, (int, np.integer)):
        raise InvalidArgumentError(f"user_id: expected a string or an integer, got {user_id!r}", field="user_id")
    return int(user_id).to_bytes(8, "little", signed=True) if -(2**63) <= user_id < 2**63 else b""


def _text(event: Mapping[str, Any], name: str) -> str | None:
    """The text of a column; an empty one is none."""
    value = event.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidArgumentError(f"{name}: expected a string, got {value!r}", field=name)
    return value or None


def _whole(event: Mapping[str, Any], name: str) -> int:
    value = event.get(name)
    if value is None:
        return _NONE
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not -(2**63) < value < 2**63:
        raise InvalidArgumentError(f"{name}: expected an integer, got {value!r}", field=name)
    return int(value)


def _term(query: str | None) -> str | None:
    """Trimmed and in lower case, as Arrow has it: Python knows other white space and other letters."""
    if query is None:
        return None
    if query.isascii() and query.isprintable():
        return query.strip(" ").lower() or None
    return pc.utf8_lower(pc.utf8_trim_whitespace(pa.scalar(query))).as_py() or None
