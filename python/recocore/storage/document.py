"""A JSON document with one spelling and its own digest, so that damage cannot hide in it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, TypeVar

from recocore.errors import CorruptError

if TYPE_CHECKING:
    from collections.abc import Mapping

_T = TypeVar("_T")


def seal(body: Mapping[str, Any]) -> bytes:
    """The one spelling of a document, its digest added as the last key.

    Raises:
        TypeError, ValueError, RecursionError: the body holds what JSON cannot.
    """
    return render({**body, "digest": digest(body)})


def render(body: Mapping[str, Any]) -> bytes:
    """A body as JSON, in its order."""
    return (json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def digest(body: Mapping[str, Any]) -> str:
    """The SHA-256 of a body, hexadecimal."""
    return hashlib.sha256(render(body)).hexdigest()


def parse(data: bytes) -> dict[str, Any]:
    """The object in a JSON document.

    Raises:
        CorruptError: there is none.
    """
    try:
        body = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise CorruptError(f"expected a JSON object, got {type(body).__name__}")
    return body


def take(body: Mapping[str, Any], key: str, kind: type[_T]) -> _T:
    """The value of a key, of exactly this type.

    Raises:
        CorruptError: it is missing or of another.
    """
    value = body.get(key)
    if type(value) is not kind:
        raise CorruptError(f"{key}: expected {kind.__name__}, got {value!r:.60}")
    return value


def count(body: Mapping[str, Any], key: str) -> int:
    """A whole number of at least 0.

    Raises:
        CorruptError: it is missing or something else.
    """
    number = take(body, key, int)
    if not 0 <= number < 2**63:
        raise CorruptError(f"{key}: expected at least 0 and less than 2**63, got {number}")
    return number
