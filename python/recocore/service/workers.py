"""Several worker processes on one port; when one dies the service stops, for whoever started it to start it again."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import sys
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from recocore.errors import InternalError
from recocore.index import Index
from recocore.service.config import ServerConfig, address
from recocore.service.door import HttpConfig, open_port, reachable, run_door
from recocore.service.logs import configure
from recocore.service.ports import reserve
from recocore.service.server import run

if TYPE_CHECKING:
    import os
    import socket
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnContext, SpawnProcess
    from types import FrameType

# A worker that has not ended this long after its grace is killed.
_KILL_AFTER_SECONDS = 5.0


def run_workers(
    index_path: str | os.PathLike[str],
    config: ServerConfig,
    count: int,
    announce: Callable[[str], object],
    http: HttpConfig | None = None,
) -> None:
    """Serve with `count` processes, and a door where `http` has a port, until SIGTERM or SIGINT; raises as `serve`."""
    listener = open_port(http) if http and http.port else None
    with reserve(config) as holder, _stop_signals() as stopping:
        threads = config.threads or max(1, config.thread_count // count)
        port: int = holder.getsockname()[1]
        shared = replace(config, port=port, threads=threads)
        # Never fork: a process that has used gRPC or threads cannot.
        context = multiprocessing.get_context("spawn")
        crew: list[tuple[SpawnProcess, Connection]] = []
        doors: list[tuple[SpawnProcess, Connection]] = []
        try:
            crew += [
                _start(context, f"recocore-worker-{number}", _work, str(index_path), shared) for number in range(count)
            ]
            if _all_ready(crew, stopping):
                if http and listener:
                    doors.append(_start(context, "recocore-door", _open_door, http, shared, listener))
                if _all_ready(doors, stopping):
                    announce(address(config.host, port))
                    _wait_for_end([*crew, *doors], stopping)
        finally:
            if listener:
                listener.close()
            # The door first: the calls that it still has need workers.
            _stop(doors, config)
            _stop(crew, config)
        failed = [process.exitcode for process, _ in [*crew, *doors] if process.exitcode]
        if failed:
            raise InternalError(f"a worker ended with exit code {failed[0]}; all were stopped, see the log above")


def _start(
    context: SpawnContext, name: str, work: Callable[..., None], *arguments: object
) -> tuple[SpawnProcess, Connection]:
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(*arguments, theirs), name=name)
    process.start()
    theirs.close()
    return process, ours


def _work(index_path: str, config: ServerConfig, parent: Connection) -> None:
    configure(config.log_level, sys.stderr)
    index = Index.load(index_path, verify=False)
    # The parent never writes: its end becomes readable when it dies, and then the worker must not live on.
    asyncio.run(run(index, config, parent.send, reuse_port=True, stop_when_readable=parent.fileno()))


def _open_door(http: HttpConfig, config: ServerConfig, listener: socket.socket, parent: Connection) -> None:
    configure(config.log_level, sys.stderr)
    run_door(
        http,
        reachable(config.host, config.port),
        listener=listener,
        announce=parent.send,
        grace_seconds=config.grace_seconds,
        drain_delay_seconds=config.drain_delay_seconds,
        stop_when_readable=parent.fileno(),
    )


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


def _wait_for_end(crew: Sequence[tuple[SpawnProcess, Connection]], stopping: Callable[[], bool]) -> None:
    sentinels = [process.sentinel for process, _ in crew]
    # The timeout bounds the wait for a signal that arrives just before it begins.
    while not stopping() and not wait(sentinels, timeout=0.5):
        pass


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
