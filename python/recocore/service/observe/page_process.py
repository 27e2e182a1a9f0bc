"""The process of the metrics port: HTTP, the reading of what others count, and a client for try-it; no part of any call."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from recocore.errors import InvalidArgumentError
from recocore.service.logs import configure
from recocore.service.observe.readings import Reading, take_reading
from recocore.service.observe.report import History
from recocore.service.observe.web import PortServer

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from recocore.service.observe.config import MetricsConfig

_SECONDS_BETWEEN_READINGS = 1.0


def run_page(folder: str, config: MetricsConfig, log_level: str, parent: Connection) -> None:
    """Serve until the parent is gone or ends this process.

    Args:
        folder: what `readings` reads; the parent has put the first status there.
        config: where to listen.
        log_level: of this process's log.
        parent: is told `[True, URL]`, or `[False, what is wrong]`; nothing comes from it but its end.
    """
    # Ctrl-C reaches the whole group; the parent ends this process when the workers have ended.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure(log_level, sys.stderr)
    history = History()

    def read() -> Reading:
        return take_reading(Path(folder), os.getpid())

    try:
        server = PortServer(config, read, history)
    except InvalidArgumentError as error:
        parent.send((False, str(error)))
        return
    parent.send((True, server.url))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    history.add(read())
    # The parent never writes: its end becomes readable when it dies, and then nobody else removes the folder.
    while not parent.poll(_SECONDS_BETWEEN_READINGS):
        history.add(read())
    shutil.rmtree(folder, ignore_errors=True)
