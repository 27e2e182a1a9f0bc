"""What a worker is started with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from recocore.service.config import ServerConfig
from recocore.service.events.config import StateConfig
from recocore.service.hosting.config import ExperimentConfig, ModelsConfig, ShadowConfig
from recocore.service.observe.config import LogsConfig, MetricsConfig, TracingConfig
from recocore.service.observe.observing import Observing
from recocore.service.rate_limits import LimitsConfig

# Secrets, which travel in hexadecimal digits.
_KEYS = (("server", "pseudonym_key"), ("state", "attribution_key"))


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
        board: where it counts; None where nobody reads it.
        state: what keeps events.
    """

    server: ServerConfig
    limits: LimitsConfig
    models: ModelsConfig
    experiment: ExperimentConfig
    shadow: ShadowConfig
    observing: Observing
    board: str | None = None
    state: StateConfig = field(default_factory=StateConfig)

    def to_json(self) -> str:
        """One line of text."""
        return json.dumps(asdict(self), default=bytes.hex)

    @classmethod
    def from_json(cls, text: str) -> WorkerSettings:
        """The settings that `to_json` took."""
        body = json.loads(text)
        for section, name in _KEYS:
            key = body[section][name]
            body[section][name] = None if key is None else bytes.fromhex(key)
        return cls(
            server=ServerConfig(**body["server"]),
            limits=LimitsConfig(**body["limits"]),
            models=ModelsConfig(**body["models"]),
            experiment=ExperimentConfig(**body["experiment"]),
            shadow=ShadowConfig(**body["shadow"]),
            observing=_observing(**body["observing"]),
            board=body["board"],
            state=StateConfig(**body["state"]),
        )


def _observing(metrics: dict[str, Any], logs: dict[str, Any], tracing: dict[str, Any]) -> Observing:
    metrics["allowed_hosts"] = tuple(metrics["allowed_hosts"])
    return Observing(MetricsConfig(**metrics), LogsConfig(**logs), TracingConfig(**tracing))
