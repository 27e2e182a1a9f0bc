"""The process of the metrics port: HTTP, the reading of what others count, and a client for try-it; no part of any call."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path

from recocore.errors import RecocoreError
from recocore.service.logs import configure
from recocore.service.observe.config import MetricsConfig
from recocore.service.observe.readings import Reading, take_reading
from recocore.service.observe.report import History
from recocore.service.observe.web import PortServer
from recocore.service.security.config import TlsConfig

_SECONDS_BETWEEN_READINGS = 1.0


def run_page(folder: str, config: MetricsConfig, tls: TlsConfig, parent: socket.socket) -> None:
    """Serve until the parent is gone or ends this process.

    Args:
        folder: what `readings` reads; the parent has put the first status there.
        config: where to listen.
        tls: how this port and the service are encrypted.
        parent: is told `[true, URL]`, or `[false, what is wrong]`, a line; nothing comes from it but its end.
    """
    history = History()

    def read() -> Reading:
        return take_reading(Path(folder), os.getpid())

    def tell(bound: bool, said: str) -> None:
        parent.sendall(json.dumps([bound, said]).encode() + b"\n")

    try:
        server = PortServer(config, read, history, tls)
    except RecocoreError as error:
        tell(False, str(error))
        return
    tell(True, server.url)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    history.add(read())
    # The parent never writes: its end becomes readable when it dies, and then nobody else removes the folder.
    while not select.select([parent], [], [], _SECONDS_BETWEEN_READINGS)[0]:
        history.add(read())
    shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """The page's process: settings, and the number of the socket to its parent, are its arguments."""
    for number in (signal.SIGINT, signal.SIGHUP):
        # A terminal sends these to all processes at once; the parent ends this one when the workers have ended.
        signal.signal(number, signal.SIG_IGN)
    settings = json.loads(sys.argv[1])
    configure(settings["log_level"], sys.stderr)
    metrics = settings["metrics"]
    config = MetricsConfig(**{**metrics, "allowed_hosts": tuple(metrics["allowed_hosts"])})
    with socket.socket(fileno=int(sys.argv[2])) as parent:
        run_page(settings["folder"], config, TlsConfig(**settings["tls"]), parent)
