"""Structured logs: one JSON object a line, users by pseudonym only.

Exception messages may quote ids, so a traceback is logged as types and places, without messages.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

LOGGER = logging.getLogger("recocore.service")

# Where a record keeps the fields of its event.
_FIELDS = "recocore_fields"


class Pseudonyms:
    """Stable names for users under one key: HMAC-SHA256, the first 64 bits in hexadecimal.

    >>> Pseudonyms(b"key").of("ann") == Pseudonyms(b"key").of("ann") != Pseudonyms(b"other").of("ann")
    True
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes | None) -> None:
        self._key = secrets.token_bytes(32) if key is None else key

    def of(self, user_id: str) -> str:
        """The user's pseudonym, 16 hexadecimal digits."""
        return hmac.digest(self._key, user_id.encode(), hashlib.sha256)[:8].hex()


def log(level: int, event: str, **fields: Any) -> None:
    """Log an event with fields that JSON can hold."""
    LOGGER.log(level, event, extra={_FIELDS: fields})


def places(error: BaseException) -> list[dict[str, Any]]:
    """The exception and its causes, outermost first: type and `file:line function` of each frame, no values."""
    chain: list[dict[str, Any]] = []
    current: BaseException | None = error
    while current is not None and len(chain) < 8:
        frames = traceback.extract_tb(current.__traceback__)
        kind = type(current)
        chain.append(
            {
                "type": f"{kind.__module__}.{kind.__qualname__}",
                "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
            }
        )
        current = current.__cause__ or current.__context__
    return chain


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, event and the event's fields."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line.update(getattr(record, _FIELDS, {}))
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = places(record.exc_info[1])
        return json.dumps(line, default=str)


def configure(level: str, stream: TextIO) -> None:
    """Send this process's log to a stream: for a process that only serves."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(_has_not_missed_its_caller)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    LOGGER.setLevel(level.upper())


def _has_not_missed_its_caller(record: logging.LogRecord) -> bool:
    """Not gRPC's line for an answer whose caller was gone before it was sent: under load there are many, and nothing to do."""
    kind = record.exc_info[0] if record.exc_info else None
    return not (record.name.startswith("grpc.") and kind is not None and kind.__name__ == "ExecuteBatchError")
