"""What a worker is started with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from recocore.service.config import ServerConfig
from recocore.service.events.config import StateConfig
from recocore.service.fraud.config import FraudConfig
from recocore.service.hosting.config import ExperimentConfig, ModelsConfig, ShadowConfig
from recocore.service.observe.config import LogsConfig, MetricsConfig, TracingConfig
from recocore.service.observe.observing import Observing
from recocore.service.profiles.config import ProfilesConfig
from recocore.service.rate_limits import LimitsConfig
from recocore.service.security.config import AuditConfig, AuthConfig, Security, TlsConfig


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """The settings of a worker process.

    Attributes:
        server: of its gRPC server; the port is known and shared.
        limits: how often one caller may call it.
        models: where models come from; its registry is empty where a fixed index is served.
        experiment: who is served from which alias.
        shadow: what ranks along.
        observing: what is seen of it from outside.
        security: who may call it, over what, and what is written down of that.
        number: its place among those that live.
        board: where it counts; None where nobody reads it.
        state: what keeps events.
        fraud: what decides on fraud.
        profiles: what is kept of them for profiles, and what those are made by.
    """

    server: ServerConfig
    limits: LimitsConfig
    models: ModelsConfig
    experiment: ExperimentConfig
    shadow: ShadowConfig
    observing: Observing
    security: Security = field(default_factory=Security)
    number: int = 0
    board: str | None = None
    state: StateConfig = field(default_factory=StateConfig)
    fraud: FraudConfig = field(default_factory=FraudConfig)
    profiles: ProfilesConfig = field(default_factory=ProfilesConfig)

    def to_json(self) -> str:
        """One line of text."""
        # Keys are the only bytes in it.
        return json.dumps(asdict(self), default=bytes.hex)

    @classmethod
    def from_json(cls, text: str) -> WorkerSettings:
        """The settings that `to_json` took."""
        body = json.loads(text)
        _keys_of_hex(body["server"], "pseudonym_key")
        _keys_of_hex(body["state"], "attribution_key")
        _keys_of_hex(body["security"]["audit"], "key")
        return cls(
            server=ServerConfig(**body["server"]),
            limits=LimitsConfig(**body["limits"]),
            models=ModelsConfig(**body["models"]),
            experiment=ExperimentConfig(**body["experiment"]),
            shadow=ShadowConfig(**body["shadow"]),
            observing=_observing(**body["observing"]),
            security=_security(**body["security"]),
            number=body["number"],
            board=body["board"],
            state=StateConfig(**body["state"]),
            fraud=FraudConfig(**body["fraud"]),
            profiles=ProfilesConfig(**body["profiles"]),
        )


def _keys_of_hex(section: dict[str, Any], name: str) -> None:
    if section[name] is not None:
        section[name] = bytes.fromhex(section[name])


def _security(tls: dict[str, Any], auth: dict[str, Any], audit: dict[str, Any]) -> Security:
    return Security(TlsConfig(**tls), AuthConfig(**auth), AuditConfig(**audit))


def _observing(metrics: dict[str, Any], logs: dict[str, Any], tracing: dict[str, Any]) -> Observing:
    metrics["allowed_hosts"] = tuple(metrics["allowed_hosts"])
    return Observing(MetricsConfig(**metrics), LogsConfig(**logs), TracingConfig(**tracing))
