"""Certificates: what the ports show, whom they trust, and how both change while they serve.

gRPC asks for the files' content before each handshake; connections that are open stay. Where what changed cannot be used, the
last that could is used on, and the log says so.
"""

from __future__ import annotations

import logging
import os
import ssl
from typing import TYPE_CHECKING, Generic, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from recocore.errors import InvalidArgumentError, RecocoreError
from recocore.service.logs import log
from recocore.service.security.config import TLS_1_3_ENVIRONMENT
from recocore.service.security.files import read_private, read_public, version_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc

    from recocore.service.security.config import TlsConfig
    from recocore.service.security.files import Version

_T = TypeVar("_T")


class Pair:
    """A certificate chain and its private key, which belong together.

    Attributes:
        chain: PEM, the certificate first.
        key: PEM.
        names: for which hosts the certificate holds.
    """

    __slots__ = ("chain", "key", "names")

    def __init__(self, chain: bytes, key: bytes, setting: str) -> None:
        certificate = _certificates(chain, setting)[0]
        try:
            private = load_pem_private_key(key, None)
        except (ValueError, TypeError) as error:
            # What the library says may quote the file.
            raise InvalidArgumentError(
                f"{setting}: expected a private key as PEM without a passphrase beside it, got {type(error).__name__}",
                field=setting,
            ) from None
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if private.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
            raise InvalidArgumentError(
                f"{setting}: expected the certificate of the private key beside it, got another", field=setting
            )
        self.chain, self.key = chain, key
        self.names = _names(certificate)

    def __repr__(self) -> str:
        return f"Pair(names={self.names})"


class Reloading(Generic[_T]):
    """What some files say, read again when one of them changes; not read twice where that fails.

    Args:
        paths: the files.
        load: reads them.
        what: names it in the log.

    Raises:
        RecocoreError: they cannot be used at first.
    """

    def __init__(self, paths: tuple[str, ...], load: Callable[[], _T], what: str) -> None:
        self._paths, self._load, self._what = paths, load, what
        self._versions = self._seen()
        self.value = load()

    def look(self) -> bool:
        """Whether there is something new in `value`. A look costs one `stat` a file."""
        versions = self._seen()
        if versions == self._versions:
            return False
        self._versions = versions
        try:
            self.value = self._load()
        except RecocoreError as error:
            log(logging.ERROR, f"{self._what} changed and cannot be used; the last stays in use", error=str(error))
            return False
        log(logging.INFO, f"{self._what} changed; the new is in use")
        return True

    def _seen(self) -> tuple[Version | None, ...]:
        return tuple(map(version_of, self._paths))


def read_pair(config: TlsConfig) -> Pair:
    """What the service's ports show.

    Raises:
        NotFoundError: a file is not there.
        InvalidArgumentError: it cannot be used.
    """
    chain = read_public(config.certificate_file, "tls.certificate_file")
    return Pair(chain, read_private(config.key_file, "tls.key_file"), "tls.certificate_file")


def read_client_ca(config: TlsConfig) -> bytes | None:
    """The authorities of callers' certificates, PEM; None where callers need none."""
    if not config.client_ca_file:
        return None
    found = read_public(config.client_ca_file, "tls.client_ca_file")
    _certificates(found, "tls.client_ca_file")
    return found


def read_own_pair(config: TlsConfig) -> Pair | None:
    """What the door and the page show to the workers; None where that takes no certificate."""
    if not config.own_certificate_file:
        return None
    chain = read_public(config.own_certificate_file, "tls.own_certificate_file")
    return Pair(chain, read_private(config.own_key_file, "tls.own_key_file"), "tls.own_certificate_file")


def check_files(config: TlsConfig) -> str:
    """Read everything once: what the certificate is for, and until when.

    Raises:
        NotFoundError: a file is not there.
        InvalidArgumentError: one cannot be used.
    """
    pair = read_pair(config)
    read_client_ca(config)
    read_own_pair(config)
    until = _certificates(pair.chain, "tls.certificate_file")[0].not_valid_after_utc
    mutual = ", callers need one too" if config.client_ca_file else ""
    return f"certificate for {', '.join(pair.names) or 'nobody'} until {until:%Y-%m-%d %H:%M} UTC{mutual}"


