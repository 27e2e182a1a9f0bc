"""What runs in processes of their own."""

from __future__ import annotations

import asyncio
import resource
import time
from typing import TYPE_CHECKING, Any

from recocore.state import StateStore
from recocore.state.owner import serve_owner

if TYPE_CHECKING:
    from pathlib import Path


def own(path: Path, socket: Path) -> None:
    """Own a state until the process is ended."""
    asyncio.run(serve_owner(path, socket))


def start(path: Path, answer: Any) -> None:
    """Open a state, and send the seconds that this took and the bytes that it added to the process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    store = StateStore.open(path)
    seconds = time.perf_counter() - began
    answer.send((seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024.0))
    store.close()
