"""What goes over the owner's socket: a length (u32, little-endian), then MessagePack of one of these.

    request    [number, method, arguments by name]
    answer     [number, "" or the code of an error, what was asked for or the error's message, the error's field]

What was asked for by `record` is the commit, with the results of the rows, or nothing where all of them were recorded.

MessagePack by msgspec: rows are bytes in it until each is checked by itself, so a bad one spoils no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from recocore.errors import (
    EXCEPTION_BY_CODE,
    AlreadyExistsError,
    ConflictError,
    InUseError,
    InvalidArgumentError,
    NoConsentError,
    OverloadedError,
    OwnerUnavailableError,
    RecocoreError,
    StorageError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# 1,000 events with every field at its longest are some 27 MB of ASCII; 1,000 usual ones 0.3 MB.
MAX_MESSAGE = 32 << 20

_LENGTH = 4
_OF_A_STATE = (
    *(AlreadyExistsError, ConflictError, InUseError, NoConsentError),
    *(OverloadedError, OwnerUnavailableError, StorageError),
)
_ERRORS: dict[str, type[RecocoreError]] = {
    **EXCEPTION_BY_CODE,
    **{error.code: error for error in _OF_A_STATE},
}


class Request(msgspec.Struct, array_like=True):
    """A call: `rows` are the events of `record`, each the MessagePack bytes of its map."""

    number: int
    method: str
    arguments: dict[str, Any] = {}
    rows: list[bytes] = []


class Answer(msgspec.Struct, array_like=True):
    """An answer, in the order in which calls are done."""

    number: int
    code: str = ""
    value: Any = None
    field: str = ""


_ENCODER = msgspec.msgpack.Encoder()
_REQUEST = msgspec.msgpack.Decoder(Request)
_ANSWER = msgspec.msgpack.Decoder(Answer)


def pack_rows(rows: Sequence[Any]) -> list[bytes]:
    """Events as a request carries them.

    Raises:
        InvalidArgumentError: one is no mapping of what MessagePack holds.
    """
    try:
        return [row if isinstance(row, bytes) else _ENCODER.encode(row) for row in rows]
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgumentError(f"events: expected mappings of plain values, got {error}", field="events") from None


def encode(message: Request | Answer) -> bytes:
    """A message with its length before it.

    Raises:
        InvalidArgumentError: it is too long.
    """
    body = _ENCODER.encode(message)
    if len(body) > MAX_MESSAGE:
        raise InvalidArgumentError(
            f"events: expected at most {MAX_MESSAGE:,} bytes a call, got {len(body):,}; split the call", field="events"
        )
    return len(body).to_bytes(_LENGTH, "little") + body


class Messages:
    """Messages of a stream of bytes that comes in pieces."""

    def __init__(self) -> None:
        self._left = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Those that end in a piece.

        Raises:
            ConnectionError: one that is too long.
        """
        left = self._left
        left += data
        start = 0
        while len(left) - start >= _LENGTH:
            length = int.from_bytes(left[start : start + _LENGTH], "little")
            if length > MAX_MESSAGE:
                raise ConnectionError(f"a message of {length} bytes, and {MAX_MESSAGE} is the most")
            end = start + _LENGTH + length
            if len(left) < end:
                break
            message = bytes(left[start + _LENGTH : end])
            start = end
            yield message
        del left[:start]


def read_request(data: bytes) -> Request:
    """A request.

    Raises:
        ConnectionError: these are no request's bytes.
    """
    try:
        return _REQUEST.decode(data)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ConnectionError(f"not a request: {error}") from None


def read_answer(data: bytes) -> Answer:
    """An answer.

    Raises:
        ConnectionError: these are no answer's bytes.
    """
    try:
        return _ANSWER.decode(data)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ConnectionError(f"not an answer: {error}") from None


def failure(number: int, error: RecocoreError) -> Answer:
    """The answer that says that a call failed."""
    return Answer(number, error.code, str(error), getattr(error, "field", ""))


def raised(answer: Answer) -> RecocoreError:
    """The error that an answer tells of."""
    kind = _ERRORS.get(answer.code, RecocoreError)
    if kind is InvalidArgumentError:
        return InvalidArgumentError(str(answer.value), field=answer.field)
    return kind(str(answer.value))
