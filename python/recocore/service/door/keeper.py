"""Keeps a door open: a process of its own, started again when it dies, that ends before the workers do."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING

from recocore.service.door.config import HttpConfig
from recocore.service.door.process import open_port, reachable, run_door
from recocore.service.logs import configure, log
from recocore.service.processes.spawning import start_python
from recocore.service.security.config import TlsConfig, process_environment

if TYPE_CHECKING:
    from recocore.service.config import ServerConfig
    from recocore.service.processes.status import ServiceStatus

# A door that has not ended this long after its grace is killed.
_KILL_AFTER_SECONDS = 5.0
_FIRST_BACKOFF_SECONDS = 0.1
_LONGEST_BACKOFF_SECONDS = 5.0


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
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, status: ServiceStatus) -> None:
        """Open the door, and keep it open."""
        host, _, port = status.address.rpartition(":")
        target = reachable(host.strip("[]"), int(port))
        self._thread = threading.Thread(target=self._keep, args=(target,), name="recocore-door-keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the door finish the calls that it has."""
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()
        if self._thread is not None:
            self._thread.join()
        self._listener.close()

    def _keep(self, target: str) -> None:
        backoff = _FIRST_BACKOFF_SECONDS
        while not self._stopping.is_set():
            # Whoever holds the other end lives: when this process dies, the door sees its end close.
            ours, theirs = os.pipe()
            with os.fdopen(theirs, "wb"):
                numbers = (self._listener.fileno(), ours)
                arguments = [self._settings(target), *map(str, numbers)]
                self._process = start_python(
                    "recocore.service.door.keeper", arguments, numbers, environment=process_environment(self._tls)
                )
                os.close(ours)
                if self._stopping.is_set():
                    self._process.terminate()
                self._wait(self._process)
            if not self._stopping.is_set():
                log(logging.ERROR, "the door died", exit_code=self._process.returncode)
                self._stopping.wait(backoff)
                backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)

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

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None and not self._stopping.wait(0.1):
            pass
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self._server.drain_delay_seconds + self._server.grace_seconds + _KILL_AFTER_SECONDS)
        process.kill()
        process.wait()


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
