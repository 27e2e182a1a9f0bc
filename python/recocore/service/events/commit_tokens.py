"""The commit token: which commit of a state a caller has been told of.

A caller treats the token as opaque. It is base64url without padding over: format (1 byte), number of the commit (8 bytes,
big-endian). It is no secret and no right: a made-up one makes its own call wait in vain.
"""

from __future__ import annotations

import base64
import binascii
import struct

from recocore.errors import InvalidArgumentError
from recocore.service.limits import MAX_COMMIT_TOKEN_CHARS

_FORMAT = 1
_BODY = struct.Struct(">BQ")


def encode(commit: int) -> str:
    """The token of a commit: ASCII letters, digits, `-` and `_` only.

    >>> decode(encode(7))
    7
    """
    return base64.urlsafe_b64encode(_BODY.pack(_FORMAT, commit)).rstrip(b"=").decode()


def decode(token: str) -> int:
    """The commit of a token.

    Raises:
        InvalidArgumentError: it is no token, or of a format that this version does not know.
    """
    if len(token) > MAX_COMMIT_TOKEN_CHARS:
        raise _refuse(f"got {len(token)} characters, no token has more than {MAX_COMMIT_TOKEN_CHARS}")
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        form, commit = _BODY.unpack(raw)
    except (UnicodeError, binascii.Error, struct.error):
        raise _refuse("got something else") from None
    if form != _FORMAT:
        raise _refuse(f"got one of format {form}, this version knows format {_FORMAT}")
    return int(commit)


def _refuse(what: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"min_commit_token: expected the commit_token of a response unchanged, {what}", field="min_commit_token"
    )
