"""Several worker processes on one port; when one dies the service stops, for whoever started it to start it again."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

from recocore.errors import InternalError
from recocore.index import Index
from recocore.index.loading import read_manifest
from recocore.service.config import ServerConfig, address
from recocore.service.logs import configure
from recocore.service.observe.port import MetricsPort
from recocore.service.observe.snapshot import ModelSnapshot, ServiceSnapshot, WorkerSnapshot
from recocore.service.ports import reserve
from recocore.service.server import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess
    from types import FrameType

    from recocore.service.observe.observing import Observing
    from recocore.service.observe.snapshot import WorkerState

# A worker that has not ended this long after its grace is killed.
_KILL_AFTER_SECONDS = 5.0


def run_workers(
    index_path: str | os.PathLike[str],
    config: ServerConfig,
    count: int,
    announce: Callable[[str], object],
    observing: Observing,
) -> None:
    """Serve with `count` processes until SIGTERM or SIGINT; raises as `serve`."""
    with (
        reserve(config.host, config.port) as holder,
        _stop_signals() as stopping,
        _metrics_port(observing, config) as metrics,
    ):
        threads = config.threads or max(1, config.thread_count // count)
        port: int = holder.getsockname()[1]
        known = _Known(address(config.host, port), Path(index_path))
        shared = replace(config, port=port, threads=threads)
        # Never fork: a process that has used gRPC or threads cannot.
        context = multiprocessing.get_context("spawn")
        crew: list[tuple[SpawnProcess, Connection]] = []

        def tell(state: WorkerState) -> None:
            if metrics is not None:
                metrics.show(known.status(crew, state))

        try:
            if metrics is not None:
                metrics.start(known.status(crew, "starting"))
            for number in range(count):
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=_work,
                    args=(str(index_path), shared, theirs, observing, metrics.board(number) if metrics else None),
                    name=f"recocore-worker-{number}",
                )
                process.start()
                theirs.close()
                crew.append((process, ours))
            if metrics is not None:
                metrics.url()
            if _all_ready(crew, stopping):
                tell("serving")
                announce(address(config.host, port))
                _wait_for_end(crew, stopping, lambda: tell("serving"))
        finally:
            tell("draining")
            _stop(crew, config)
        failed = [process.exitcode for process, _ in crew if process.exitcode]
        if failed:
            raise InternalError(f"a worker ended with exit code {failed[0]}; all were stopped, see the log above")


class _Known:
    """What this process knows of the service, for the metrics port."""

    def __init__(self, where: str, index_path: Path) -> None:
        self._address = where
        self._started = time.time()
        manifest = read_manifest(index_path)
        self._model = ModelSnapshot("", manifest.version, manifest.model, manifest.created.timestamp(), self._started)

    def status(self, crew: Sequence[tuple[SpawnProcess, Connection]], state: WorkerState) -> ServiceSnapshot:
        """The status while the workers that live are in one state."""
        workers = tuple(
            WorkerSnapshot(number, process.pid or 0, state if process.is_alive() else "dead", self._started)
            for number, (process, _) in enumerate(crew)
        )
        return ServiceSnapshot(self._address, os.getpid(), self._started, workers, (self._model,))


@contextmanager
def _metrics_port(observing: Observing, config: ServerConfig) -> Iterator[MetricsPort | None]:
    if not observing.metrics.enabled:
        yield None
        return
    with MetricsPort(observing.metrics, config.log_level) as port:
        yield port


def _work(index_path: str, config: ServerConfig, parent: Connection, observing: Observing, board: str | None) -> None:
    configure(config.log_level, sys.stderr)
    index = Index.load(index_path, verify=False)
    # The parent never writes: its end becomes readable when it dies, and then the worker must not live on.
    serving = run(
        index,
        config,
        parent.send,
        observer=observing.observer(board),
        reuse_port=True,
        stop_when_readable=parent.fileno(),
    )
    asyncio.run(serving)


def _all_ready(crew: Sequence[tuple[SpawnProcess, Connection]], stopping: Callable[[], bool]) -> bool:
    waiting = {connection: process for process, connection in crew}
    while waiting and not stopping():
        for connection in list(waiting):
            if connection.poll(0.05):
                try:
                    connection.recv()
                except EOFError:
                    return False
                del waiting[connection]
    return not waiting


def _wait_for_end(
    crew: Sequence[tuple[SpawnProcess, Connection]], stopping: Callable[[], bool], tell: Callable[[], object]
) -> None:
    sentinels = [process.sentinel for process, _ in crew]
    # The timeout bounds the wait for a signal that arrives just before it begins.
    while not stopping() and not wait(sentinels, timeout=0.5):
        tell()


def _stop(crew: Sequence[tuple[SpawnProcess, Connection]], config: ServerConfig) -> None:
    for process, _ in crew:
        process.terminate()
    for process, connection in crew:
        process.join(config.drain_delay_seconds + config.grace_seconds + _KILL_AFTER_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        connection.close()


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    stop = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal stop
        stop = True

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
