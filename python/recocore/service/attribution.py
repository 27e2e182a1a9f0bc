"""The attribution token: joins what was shown to the events that follow from it.

A caller treats the token as opaque. It is base64url without padding over: format (1 byte: 2), issue time (milliseconds since
1970, 8 bytes, big-endian), four texts in UTF-8, each behind its length (2 bytes): request id, version of the model, id of
the experiment and variant, both empty where there was none; and CRC-32 of all that (4 bytes). The checksum finds damage, not
forgery: for that a service with a key issues format 3, which is the same with the first 16 bytes of HMAC-SHA256 (RFC 2104), of
all that stands before, at its end. Tokens of format 1, which knew no experiments, are still read: behind the time stand the
length of the request id (1 byte), the request id, and the version up to the checksum.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hmac
import struct
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from recocore.errors import InvalidArgumentError
from recocore.service.limits import MAX_ATTRIBUTION_TOKEN_CHARS

_FORMAT, _SIGNED_FORMAT = 2, 3
_HEAD = struct.Struct(">BQ")
_LENGTH = struct.Struct(">H")
_CHECKSUM = struct.Struct(">I")
_SIGNATURE_BYTES = 16
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Attribution:
    """What an attribution token says about the ranking it came with.

    Attributes:
        served_model: the version of the model that ranked.
        request_id: the call's request id, ASCII, at most 255 characters.
        issued_at: when, aware, to the millisecond.
        experiment: the id of the experiment that the answer was part of; empty for none.
        variant: the variant of that experiment; empty for none.
    """

    served_model: str
    request_id: str
    issued_at: datetime
    experiment: str = ""
    variant: str = ""


def encode(attribution: Attribution, key: bytes | None = None) -> str:
    """The token of an attribution, signed where there is a key: ASCII letters, digits, `-` and `_` only.

    >>> when = datetime(2026, 1, 2, tzinfo=UTC)
    >>> decode(encode(Attribution("als-3", "r1", when))).served_model
    'als-3'
    """
    served = (attribution.served_model, attribution.experiment, attribution.variant)
    return encode_parts((attribution.issued_at - _EPOCH) // _MILLISECOND, attribution.request_id, served, key)


def encode_parts(milliseconds: int, request_id: str, served: tuple[str, str, str], key: bytes | None = None) -> str:
    """`encode` of the milliseconds since 1970, and of model, experiment and variant: a third of the time for each answer."""
    form = _FORMAT if key is None else _SIGNED_FORMAT
    body = _HEAD.pack(form, milliseconds) + _packed(request_id) + _packed_served(served)
    body += _CHECKSUM.pack(zlib.crc32(body))
    if key is not None:
        body += _signature(body, key)
    return binascii.b2a_base64(body, newline=False).translate(_URL_SAFE, b"=").decode()


def _packed(text: str) -> bytes:
    data = text.encode()
    return _LENGTH.pack(len(data)) + data


# A server answers from a few models.
@functools.lru_cache(maxsize=64)
def _packed_served(served: tuple[str, str, str]) -> bytes:
    return b"".join(map(_packed, served))


def decode(token: str, key: bytes | None = None) -> Attribution:
    """What a token says.

    Args:
        token: of a response.
        key: of the service that issued it, to find forgery; None finds damage alone.

    Raises:
        InvalidArgumentError: the token is damaged, of a format that this version does not know or, where there is a key,
            not signed with it.
    """
    raw = _decode_base64(token)
    if raw[:1] == bytes([_SIGNED_FORMAT]):
        raw, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
        if key is not None and not hmac.compare_digest(_signature(raw, key), signature):
            raise _refuse("is not signed with this service's key")
    elif key is not None:
        raise _refuse("is not signed")
    body, checksum = raw[: -_CHECKSUM.size], raw[-_CHECKSUM.size :]
    if len(body) < _HEAD.size or _CHECKSUM.pack(zlib.crc32(body)) != checksum:
        raise _refuse("is damaged")
    version, milliseconds = _HEAD.unpack_from(body)
    if version not in _READ:
        raise _refuse(f"has format {version}, this version knows formats 1 to {_SIGNED_FORMAT}")
    try:
        request_id, model, experiment, variant = _READ[version](body[_HEAD.size :])
        return Attribution(
            served_model=model.decode(),
            request_id=request_id.decode("ascii"),
            issued_at=_EPOCH + milliseconds * _MILLISECOND,
            experiment=experiment.decode(),
            variant=variant.decode(),
        )
    except (UnicodeDecodeError, OverflowError, ValueError, struct.error) as error:
        raise _refuse("is damaged") from error


def _read_format_1(rest: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    if not rest:
        raise ValueError("it ends before the request id")
    end = 1 + rest[0]
    return rest[1:end], rest[end:], b"", b""


def _read_format_2(rest: bytes) -> list[bytes]:
    texts = []
    while rest:
        (length,) = _LENGTH.unpack_from(rest)
        end = _LENGTH.size + length
        if end > len(rest):
            raise ValueError("a text ends behind the token")
        texts.append(rest[_LENGTH.size : end])
        rest = rest[end:]
    return texts


_READ = {1: _read_format_1, _FORMAT: _read_format_2, _SIGNED_FORMAT: _read_format_2}


def _signature(signed: bytes, key: bytes) -> bytes:
    return hmac.digest(key, signed, "sha256")[:_SIGNATURE_BYTES]


def _decode_base64(token: str) -> bytes:
    # A damaged or hostile token is refused before anything is decoded.
    if len(token) > MAX_ATTRIBUTION_TOKEN_CHARS:
        raise _refuse(f"has {len(token)} characters, at most {MAX_ATTRIBUTION_TOKEN_CHARS} are expected")
    try:
        return base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise _refuse("is not base64url") from error


def _refuse(why: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"attribution_token {why}; pass the token of a response unchanged", field="attribution_token"
    )
