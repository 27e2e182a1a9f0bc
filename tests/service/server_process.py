"""A server in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

_STUB = str(Path(__file__).with_name("stub_index.py"))
_DOOR = str(Path(__file__).with_name("door_process.py"))
# Proxies are for the network; these tests stay on loopback.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}


class ServerProcess:
    """Runs a command that serves, and learns its address from the line that it prints."""

    def __init__(self, command: Sequence[str]) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed in __exit__)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True, env=_ENVIRONMENT)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            raise AssertionError(f"the server did not start: {self.log()}")
        self.address: str = json.loads(line)["address"]

    @classmethod
    def stub(cls, **settings: Any) -> Self:
        """A server over the stub index; settings are those of ServerConfig."""
        return cls([sys.executable, "-W", "error", _STUB, json.dumps(settings)])

    @classmethod
    def door(cls, target: str, **settings: Any) -> Self:
        """The HTTP/JSON door of the server at the target; settings are those of HttpConfig and `run_door`."""
        return cls([sys.executable, "-W", "error", _DOOR, target, json.dumps(settings)])

    @classmethod
    def serve(cls, path: Path, *, workers: int = 1) -> Self:
        """A server over a saved index."""
        call = f"serve({str(path)!r}, port=0, workers={workers})"
        return cls([sys.executable, "-W", "error", "-c", f"from recocore.service import serve\n{call}"])

    @classmethod
    def command(cls, path: Path, *options: str) -> Self:
        """`recocore serve` over a saved index, with further options."""
        return cls([sys.executable, "-W", "error", "-m", "recocore.cli", "serve", str(path), "--port", "0", *options])

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float = 20) -> int:
        return self.process.wait(timeout)

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log().splitlines()]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._log.close()
