"""The gRPC service over one index: `serve` runs it, `recocore.service.attribution` reads its tokens."""

from recocore.service.config import ServerConfig
from recocore.service.serving import serve

__all__ = ["ServerConfig", "serve"]
