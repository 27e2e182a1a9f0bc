"""Owners in processes of their own, forked from a child that has imported everything: what is killed may be killed often."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_CODE = """
import asyncio, os, sys
from pathlib import Path
from recocore.state import StateConfig
from recocore.state.owner import serve_owner

path, socket, segment_events = sys.argv[1:]
print("ready", flush=True)
for line in sys.stdin:
    process = os.fork()
    if process == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        config = StateConfig(segment_events=int(segment_events), buffered_ms=5)
        try:
            asyncio.run(serve_owner(path, socket, config))
        finally:
            os._exit(1)
    print(process, flush=True)
    os.waitpid(process, 0)
    print("ended", flush=True)
"""


class Owners:
    """Starts owners of a state, one after the other; a context manager."""

    def __init__(self, path: Path, socket: Path, segment_events: int) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _CODE, str(path), str(socket), str(segment_events)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._pid = 0
        assert self._hear() == "ready"

    def start(self) -> None:
        """Start an owner; its socket is there after a moment."""
        assert self._child.stdin is not None
        self._child.stdin.write("start\n")
        self._child.stdin.flush()
        self._pid = int(self._hear())

    def kill(self) -> None:
        """Kill the owner, and wait until it is gone."""
        os.kill(self._pid, signal.SIGKILL)
        self._pid = 0
        assert self._hear() == "ended"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
        self._child.communicate()

    def _hear(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline().strip()
