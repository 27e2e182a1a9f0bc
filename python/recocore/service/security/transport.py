"""What may be reached over what: nothing beyond this machine without encryption, unless somebody said so."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from recocore.addresses import is_loopback
from recocore.errors import InvalidArgumentError
from recocore.service.logs import log

if TYPE_CHECKING:
    from recocore.service.config import ServerConfig
    from recocore.service.door.config import HttpConfig
    from recocore.service.observe.config import MetricsConfig
    from recocore.service.security.config import Security


def check_transport(
    security: Security, server: ServerConfig, http: HttpConfig | None, metrics: MetricsConfig, *, control: bool
) -> tuple[str, ...]:
    """The ports that are open beyond this machine without encryption, which somebody allowed.

    Args:
        security: what is encrypted, and who may call.
        server: where gRPC listens.
        http: where the HTTP/JSON door listens, if anywhere.
        metrics: where metrics and the page are.
        control: whether ModelService is served.

    Raises:
        InvalidArgumentError: a port would be open without anybody having allowed it, or settings contradict each other.
    """
    hosts = {"server.host": server.host}
    if http is not None and http.port:
        hosts["http.host"] = http.host
    if metrics.enabled:
        hosts["metrics.host"] = metrics.host
    tls, auth = security.tls, security.auth
    far = {name: host for name, host in hosts.items() if not is_loopback(host)}
    if far and not tls.is_on and not tls.allow_plaintext:
        name, host = next(iter(far.items()))
        raise InvalidArgumentError(
            f"{name}: expected a loopback address, since nothing is encrypted, got {host}; set tls.certificate_file and "
            "tls.key_file, or tls.allow_plaintext = true where a proxy before it encrypts",
            field=name,
        )
    if control and "server.host" in far and not auth.enabled:
        raise InvalidArgumentError(
            f"models.control: expected a loopback host, since whoever connects may move aliases, got {server.host}; "
            "set auth.enabled, or leave control off and move aliases with `recocore registry`",
            field="models.control",
        )
    if tls.client_ca_file and "http.host" in hosts and not tls.own_certificate_file:
        raise InvalidArgumentError(
            "tls.own_certificate_file: expected a certificate, since callers need one and the HTTP/JSON door is a caller of "
            "the workers, got none; set it and tls.own_key_file, or close the door",
            field="tls.own_certificate_file",
        )
    if auth.enabled and not (auth.api_keys_file or auth.jwt_keys_file or tls.client_ca_file):
        raise InvalidArgumentError(
            "auth.enabled: expected a way to know callers, got none; set auth.api_keys_file, auth.jwt_keys_file or "
            "tls.client_ca_file",
            field="auth.enabled",
        )
    if security.audit.folder and server.pseudonym_key is None:
        raise InvalidArgumentError(
            "server.pseudonym_key_file: expected a key, since the audit log names callers by pseudonyms that have to "
            "last, got none; have `head -c 32 /dev/urandom | base64` write one to a file",
            field="server.pseudonym_key_file",
        )
    return () if tls.is_on else tuple(far)


def warn_of_plaintext(ports: tuple[str, ...]) -> None:
    """Say in the log which ports anybody on the way may read and change."""
    for name in ports:
        log(logging.WARNING, "open beyond this machine without encryption, as tls.allow_plaintext says", setting=name)
