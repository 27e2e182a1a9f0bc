"""The gRPC service over one index: `serve` runs it, `recocore.service.attribution` reads its tokens.

Importing this package loads nothing else, so that the process of the metrics port carries no numeric libraries.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recocore.service.config import ServerConfig
    from recocore.service.serving import serve

__all__ = ["ServerConfig", "serve"]

_HOMES = {"ServerConfig": "recocore.service.config", "serve": "recocore.service.serving"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
