"""The supervisor's side of the metrics port: a folder for what is counted, and the process that shows it."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from recocore.addresses import is_loopback
from recocore.errors import InternalError, InvalidArgumentError
from recocore.service.logs import log
from recocore.service.observe.readings import board_path, status_path
from recocore.service.processes.spawning import start_python
from recocore.service.security.config import TlsConfig, process_environment

if TYPE_CHECKING:
    import subprocess

    from recocore.service.observe.config import MetricsConfig
    from recocore.service.observe.snapshot import ServiceSnapshot

_START_SECONDS = 30.0
# A page process that dies at once is not started in a loop.
_RESTART_SECONDS = 5.0


class MetricsPort:
    """Starts, feeds and ends the process of the metrics port.

    The status is handed over as a file, not through a pipe: a page that hangs cannot hold up the supervisor.
    """

    def __init__(self, config: MetricsConfig, log_level: str = "info", tls: TlsConfig | None = None) -> None:
        self._config = config
        self._tls = tls or TlsConfig()
        self._log_level = log_level
        self._folder = Path(tempfile.mkdtemp(prefix="recocore-metrics-"))
        self._status: ServiceSnapshot | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._end: socket.socket | None = None
        self._started = 0.0
        self._behind = False

    def board(self, name: str) -> str:
        """Where a process of a name counts, such as worker-0; its successor goes on in the same place."""
        return str(board_path(self._folder, name))

    def start(self, status: ServiceSnapshot) -> None:
        """Start the process; `url` waits for it."""
        self._show(status)
        self._spawn()

    def url(self) -> str:
        """Where the started process listens, as soon as it does.

        Raises:
            InvalidArgumentError: the address cannot be bound.
            InternalError: the process did not start.
        """
        assert self._end is not None
        self._end.settimeout(_START_SECONDS)
        try:
            with self._end.makefile("rb") as lines:
                line = lines.readline()
        except TimeoutError:
            line = b""
        if not line:
            raise InternalError("the process of the metrics port did not start; its error stands above")
        bound, said = json.loads(line)
        if not bound:
            raise InvalidArgumentError(said, field="metrics.port")
        # Started again it listens where it did before.
        self._config = replace(self._config, port=urlsplit(said).port or 0)
        if self._config.try_it and not is_loopback(self._config.host):
            log(logging.WARNING, "whoever reaches the metrics port can ask for any user's recommendations", url=said)
        log(logging.INFO, "metrics", url=said)
        return str(said)

    def show(self, status: ServiceSnapshot) -> None:
        """Tell the page what changed, and start it again if it died. Cheap enough to call several times a second.

        Where the machine does not let it, say on a full disk, that is logged and the service goes on.
        """
        try:
            self._show(status)
        except OSError as error:
            if not self._behind:
                log(logging.ERROR, "the metrics port is not kept up to date", error=f"{type(error).__name__}: {error}")
            self._behind = True
        else:
            self._behind = False

    def _show(self, status: ServiceSnapshot) -> None:
        if status != self._status:
            path = status_path(self._folder)
            new = path.with_suffix(".new")
            new.write_text(status.to_json(), encoding="utf-8")
            new.replace(path)
            self._status = status
        dead = self._process is not None and self._process.poll() is not None
        if dead and time.monotonic() - self._started > _RESTART_SECONDS:
            log(logging.WARNING, "the process of the metrics port died; it is started again")
            self._close()
            self._spawn()

    def stop(self) -> None:
        """End the process and remove the folder."""
        self._close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _spawn(self) -> None:
        self._end, theirs = socket.socketpair()
        with theirs:
            settings = {
                "folder": str(self._folder),
                "metrics": asdict(self._config),
                "tls": asdict(self._tls),
                "log_level": self._log_level,
            }
            arguments = [json.dumps(settings), str(theirs.fileno())]
            self._process = start_python(
                "recocore.service.observe.page_process",
                arguments,
                [theirs.fileno()],
                environment=process_environment(self._tls),
            )
        self._started = time.monotonic()

    def _close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None
        if self._end is not None:
            self._end.close()
            self._end = None
