"""The process that owns the state: it writes what workers pass on, until SIGTERM or the end of the supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recocore.service.events.config import socket_path
from recocore.service.processes.ready_process import run_ready
from recocore.state import KeyFile, StateConfig
from recocore.state.owner import serve_owner

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping


def main() -> None:
    """Own a state."""
    run_ready("the state", _own)


async def _own(settings: Mapping[str, Any], ready: asyncio.Event, stop: asyncio.Event) -> None:
    path, keys = settings["path"], settings["keys"]
    opened = KeyFile.open(keys, create=True) if keys else None
    config = StateConfig(**{name: settings[name] for name in ("max_recent", "max_profile_bytes", "join_visitors")})
    await serve_owner(path, socket_path(path), config, keys=opened, ready=ready, stop=stop)