def server_credentials(config: TlsConfig) -> grpc.ServerCredentials:
    """Credentials of a gRPC port that follow the files.

    Raises:
        NotFoundError: a file is not there.
        InvalidArgumentError: one cannot be used.
    """
    import grpc  # noqa: PLC0415  # the supervisor and the page use this module, and no gRPC

    if TLS_1_3_ENVIRONMENT.items() - os.environ.items():
        log(logging.WARNING, "TLS 1.2 is taken too: this process was started without GRPC_SSL_CIPHER_SUITES")

    def load() -> grpc.ServerCertificateConfiguration:
        pair = read_pair(config)
        return grpc.ssl_server_certificate_configuration([(pair.key, pair.chain)], read_client_ca(config))

    files = Reloading(_paths(config), load, "the certificate")

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        return files.value if files.look() else None

    return grpc.dynamic_ssl_server_credentials(
        files.value,
        fetch,  # type: ignore[arg-type]  # its types lack None, which gRPC takes for "no change"
        require_client_authentication=bool(config.client_ca_file),
    )


class HttpsContext:
    """The TLS of an HTTP port; its certificate and whom it trusts follow the files.

    A context takes further authorities and lets none go, so each change makes another. A server keeps the first, which hands
    each new connection over to the last.

    Attributes:
        context: for every connection.
    """

    def __init__(self, config: TlsConfig) -> None:
        self._files = Reloading(_paths(config), lambda: _https_context(config), "the certificate of an HTTP port")
        self.context = self._files.value
        # Called before a certificate is shown or asked for, by clients that name no host too.
        self.context.sni_callback = self._hand_over

    def look(self) -> None:
        """Show, and trust, what the files hold now for those who connect from now on."""
        self._files.look()

    def _hand_over(self, connection: ssl.SSLObject | ssl.SSLSocket, host: str | None, first: ssl.SSLContext) -> None:
        connection.context = self._files.value


def _https_context(config: TlsConfig) -> ssl.SSLContext:
    read_pair(config)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(config.certificate_file, config.key_file)
    authorities = read_client_ca(config)
    if authorities is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=authorities.decode())
        # A session that is resumed shows no certificate again, though its authority may be gone.
        context.num_tickets = 0
    return context


class OwnCredentials:
    """Credentials with which this service calls itself: it trusts exactly its own certificate.

    Attributes:
        value: channel credentials, and the options that go with them.
    """

    def __init__(self, config: TlsConfig) -> None:
        import grpc  # noqa: PLC0415  # see server_credentials

        def load() -> tuple[grpc.ChannelCredentials, tuple[tuple[str, str], ...]]:
            pair, own = read_pair(config), read_own_pair(config)
            made = grpc.ssl_channel_credentials(pair.chain, own.key if own else None, own.chain if own else None)
            # It is called by address, for which few certificates hold.
            names = tuple(("grpc.ssl_target_name_override", name.replace("*", "any")) for name in pair.names[:1])
            return made, names

        paths = (*_paths(config), config.own_certificate_file, config.own_key_file)
        self._files = Reloading(tuple(filter(None, paths)), load, "the certificate of the service's own calls")
        self.value = self._files.value

    def look(self) -> bool:
        """Whether there is something new in `value`."""
        changed = self._files.look()
        self.value = self._files.value
        return changed


def _paths(config: TlsConfig) -> tuple[str, ...]:
    return tuple(filter(None, (config.certificate_file, config.key_file, config.client_ca_file)))


def _certificates(pem: bytes, setting: str) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise InvalidArgumentError(f"{setting}: expected certificates as PEM: {error}", field=setting) from None
    return found


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress)))
