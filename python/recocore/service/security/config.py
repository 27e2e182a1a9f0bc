"""The settings of transport, callers and the audit log: sections of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

# gRPC for Python has no setting for the least version. Of TLS 1.2 it offers the suites named here, of 1.3 all: this one needs
# a key shared beforehand, which no port has, so that a handshake of 1.2 ends without a suite in common. It is read when gRPC is
# imported, and so has to stand in the environment of a process that is started.
TLS_1_3_ENVIRONMENT = {"GRPC_SSL_CIPHER_SUITES": "ECDHE-PSK-CHACHA20-POLY1305"}


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """Encryption of every port of the service: section `[tls]`. All files are PEM and are read again when they change.

    Attributes:
        certificate_file: the service's certificate, then those between it and its authority; empty for no TLS.
        key_file: its private key, which nobody else may read.
        client_ca_file: authorities of callers' certificates; where it is set, a caller without such a certificate gets no
            connection (mutual TLS).
        own_certificate_file: where callers need certificates, the one that the HTTP/JSON door and the page show to the workers.
        own_key_file: its private key.
        allow_plaintext: whether ports beyond loopback may do without TLS, as behind a proxy that has it. Each start logs it.

    Raises:
        InvalidArgumentError: settings that need each other are not all there; `field` names one of them.
    """

    certificate_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    own_certificate_file: str = ""
    own_key_file: str = ""
    allow_plaintext: bool = False

    def __post_init__(self) -> None:
        for one, other in (("certificate_file", "key_file"), ("own_certificate_file", "own_key_file")):
            for name, needed in ((one, other), (other, one)):
                if getattr(self, name) and not getattr(self, needed):
                    raise _missing(f"tls.{needed}", f"tls.{name} is set")
        for name in ("client_ca_file", "own_certificate_file"):
            if getattr(self, name) and not self.certificate_file:
                raise _missing("tls.certificate_file", f"tls.{name} is set")

    @property
    def is_on(self) -> bool:
        """Whether the ports speak TLS."""
        return bool(self.certificate_file)


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """Who may call which method: section `[auth]`. All files are read again when they change.

    Attributes:
        enabled: whether callers need credentials. Without, whoever reaches a port may call everything that is served.
        roles_file: TOML: `[roles]` lists the methods of each role, `[certificates]` the roles of names in certificates;
            empty for the roles that recocore has (`recocore keys roles` prints them).
        api_keys_file: API keys, as `recocore keys` writes them; empty for none.
        jwt_keys_file: public keys that bearer tokens are signed with, a JSON Web Key Set; empty for no tokens.
        jwt_issuer: what tokens have to name as `iss`.
        jwt_audience: what tokens have to name in `aud`.
        jwt_leeway_seconds: how far the clocks of issuer and service may differ.
        open_health: whether grpc.health.v1.Health/Check answers without credentials, as load balancers ask.
        reload_seconds: between two looks at the files: a revoked key works no longer than this.
        cached: verified credentials that are remembered by each worker, by their SHA-256; who was not seen for longest is
            forgotten first.

    Raises:
        InvalidArgumentError: a setting is out of range, or one is missing; `field` names it.
    """

    enabled: bool = False
    roles_file: str = ""
    api_keys_file: str = ""
    jwt_keys_file: str = ""
    jwt_issuer: str = ""
    jwt_audience: str = ""
    jwt_leeway_seconds: float = 30.0
    open_health: bool = True
    reload_seconds: float = 2.0
    cached: int = 10_000

    def __post_init__(self) -> None:
        _in_range("auth.jwt_leeway_seconds", self.jwt_leeway_seconds, 0, 300)
        _in_range("auth.reload_seconds", self.reload_seconds, 0.01, 3_600)
        _in_range("auth.cached", self.cached, 1, 10_000_000)
        if self.jwt_keys_file:
            # A token for another service, or of another issuer with the same keys, is no token for this one.
            for name in ("jwt_issuer", "jwt_audience"):
                if not getattr(self, name):
                    raise _missing(f"auth.{name}", "auth.jwt_keys_file is set")


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """What is written down of denials and of calls that change or reveal much: section `[audit]`.

    Attributes:
        folder: where each worker keeps its chain of lines; empty for no audit log.
        key: of the hashes that chain the lines, so that nobody without it can write a chain anew; None for plain SHA-256.
        segment_mb: a file that has grown beyond this is followed by a new one.
        keep_segments: files that are kept of each chain; 0 keeps all.
        anchor_seconds: how often the log tells the end of each chain that has grown, for `recocore audit verify --anchors`.
        denials_per_second: denials that get a line of their own; of more, a line a second says how many and why.

    Raises:
        InvalidArgumentError: a setting is out of range; `field` names it.
    """

    folder: str = ""
    key: bytes | None = field(default=None, repr=False)
    segment_mb: float = 64.0
    keep_segments: int = 0
    anchor_seconds: float = 60.0
    denials_per_second: float = 100.0

    def __post_init__(self) -> None:
        _in_range("audit.segment_mb", self.segment_mb, 0.001, 4_096)
        _in_range("audit.keep_segments", self.keep_segments, 0, 1_000_000)
        _in_range("audit.anchor_seconds", self.anchor_seconds, 0.01, 86_400)
        _in_range("audit.denials_per_second", self.denials_per_second, 0, 100_000)


@dataclass(frozen=True, slots=True)
class Security:
    """Who may call, over what, and what is written down of it: three sections of the settings."""

    tls: TlsConfig = field(default_factory=TlsConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)


def process_environment(config: TlsConfig) -> Mapping[str, str]:
    """What has to stand in the environment of a process that serves gRPC or calls it."""
    return TLS_1_3_ENVIRONMENT if config.is_on else {}


def _missing(name: str, since: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{name}: expected a value, since {since}, got none; set it too", field=name)


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InvalidArgumentError(f"{name}: expected {low} to {high}, got {value}", field=name)
