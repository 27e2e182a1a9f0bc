"""What a worker is started with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from recocore.service.config import ServerConfig
from recocore.service.hosting.config import ExperimentConfig, ModelsConfig, ShadowConfig


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """The settings of a worker process.

    Attributes:
        server: of its gRPC server; the port is known and shared.
        models: where models come from; its registry is empty where a fixed index is served.
        experiment: who is served from which alias.
        shadow: what ranks along.
    """

    server: ServerConfig
    models: ModelsConfig
    experiment: ExperimentConfig
    shadow: ShadowConfig

    def to_json(self) -> str:
        """One line of text."""
        body = asdict(self)
        key = self.server.pseudonym_key
        body["server"]["pseudonym_key"] = None if key is None else key.hex()
        return json.dumps(body)

    @classmethod
    def from_json(cls, text: str) -> WorkerSettings:
        """The settings that `to_json` took."""
        body = json.loads(text)
        key = body["server"]["pseudonym_key"]
        body["server"]["pseudonym_key"] = None if key is None else bytes.fromhex(key)
        return cls(
            ServerConfig(**body["server"]),
            ModelsConfig(**body["models"]),
            ExperimentConfig(**body["experiment"]),
            ShadowConfig(**body["shadow"]),
        )
