"""`serve`: from the path of an index to a running service, in this process or in several workers."""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from recocore.errors import InvalidArgumentError
from recocore.index import Index
from recocore.service import workers as processes
from recocore.service.config import ServerConfig
from recocore.service.logs import configure
from recocore.service.observe.observing import Observing
from recocore.service.server import announce_json, run

if TYPE_CHECKING:
    import os
    from collections.abc import Callable


def serve(
    index_path: str | os.PathLike[str],
    host: str = "127.0.0.1",
    port: int = 50051,
    workers: int = 1,
    *,
    config: ServerConfig | None = None,
    observing: Observing | None = None,
    announce: Callable[[str], object] = announce_json,
) -> None:
    """Serve an index until SIGTERM or SIGINT, finish the calls in flight, and return. Call it from the main thread.

    Args:
        index_path: the folder of a saved index.
        host: address to listen on.
        port: port to listen on; 0 lets the system choose one.
        workers: processes that share the port and the index's memory, each with one event loop. The kernel spreads
            connections, not calls, over them.
        config: everything else; its own host, port and workers are not read.
        observing: metrics, slow calls in the log, traces.
        announce: called once with the bound address when every worker serves; the default prints a line of JSON.

    Raises:
        NotFoundError: there is no index at the path.
        CorruptError: the index is damaged; the message names the file.
        InvalidArgumentError: a setting is out of range, or an address cannot be bound.
        UnsupportedError: a setting needs a package that is not installed.
        InternalError: a worker died; the others were stopped.
    """
    if workers < 1:
        raise InvalidArgumentError(f"workers must be at least 1, got {workers}", field="workers")
    settings = replace(config or ServerConfig(), host=host, port=port, workers=workers)
    observing = observing or Observing()
    # A program with its own logging keeps it.
    if not logging.getLogger().handlers:
        configure(settings.log_level, sys.stderr)
    index = Index.load(index_path)
    if workers == 1 and not observing.metrics.enabled:
        asyncio.run(run(index, settings, announce, observer=observing.observer(board=None)))
        return
    # Checked once here; the workers map the same files without reading them through again.
    del index
    processes.run_workers(index_path, settings, workers, announce, observing)
