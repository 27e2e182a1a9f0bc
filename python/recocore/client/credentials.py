"""What a client shows and whom it trusts; what is secret goes over encrypted connections, or stays on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import grpc

from recocore.addresses import is_loopback
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Text, or what gives it before each call: for tokens that are renewed.
Secret: TypeAlias = str | Callable[[], str]
# PEM, or the path of a file that holds it.
Pem: TypeAlias = bytes | str | os.PathLike[str]

_AUTHORIZATION, _API_KEY = "authorization", "x-api-key"


class CallCredentials:
    """What is sent with each call.

    Args:
        token: a bearer token.
        api_key: an API key; not both.

    Raises:
        InvalidArgumentError: both are given, or one cannot be sent.
    """

    def __init__(self, token: Secret | None, api_key: Secret | None) -> None:
        if token is not None and api_key is not None:
            raise InvalidArgumentError(
                "api_key: expected a token or an API key, got both; leave one out", field="api_key"
            )
        self._name = _API_KEY if token is None else _AUTHORIZATION
        self._prefix = "" if token is None else "Bearer "
        self._secret = api_key if token is None else token
        self.metadata()

    def __bool__(self) -> bool:
        return self._secret is not None

    def __repr__(self) -> str:
        return f"CallCredentials({self._name if self else 'none'})"

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata of a call made now.

        Raises:
            InvalidArgumentError: what the caller's function gave cannot be sent.
        """
        if self._secret is None:
            return ()
        secret: Any = self._secret() if callable(self._secret) else self._secret
        # It is not repeated: this may be a secret with a mistake in it.
        if not isinstance(secret, str) or not secret or not secret.isascii() or not secret.isprintable():
            name = "api_key" if self._name == _API_KEY else "token"
            raise InvalidArgumentError(f"{name}: expected printable ASCII text, got something else", field=name)
        return ((self._name, self._prefix + secret),)


def channel_credentials(ca: Pem | None, certificate: Pem | None, key: Pem | None) -> grpc.ChannelCredentials | None:
    """TLS credentials; None where nothing asks for TLS.

    Args:
        ca: authorities that may have signed the service's certificate; with none of the three there is no TLS.
        certificate: the client's own, for mutual TLS.
        key: of that certificate.

    Raises:
        InvalidArgumentError: a file cannot be read, or a certificate is without its key.
    """
    if (certificate is None) != (key is None):
        missing = "key" if key is None else "certificate"
        raise InvalidArgumentError(
            f"{missing}: expected it beside the other of certificate and key, got none", field=missing
        )
    if ca is None and certificate is None:
        return None
    roots, own_key, own = _pem(ca, "ca"), _pem(key, "key"), _pem(certificate, "certificate")
    return grpc.ssl_channel_credentials(roots, own_key, own)


def check_way(target: str, credentials: CallCredentials, *, is_encrypted: bool) -> None:
    """Let secrets go nowhere in plain text but to this machine.

    Raises:
        InvalidArgumentError: they would.
    """
    if credentials and not is_encrypted and not stays_here(target):
        raise InvalidArgumentError(
            f"target: expected TLS or a loopback address, since credentials go there, got {target}; name the authority of its "
            "certificate in ca",
            field="target",
        )


def stays_here(target: str) -> bool:
    """Whether a gRPC target is on this machine.

    >>> stays_here("127.0.0.1:50051"), stays_here("dns:///localhost:1"), stays_here("unix:/run/recocore.sock")
    (True, True, True)
    >>> stays_here("recocore.internal:50051"), stays_here("ipv4:127.0.0.1:1,10.0.0.1:1"), stays_here("dns://8.8.8.8/localhost")
    (False, False, False)
    """
    scheme, separator, rest = target.partition(":")
    if separator and scheme in {"unix", "unix-abstract"}:
        return True
    if separator and scheme in {"dns", "ipv4", "ipv6"}:
        if scheme == "dns" and rest.startswith("//"):
            server, _, rest = rest.removeprefix("//").partition("/")
            if server:
                return False
    else:
        rest = target
    return all(_host_stays(part) for part in rest.split(","))


def _host_stays(part: str) -> bool:
    if is_loopback(part):
        return True
    try:
        return is_loopback(urlsplit(f"//{part}").hostname or "")
    except ValueError:
        return False


def _pem(given: Pem | None, name: str) -> bytes | None:
    if given is None or isinstance(given, bytes):
        return given
    try:
        return Path(given).read_bytes()
    except OSError as error:
        raise InvalidArgumentError(f"{name}: {given}: cannot be read: {error.strerror}", field=name) from error


def with_name(options: Sequence[tuple[str, object]], server_name: str | None) -> tuple[tuple[str, object], ...]:
    """Channel options, with the name that the service's certificate has to be for."""
    return (*options, *((("grpc.ssl_target_name_override", server_name),) if server_name is not None else ()))
