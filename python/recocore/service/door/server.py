"""uvicorn, told to leave signals to the process and to say when it has begun."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterator

    from starlette.applications import Starlette

# An idle connection is closed after this: longer than the usual pool of connections keeps one, so that the caller closes first.
_KEEP_ALIVE_SECONDS = 75


class HttpServer(uvicorn.Server):
    """Serves an application on a listening socket; used on one event loop."""

    def __init__(
        self, app: Starlette, listener: socket.socket, stop_seconds: float, tls: ssl.SSLContext | None = None
    ) -> None:
        config = uvicorn.Config(
            app,
            # The strict parser, whatever else is installed: httptools answered 8 to 16 % more calls a second.
            http="h11",
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=math.ceil(stop_seconds),
        )
        # Loaded, it takes a context as it is; its own settings know no least version.
        config.load()
        config.ssl = tls
        super().__init__(config)
        self._listener = listener
        self._begun = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when connections are taken."""
        self._running = asyncio.create_task(self.serve([self._listener]))
        begun = asyncio.create_task(self._begun.wait())
        await asyncio.wait((self._running, begun), return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if self._running.done():
            self._running.result()

    async def stop(self) -> None:
        """Take no new connections, close the idle ones, and return when the others have had their answers."""
        self.should_exit = True
        if self._running is not None:
            await self._running

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, and let `start` return."""
        await super().startup(sockets)
        self._begun.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to whoever runs this."""
        yield
