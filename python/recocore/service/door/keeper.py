"""Keeps a door open: a process of its own, started again when it dies, that ends before the workers do."""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from recocore.service.door.config import HttpConfig
from recocore.service.door.process import open_port, reachable, run_door
from recocore.service.logs import configure
from recocore.service.processes.keeper import Keeper
from recocore.service.processes.spawning import start_python
from recocore.service.security.config import TlsConfig, process_environment

if TYPE_CHECKING:
    import subprocess

    from recocore.service.config import ServerConfig
    from recocore.service.processes.status import ServiceStatus

# A door that has not ended this long after its grace is killed.
_KILL_AFTER_SECONDS = 5.0


class DoorKeeper:
    """The door of a service; an `Attachment` of its supervisor. Callers queue in the kernel while a door starts.

    Args:
        http: settings of the door.
        server: of the workers, for their log level and how long an end may take.
        tls: how the door and the workers are encrypted; by default neither is.

    Raises:
        UnsupportedError: the libraries of the door are not installed.
        InvalidArgumentError: the address cannot be bound.
    """

    def __init__(self, http: HttpConfig, server: ServerConfig, tls: TlsConfig | None = None) -> None:
        self._http = http
        self._tls = tls or TlsConfig()
        self._server = server
        self._listener = open_port(http)
        self._keeper: Keeper | None = None

    def start(self, status: ServiceStatus) -> None:
        """Open the door, and keep it open."""
        host, _, port = status.address.rpartition(":")
        target = reachable(host.strip("[]"), int(port))

        def start(life: int) -> subprocess.Popen[bytes]:
            numbers = (self._listener.fileno(), life)
            return start_python(
                "recocore.service.door.keeper",
                [self._settings(target), *map(str, numbers)],
                numbers,
                environment=process_environment(self._tls),
            )

        server = self._server
        patience = server.drain_delay_seconds + server.grace_seconds + _KILL_AFTER_SECONDS
        self._keeper = Keeper("door", start, patience)
        self._keeper.start()

    def stop(self) -> None:
        """Let the door finish the calls that it has."""
        if self._keeper is not None:
            self._keeper.stop()
        self._listener.close()

    def _settings(self, target: str) -> str:
        server = self._server
        return json.dumps(
            {
                "http": asdict(self._http),
                "tls": asdict(self._tls),
                "target": target,
                "log_level": server.log_level,
                "grace_seconds": server.grace_seconds,
                "drain_delay_seconds": server.drain_delay_seconds,
            }
        )


def main() -> None:
    """The door's process: settings, the listening socket and what tells that the parent lives are its arguments."""
    settings = json.loads(sys.argv[1])
    configure(settings["log_level"], sys.stderr)
    run_door(
        HttpConfig(**settings["http"]),
        settings["target"],
        listener=socket.socket(fileno=int(sys.argv[2])),
        grace_seconds=settings["grace_seconds"],
        drain_delay_seconds=settings["drain_delay_seconds"],
        stop_when_readable=int(sys.argv[3]),
        tls=TlsConfig(**settings["tls"]),
    )
