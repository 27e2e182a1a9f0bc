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
# Proxies are for the network; these tests stay on loopback.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}


class ServerProcess:
    """Runs a command that serves, and learns its address from the line that it prints."""

    def __init__(self, command: Sequence[str]) -> None:
        self._log = tempfile.TemporaryFile("a+b")  # noqa: SIM115  (closed in __exit__)
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
    def serve(cls, path: Path, *, workers: int = 1) -> Self:
        """A server over a saved index."""
        return cls.code(f"from recocore.service import serve\nserve({str(path)!r}, port=0, workers={workers})")

    @classmethod
    def code(cls, code: str) -> Self:
        """A server that a program starts."""
        return cls([sys.executable, "-W", "error", "-c", code])

    @classmethod
    def follow(
        cls, registry: Path, *, workers: int = 1, poll_seconds: float = 0.05, **sections: dict[str, Any]
    ) -> Self:
        """A server over a registry; sections are those of the configuration, with `server` for ServerConfig."""
        models = {"registry": str(registry), "poll_seconds": poll_seconds, **sections.get("models", {})}
        code = (
            "from recocore.service import ExperimentConfig, ModelsConfig, ServerConfig, ShadowConfig, serve\n"
            f"serve(port=0, workers={workers}, config=ServerConfig(**{sections.get('server', {})!r}), "
            f"models=ModelsConfig(**{models!r}), experiment=ExperimentConfig(**{sections.get('experiment', {})!r}), "
            f"shadow=ShadowConfig(**{sections.get('shadow', {})!r}))"
        )
        return cls.code(code)

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float = 20) -> int:
        return self.process.wait(timeout)

    def log(self) -> str:
        # Several processes share the file's position, and append whatever it is: it is not moved for reading.
        descriptor = self._log.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode()

    def records(self) -> list[dict[str, Any]]:
        # The last line may be half written, and so may one of a process that was killed.
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{") and line.endswith("}")]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The records of one event."""
        return [record for record in self.records() if record["event"] == name]

    def serving(self) -> list[int]:
        """The pids of the workers that serve, the one that began last at the end."""
        ended = {record["pid"] for record in self.events("worker ended")}
        return [pid for record in self.events("worker serves") if (pid := record["pid"]) not in ended]

    def children(self) -> list[int]:
        """The pids of all workers."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]

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
