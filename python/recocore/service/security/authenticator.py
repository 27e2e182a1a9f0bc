"""From credentials to callers: verified once, then remembered until they expire or a file changes."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from recocore.service.logs import Pseudonyms
from recocore.service.security.api_keys import ApiKeys
from recocore.service.security.caller import Caller, UnauthenticatedError
from recocore.service.security.roles import read_roles
from recocore.service.security.tls import Reloading
from recocore.service.security.tokens import TokenKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from recocore.service.security.config import AuthConfig

API_KEY = "x-api-key"
AUTHORIZATION = "authorization"
_BEARER = "bearer "
# Bad credentials are remembered apart, so that they push out no good ones: who goes on with a stale token costs little.
_REFUSED_CACHED = 1_024
# What is not good now may be later: a token of an issuer whose clock is ahead.
_REFUSED_SECONDS = 5.0


class Authenticator:
    """Knows callers by API keys, bearer tokens and certificates; used on one event loop.

    A known credential costs 2 us: its SHA-256 and a look-up.

    Args:
        config: which files.
        pseudonyms: names callers for logs.
        clock: seconds since 1970.

    Raises:
        NotFoundError: a file is not there.
        InvalidArgumentError: a file cannot be used.
    """

    def __init__(self, config: AuthConfig, pseudonyms: Pseudonyms, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._known: OrderedDict[bytes, Caller] = OrderedDict()
        # Until when each is remembered.
        self._refused: OrderedDict[bytes, float] = OrderedDict()
        self._certificates: dict[tuple[str, ...], Caller] = {}
        self._roles = Reloading((config.roles_file,), lambda: read_roles(config.roles_file), "the file of roles")
        self._keys = Reloading((config.api_keys_file,), self._read_keys, "the file of API keys")
        self._tokens = Reloading((config.jwt_keys_file,), self._read_tokens, "the file of token keys")

    @property
    def known(self) -> str:
        """Who is known, for people."""
        keys, tokens, roles = self._keys.value.keys, self._tokens.value, self._roles.value
        said = [f"{len(keys)} API keys of {len({key.caller for key in keys})} callers"]
        if tokens is not None:
            said.append(f"tokens of {self._config.jwt_issuer} under {len(tokens)} keys")
        if roles.certificates:
            said.append(f"{len(roles.certificates)} names in certificates")
        return ", ".join(said)

    async def look(self) -> None:
        """Read the files that have changed, and forget what was known by them. Cheap where none has."""
        files = (self._roles, self._keys, self._tokens)
        if any(await asyncio.to_thread(lambda: [each.look() for each in files])):
            self._known.clear()
            self._refused.clear()
            self._certificates.clear()

    def by_credential(self, credential: str) -> Caller:
        """Who sent an API key, or `Bearer` and a token.

        Raises:
            UnauthenticatedError: it is not good.
        """
        digest = hashlib.sha256(credential.encode("utf-8", "surrogatepass")).digest()
        caller = self._known.get(digest)
        if caller is None:
            caller = self._verified(credential, digest)
        elif caller.expires <= self._clock():
            del self._known[digest]
            raise UnauthenticatedError
        else:
            self._known.move_to_end(digest)
        return caller

    def by_certificate(self, names: Iterable[str]) -> Caller:
        """Who has a certificate with these names, each of which may have roles.

        Raises:
            UnauthenticatedError: none has.
        """
        key = tuple(names)
        caller = self._certificates.get(key)
        if caller is None:
            by_name = self._roles.value.certificates
            known = [name for name in key if name in by_name]
            if not known:
                raise UnauthenticatedError
            roles = [role for name in known for role in by_name[name]]
            caller = self._caller(f"certificate:{known[0]}", roles, math.inf)
            # Names are as many as the file has: only those of its certificates come here.
            self._certificates[key] = caller
            if len(self._certificates) > self._config.cached:
                self._certificates.clear()
        return caller

    def _verified(self, credential: str, digest: bytes) -> Caller:
        now = self._clock()
        if self._refused.get(digest, 0.0) > now:
            raise UnauthenticatedError
        caller = self._verify(credential)
        if caller is None or caller.expires <= now:
            self._refused[digest] = now + _REFUSED_SECONDS
            if len(self._refused) > _REFUSED_CACHED:
                self._refused.popitem(last=False)
            raise UnauthenticatedError
        self._known[digest] = caller
        if len(self._known) > self._config.cached:
            self._known.popitem(last=False)
        return caller

    def _verify(self, credential: str) -> Caller | None:
        if credential[: len(_BEARER)].lower() != _BEARER:
            key = self._keys.value.find(credential)
            return None if key is None else self._caller(f"key:{key.caller}", key.roles, key.expires)
        if self._tokens.value is None:
            return None
        token = self._tokens.value.verify(credential[len(_BEARER) :].strip())
        return None if token is None else self._caller(f"token:{token.subject}", token.roles, token.expires)

    def _caller(self, name: str, roles: Iterable[str], expires: float) -> Caller:
        return Caller(name, self._pseudonyms.of(name), self._roles.value.paths(roles), expires)

    def _read_keys(self) -> ApiKeys:
        return ApiKeys.read(self._config.api_keys_file) if self._config.api_keys_file else ApiKeys()

    def _read_tokens(self) -> TokenKeys | None:
        config = self._config
        if not config.jwt_keys_file:
            return None
        return TokenKeys.read(config.jwt_keys_file, config.jwt_issuer, config.jwt_audience, config.jwt_leeway_seconds)


def check_callers(config: AuthConfig) -> str:
    """Read every file of callers once: who is known.

    Raises:
        NotFoundError: a file is not there.
        InvalidArgumentError: a file cannot be used.
    """
    made = Authenticator(config, Pseudonyms(None))
    return made.known


def credential_of(metadata: Iterable[tuple[str, str | bytes]]) -> str | None:
    """The credential that a call sends: its API key, or its `authorization`; None where it has none.

    Raises:
        UnauthenticatedError: it sends several, and it is not for this side to choose.
    """
    found: str | None = None
    for key, value in metadata:
        if key in _CREDENTIALS:
            if found is not None or not isinstance(value, str):
                raise UnauthenticatedError
            found = value
    return found


def names_of(auth_context: Mapping[str, Iterable[bytes]]) -> tuple[str, ...]:
    """The names in the certificate of a connection, as gRPC's context of a call has them; none without a certificate."""
    # Where there are alternative names, the common name is a text for people (RFC 6125, section 6.4.4).
    for entry in ("x509_subject_alternative_name", "x509_common_name"):
        if names := auth_context.get(entry):
            return tuple(name.decode("utf-8", "replace") for name in names)
    return ()


_CREDENTIALS = frozenset({API_KEY, AUTHORIZATION})
