"""What runs in processes of their own."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from recocore.state import StateStore
from recocore.state.owner import serve_owner

_STATUS = Path("/proc/self/status")


def own(path: Path, socket: Path) -> None:
    """Own a state until the process is ended."""
    asyncio.run(serve_owner(path, socket))


def start(path: Path, answer: Any) -> None:
    """Open a state, and send the seconds that this took and the bytes that it added to the process."""
    before = _own_bytes()
    began = time.perf_counter()
    store = StateStore.open(path)
    seconds = time.perf_counter() - began
    answer.send((seconds, _own_bytes() - before))
    store.close()


def _own_bytes() -> float:
    """Memory of this process that no file stands behind. Its peak would be that of the process that began it."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024.0
