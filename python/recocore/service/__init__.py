"""The gRPC service: `serve` runs it over an index or a registry, `recocore.service.attribution` reads its tokens.

Importing this package loads nothing else, so that the process of the metrics port carries no numeric libraries.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recocore.service.config import ServerConfig
    from recocore.service.events.config import StateConfig
    from recocore.service.hosting.config import ExperimentConfig, ModelsConfig, ShadowConfig
    from recocore.service.serving import serve

__all__ = ["ExperimentConfig", "ModelsConfig", "ServerConfig", "ShadowConfig", "StateConfig", "serve"]

_HOMES = {
    "ExperimentConfig": "recocore.service.hosting.config",
    "ModelsConfig": "recocore.service.hosting.config",
    "ServerConfig": "recocore.service.config",
    "ShadowConfig": "recocore.service.hosting.config",
    "StateConfig": "recocore.service.events.config",
    "serve": "recocore.service.serving",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
