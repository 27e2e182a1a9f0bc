"""Between the bytes of a message and the message."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import DecodeError, Message

from recocore.service import limits
from recocore.service.problems import InvalidRequestError, MalformedRequestError, ResponseTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_M = TypeVar("_M", bound=Message)
_T = TypeVar("_T")
_V = TypeVar("_V")


def parse(kind: type[_M], data: bytes) -> _M:
    """The message in the bytes of a request.

    Raises:
        MalformedRequestError: the bytes are no such message.
    """
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise MalformedRequestError(f"the request is not a {kind.DESCRIPTOR.full_name}") from error


def serialize(message: Message) -> bytes:
    """The bytes of a response.

    Raises:
        ResponseTooLargeError: they are more than a message may have.
    """
    data = bytes(message.SerializeToString())
    if len(data) > limits.MAX_MESSAGE_BYTES:
        raise ResponseTooLargeError(len(data))
    return data


def sound(
    values: Iterable[_V], path: str, make: Callable[[_V, str], _T]
) -> tuple[list[_T], list[int], dict[int, InvalidRequestError]]:
    """What each of several values of a request becomes, the place of each, and what is wrong with the others, by place.

    Args:
        values: of the repeated field.
        path: its name.
        make: is given a value and its own path, such as `events[3]`.
    """
    made: list[_T] = []
    places: list[int] = []
    errors: dict[int, InvalidRequestError] = {}
    for place, value in enumerate(values):
        try:
            made.append(make(value, f"{path}[{place}]"))
            places.append(place)
        except InvalidRequestError as error:
            errors[place] = error
    return made, places, errors
