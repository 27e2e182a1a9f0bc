"""The gRPC service: `serve` runs it over an index or a registry, `recocore.service.attribution` reads its tokens."""

from recocore.service.config import ServerConfig
from recocore.service.hosting.config import ExperimentConfig, ModelsConfig, ShadowConfig
from recocore.service.serving import serve

__all__ = ["ExperimentConfig", "ModelsConfig", "ServerConfig", "ShadowConfig", "serve"]
