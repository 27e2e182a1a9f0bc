"""The page token: where in a list the next page begins, of which model's list, and of which request's.

A caller treats the token as opaque. It is base64url without padding over: format (1 byte), items before the page (4 bytes,
big-endian), a BLAKE2b hash of the user and the request (8 bytes), and the version of the model. The hash finds mistakes,
not forgery: a made-up token shows no more than a request without one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass

from recocore.errors import InvalidArgumentError
from recocore.service.limits import MAX_PAGE_TOKEN_CHARS

_FORMAT = 1
_HEAD = struct.Struct(">BI8s")
_LENGTH = struct.Struct(">I")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True)
class PageToken:
    """What a page token says.

    Attributes:
        version: the version of the model that ranks every page of the list.
        offset: items of the pages before.
        binding: what `bind` makes of the request.
    """

    version: str
    offset: int
    binding: bytes


def bind(user_id: str, shape: bytes) -> bytes:
    """Eight bytes that belong to a list: whose it is, and what else of the request decides on it."""
    user = user_id.encode()
    return hashlib.blake2b(_LENGTH.pack(len(user)) + user + shape, digest_size=8).digest()


def encode(token: PageToken) -> str:
    """The text of a token: ASCII letters, digits, `-` and `_` only.

    >>> decode(encode(PageToken("als-3", 20, bind("ann", b"")))).offset
    20
    """
    return encode_parts(token.version, token.offset, token.binding)


def encode_parts(version: str, offset: int, binding: bytes) -> str:
    """`encode` of the parts of a token: half the time for each answer."""
    raw = _HEAD.pack(_FORMAT, offset, binding) + version.encode()
    return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE, b"=").decode()


def decode(text: str) -> PageToken:
    """What a text says.

    Raises:
        InvalidArgumentError: it is no token, or of a format that this version does not know.
    """
    if len(text) > MAX_PAGE_TOKEN_CHARS:
        raise _refuse(f"got {len(text)} characters, no token has more than {MAX_PAGE_TOKEN_CHARS}")
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if len(raw) < _HEAD.size:
            raise _refuse("got a shortened one")
        form, offset, binding = _HEAD.unpack_from(raw)
        if form != _FORMAT:
            raise _refuse(f"got one of format {form}, this version knows format {_FORMAT}")
        return PageToken(raw[_HEAD.size :].decode(), offset, binding)
    except (UnicodeError, binascii.Error) as error:
        raise _refuse("got something else") from error


def _refuse(what: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"expected the next_page_token of a response unchanged, {what}", field="page_token")
