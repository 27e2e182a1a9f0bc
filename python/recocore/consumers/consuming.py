"""Batches of messages become calls of a state: what was read and how far it was read are kept in one commit.

That is what makes it exactly once: whoever begins again begins where the state says, so a batch whose commit was lost is read
again, and one whose commit stands is not. A message without an event id has its place in the topic for one.
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from recocore.data.schema import EVENT_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recocore.state import Receipt

_LOGGER = logging.getLogger("recocore")
_NAMES = frozenset(EVENT_SCHEMA.names) - {"known_time", "served_model", "served_request"}
_US_OF_MS = 1_000


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a topic.

    Attributes:
        source: names the partition, such as `kafka/events/0`.
        offset: of the message in it.
        value: its bytes.
    """

    source: str
    offset: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Consumed:
    """What became of messages.

    Attributes:
        recorded: new in the log.
        duplicates: there already, by their event ids.
        refused: no events, or ones that break a limit; each is logged with its place.
    """

    recorded: int = 0
    duplicates: int = 0
    refused: int = 0

    def __add__(self, other: Consumed) -> Consumed:
        return Consumed(
            self.recorded + other.recorded, self.duplicates + other.duplicates, self.refused + other.refused
        )


class Sink(Protocol):
    """What events go to: a StateStore, or the owner of one (`OwnerSink`)."""

    def record(self, events: Sequence[Mapping[str, Any]], *, offsets: Mapping[str, int]) -> Receipt:
        """Record events and how far their sources are read, in one commit."""
        ...

    def offsets(self) -> Mapping[str, int]:
        """How far each source is read."""
        ...


def record(messages: Sequence[Message], sink: Sink) -> Consumed:
    """Record a batch of messages.

    Args:
        messages: of each source in the order of their offsets.
        sink: takes them; what it raises is raised, and then the batch may be recorded again.
    """
    rows: list[dict[str, Any]] = []
    places: list[Message] = []
    refused = 0
    for message in messages:
        try:
            rows.append(row_of(message))
        except ValueError as error:
            refused += 1
            _refuse(message, str(error))
        else:
            places.append(message)
    receipt = sink.record(rows, offsets={message.source: message.offset + 1 for message in messages})
    codes = [result.code for result in receipt.results]
    for message, result in zip(places, receipt.results, strict=True):
        if result.code == "invalid":
            refused += 1
            _refuse(message, f"{result.field}: {result.message}")
    return Consumed(codes.count("ok"), codes.count("duplicate"), refused)


def row_of(message: Message) -> dict[str, Any]:
    """The event of a message: a JSON object with the names of the event schema; other names are left out.

    `event_time` is an ISO 8601 text with a zone, or milliseconds since 1970.

    >>> row_of(Message("kafka/events/0", 7, b'{"user_id": "ann", "type": "view", "item_id": "x", "mood": "good"}'))
    {'user_id': 'ann', 'type': 'view', 'item_id': 'x', 'event_id': 'kafka/events/0/7'}

    Raises:
        ValueError: it is none.
    """
    given = json.loads(message.value)
    if not isinstance(given, dict):
        raise ValueError(f"expected a JSON object, got {type(given).__name__}")
    row = {name: value for name, value in given.items() if name in _NAMES and value is not None}
    row.setdefault("event_id", f"{message.source}/{message.offset}")
    if "event_time" in row:
        row["event_time"] = _time_of(row["event_time"])
    return row


def _time_of(value: Any) -> int:
    """Microseconds since 1970."""
    if isinstance(value, str):
        time = datetime.fromisoformat(value)
        if time.tzinfo is None:
            raise ValueError(f"event_time: expected a zone, got {value!r}")
        return round(time.timestamp() * 1_000_000)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"event_time: expected ISO 8601 or milliseconds since 1970, got {value!r:.80}")
    return round(value * _US_OF_MS)


def _refuse(message: Message, why: str) -> None:
    _LOGGER.warning("message %s/%d is no event: %s", message.source, message.offset, why)
