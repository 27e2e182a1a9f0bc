"""The door's process: listen, serve until told to stop, and end gracefully."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import signal
import socket
from typing import TYPE_CHECKING, Any

from recocore.errors import InvalidArgumentError, UnsupportedError
from recocore.service.config import address
from recocore.service.door.descriptors import Descriptors
from recocore.service.logs import log
from recocore.service.security.config import TlsConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from recocore.service.door.config import HttpConfig
    from recocore.service.security.tls import HttpsContext

# Connections that wait in the kernel while the door is busy, or is being started again.
_BACKLOG = 1_024
# What is written last takes this long at most to leave, after the grace.
_GOODBYE_SECONDS = 0.5
# Between two looks at the certificate.
_LOOK_SECONDS = 1.0
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def open_port(config: HttpConfig) -> socket.socket:
    """A socket that listens where the door shall; whoever keeps it open keeps callers waiting while a door starts again.

    Raises:
        UnsupportedError: the libraries of the door are not installed.
        InvalidArgumentError: the address cannot be bound.
    """
    for library in ("starlette", "uvicorn"):
        _installed(library)
    where = address(config.host, config.port)
    try:
        family, kind, protocol, _, resolved = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as opened:
            # With the protocol by its number: asyncio sets TCP_NODELAY only where it knows that this is TCP.
            listener = opened.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(resolved)
            listener.listen(_BACKLOG)
            opened.pop_all()
    except OSError as error:
        raise InvalidArgumentError(
            f"cannot listen on {where}: {error.strerror}; try another port", field="http.port"
        ) from error
    return listener


def reachable(host: str, port: int) -> str:
    """The target at which this machine reaches a service that listens on `host:port`.

    >>> reachable("0.0.0.0", 50051)
    '127.0.0.1:50051'
    """
    return address(_ANY_ADDRESS.get(host, host), port)


def run_door(
    config: HttpConfig,
    target: str,
    *,
    listener: socket.socket | None = None,
    announce: Callable[[str], object] = lambda bound: None,
    grace_seconds: float = 10.0,
    drain_delay_seconds: float = 0.0,
    stop_when_readable: int | None = None,
    tls: TlsConfig | None = None,
) -> None:
    """Run the door until SIGTERM or SIGINT, finish the calls under way, and return. Call it from the main thread.

    Args:
        config: settings of the door.
        target: the gRPC service, `host:port`.
        listener: what `open_port` gave; None opens it here, on any free port where the config's is 0.
        announce: called once with the bound address when the door serves.
        grace_seconds: how long calls under way may take to finish; those that take longer end with 503.
        drain_delay_seconds: how long to go on after /healthz says NOT_SERVING, for load balancers to notice.
        stop_when_readable: a file descriptor that ends the door too.
        tls: how the door and the service are encrypted; by default neither is.

    Raises:
        UnsupportedError: the libraries of the door are not installed.
        InvalidArgumentError: the address cannot be bound.
    """
    with listener or open_port(config) as listening:
        seconds = (grace_seconds, drain_delay_seconds)
        asyncio.run(_run(config, tls or TlsConfig(), target, listening, announce, *seconds, stop_when_readable))


async def _run(
    config: HttpConfig,
    tls: TlsConfig,
    target: str,
    listener: socket.socket,
    announce: Callable[[str], object],
    grace_seconds: float,
    drain_delay_seconds: float,
    stop_when_readable: int | None,
) -> None:
    from recocore.service.door.app import Connections, Door  # noqa: PLC0415  # the libraries are optional
    from recocore.service.door.server import HttpServer  # noqa: PLC0415
    from recocore.service.security.tls import HttpsContext  # noqa: PLC0415

    bound = address(config.host, listener.getsockname()[1])
    context = HttpsContext(tls) if tls.is_on else None
    async with _stop_event(stop_when_readable) as stop, Connections(target, config.connections, tls) as connections:
        door = Door(Descriptors.installed(), connections, config)
        server = HttpServer(
            door.app, listener, grace_seconds + _GOODBYE_SECONDS, None if context is None else context.context
        )
        await server.start()
        following = asyncio.ensure_future(_follow(context)) if context is not None else None
        log(logging.INFO, "door serving", address=bound)
        announce(bound)
        await stop.wait()
        if following is not None:
            following.cancel()
        log(logging.INFO, "door draining", address=bound)
        door.drain()
        await asyncio.sleep(drain_delay_seconds)
        asyncio.get_running_loop().call_later(grace_seconds, door.give_up)
        await server.stop()
        log(logging.INFO, "door stopped", address=bound)


async def _follow(context: HttpsContext) -> None:
    """Show a new certificate soon after it is there."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        context.look()


@contextlib.asynccontextmanager
async def _stop_event(descriptor: int | None) -> AsyncIterator[asyncio.Event]:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def on_readable() -> None:
        stop.set()
        if descriptor is not None:
            loop.remove_reader(descriptor)

    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    if descriptor is not None:
        loop.add_reader(descriptor, on_readable)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
        if descriptor is not None:
            loop.remove_reader(descriptor)


def _installed(library: str) -> Any:
    try:
        return importlib.import_module(library)
    except ImportError as problem:
        raise UnsupportedError(
            f"{library}: expected to be installed, got {problem}; pip install 'recocore[http]'"
        ) from problem
