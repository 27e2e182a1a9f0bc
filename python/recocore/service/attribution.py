"""The attribution token: joins what was shown to the events that follow from it.

A caller treats the token as opaque. It is base64url without padding over: format (1 byte), issue time (milliseconds
since 1970, 8 bytes, big-endian), length of the request id (1 byte), the request id, the version of the model, and
CRC-32 of all that (4 bytes). The checksum finds damage, not forgery.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from recocore.errors import InvalidArgumentError

_FORMAT = 1
_HEAD = struct.Struct(">BQB")
_CHECKSUM = struct.Struct(">I")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# A damaged or hostile token is refused before anything is decoded.
_MAX_CHARS = 1024


@dataclass(frozen=True, slots=True)
class Attribution:
    """What an attribution token says about the ranking it came with.

    Attributes:
        served_model: the version of the model that ranked.
        request_id: the call's request id, ASCII, at most 255 characters.
        issued_at: when, aware, to the millisecond.
    """

    served_model: str
    request_id: str
    issued_at: datetime


def encode(attribution: Attribution) -> str:
    """The token of an attribution: ASCII letters, digits, `-` and `_` only.

    >>> when = datetime(2026, 1, 2, tzinfo=UTC)
    >>> decode(encode(Attribution("als-3", "r1", when))).served_model
    'als-3'
    """
    request_id = attribution.request_id.encode("ascii")
    milliseconds = (attribution.issued_at - _EPOCH) // _MILLISECOND
    body = _HEAD.pack(_FORMAT, milliseconds, len(request_id)) + request_id + attribution.served_model.encode()
    return base64.urlsafe_b64encode(body + _CHECKSUM.pack(zlib.crc32(body))).rstrip(b"=").decode()


def decode(token: str) -> Attribution:
    """What a token says.

    Raises:
        InvalidArgumentError: the token is damaged, or of a format that this version does not know.
    """
    raw = _decode_base64(token)
    body, checksum = raw[: -_CHECKSUM.size], raw[-_CHECKSUM.size :]
    if len(body) < _HEAD.size or _CHECKSUM.pack(zlib.crc32(body)) != checksum:
        raise _refuse("is damaged")
    version, milliseconds, length = _HEAD.unpack_from(body)
    if version != _FORMAT:
        raise _refuse(f"has format {version}, this version knows format {_FORMAT}")
    try:
        return Attribution(
            served_model=body[_HEAD.size + length :].decode(),
            request_id=body[_HEAD.size : _HEAD.size + length].decode("ascii"),
            issued_at=_EPOCH + milliseconds * _MILLISECOND,
        )
    except (UnicodeDecodeError, OverflowError) as error:
        raise _refuse("is damaged") from error


def _decode_base64(token: str) -> bytes:
    if len(token) > _MAX_CHARS:
        raise _refuse(f"has {len(token)} characters, at most {_MAX_CHARS} are expected")
    try:
        return base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise _refuse("is not base64url") from error


def _refuse(why: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"attribution_token {why}; pass the token of a response unchanged", field="attribution_token"
    )
