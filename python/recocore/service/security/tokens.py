"""Bearer tokens: JSON Web Tokens (RFC 7519) under public keys of a JSON Web Key Set (RFC 7517).

A key says by its kind which algorithm its tokens have: what a token says of that is compared and never followed, so neither
`none` nor a public key used as a shared one gets in. Only public keys are taken: this service could make no token itself.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt

from recocore.errors import InvalidArgumentError
from recocore.service.security.files import read_public

if TYPE_CHECKING:
    from collections.abc import Mapping

_SETTING = "auth.jwt_keys_file"
_REQUIRED = ["aud", "exp", "iss", "sub"]
# By kty and crv; RSA keys have no curve.
_ALGORITHMS: Mapping[tuple[object, object], str] = {
    ("OKP", "Ed25519"): "EdDSA",
    ("EC", "P-256"): "ES256",
    ("RSA", None): "RS256",
}
_LEAST_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Token:
    """What a good token says.

    Attributes:
        subject: `sub`.
        roles: of its `roles`.
        expires: `exp`, seconds since 1970.
    """

    subject: str
    roles: tuple[str, ...]
    expires: float


class TokenKeys:
    """Verifies tokens under the keys of a file, as they were when it was read.

    Args:
        keys: the algorithm and the public key of each key id.
        issuer: that tokens have to name.
        audience: that tokens have to name, alone or among others.
        leeway_seconds: how far clocks may differ.
    """

    def __init__(
        self, keys: Mapping[str, tuple[str, Any]], issuer: str, audience: str, leeway_seconds: float = 0.0
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway_seconds

    @classmethod
    def read(cls, path: str, issuer: str, audience: str, leeway_seconds: float) -> TokenKeys:
        """Read a key set.

        Raises:
            NotFoundError: there is no such file.
            InvalidArgumentError: others may write it, or a key in it is not what is taken.
        """
        try:
            entries = json.loads(read_public(path, _SETTING))["keys"]
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise TypeError
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, InvalidArgumentError):
                raise
            raise _refuse(path, 'expected a JSON Web Key Set, {"keys": [...]}, got something else') from None
        keys: dict[str, tuple[str, Any]] = {}
        for place, entry in enumerate(entries):
            id_ = entry.get("kid")
            if not isinstance(id_, str) or not id_ or id_ in keys:
                raise _refuse(path, f"keys[{place}].kid: expected an id that no other key has, got {id_!r}")
            keys[id_] = _key(path, place, entry)
        return cls(keys, issuer, audience, leeway_seconds)

    def __len__(self) -> int:
        """How many keys there are."""
        return len(self._keys)

    def verify(self, text: str) -> Token | None:
        """What a token says; None where it is not good, for whatever reason. An expired one is not good."""
        try:
            algorithm, key = self._keys[jwt.get_unverified_header(text)["kid"]]
            claims = jwt.decode(
                text,
                key,
                algorithms=[algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway,
                options={"require": _REQUIRED},
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError):
            return None
        roles, subject, expires = claims.get("roles", []), claims["sub"], float(claims["exp"])
        if (
            not isinstance(roles, list)
            or not all(isinstance(role, str) for role in roles)
            or not math.isfinite(expires)
        ):
            return None
        return Token(subject, tuple(roles), expires + self._leeway)


def _key(path: str, place: int, entry: Mapping[str, Any]) -> tuple[str, Any]:
    kind = (entry.get("kty"), entry.get("crv"))
    algorithm = _ALGORITHMS.get(kind)
    if algorithm is None:
        raise _refuse(
            path, f"keys[{place}]: expected an Ed25519, P-256 or RSA key, got kty {kind[0]!r}, crv {kind[1]!r}"
        )
    if entry.get("alg", algorithm) != algorithm or entry.get("use", "sig") != "sig":
        raise _refuse(path, f"keys[{place}]: expected a key that signs with {algorithm}, got another use or algorithm")
    if "d" in entry:
        raise _refuse(
            path, f"keys[{place}]: expected a public key, got a private one; keep that with whoever makes tokens"
        )
    try:
        key = jwt.PyJWK(dict(entry), algorithm).key
    except jwt.PyJWTError as error:
        raise _refuse(path, f"keys[{place}]: expected a key, got {type(error).__name__}") from None
    if algorithm == "RS256" and key.key_size < _LEAST_RSA_BITS:
        raise _refuse(path, f"keys[{place}]: expected at least {_LEAST_RSA_BITS} bits, got {key.key_size}")
    return algorithm, key


def _refuse(path: str, what: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{_SETTING}: {path}: {what}", field=_SETTING)
