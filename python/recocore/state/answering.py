"""Answering requests on a Unix socket: the owner of a state does it, and whatever else one process does for others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any

from recocore.errors import InternalError, InvalidArgumentError, RecocoreError
from recocore.state.wire import Answer, encode, failure, read_request, receive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from recocore.state.wire import Request

_LOGGER = logging.getLogger("recocore.state")
# Answers that a caller has not read yet, in bytes: beyond it nothing more of that caller is read.
_UNREAD = 1 << 20
# How long the calls under way may take once the process is told to stop.
_LAST_SECONDS = 30.0


@contextlib.asynccontextmanager
async def answering(socket: Path, do: Callable[[Request], Awaitable[Any]]) -> AsyncIterator[None]:
    """Answer requests on a socket of mode 0600 while the body runs, each as soon as it is done; then finish those under way.

    Args:
        socket: one that nobody listens on any longer is replaced: the caller holds a lock that says that nobody does.
        do: what a request asks for; what it raises is the answer too.

    Raises:
        InvalidArgumentError: something else than a socket is there.
    """
    _clear(socket)
    answerer = _Answerer(do)
    mask = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(answerer.accept, socket, limit=1 << 20)
    finally:
        os.umask(mask)
    try:
        yield
    finally:
        server.close()
        await answerer.finish()
        with contextlib.suppress(FileNotFoundError):
            socket.unlink()


class _Answerer:
    def __init__(self, do: Callable[[Request], Awaitable[Any]]) -> None:
        self._do = do
        self._callers: set[asyncio.Task[None]] = set()
        self._calls: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._hear(reader, writer))
        self._callers.add(task)
        task.add_done_callback(self._callers.discard)

    async def finish(self) -> None:
        """Hear nobody any longer; who is connected gets the answers to what was asked."""
        for caller in tuple(self._callers):
            caller.cancel()
        if self._calls:
            await asyncio.wait(self._calls, timeout=_LAST_SECONDS)
        await asyncio.gather(*self._callers, return_exceptions=True)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take the calls of one caller, until it goes or the process stops."""
        mine: set[asyncio.Task[None]] = set()
        writer.transport.set_write_buffer_limits(high=_UNREAD)
        try:
            while (data := await receive(reader)) is not None:
                request = read_request(data)
                task = asyncio.create_task(self._answer(request, writer))
                for tasks in (mine, self._calls):
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                await writer.drain()
        except ConnectionError as error:
            _LOGGER.warning("a caller is dropped: %s", error)
        finally:
            if mine:
                await asyncio.wait(mine, timeout=_LAST_SECONDS)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        try:
            value = await self._do(request)
            data = encode(Answer(request.number, value=value))
        except RecocoreError as error:
            data = encode(failure(request.number, error))
        except Exception as error:
            _LOGGER.exception("a call of %s failed", request.method)
            data = encode(failure(request.number, InternalError(f"{request.method}: {type(error).__name__}: {error}")))
        if not writer.is_closing():
            writer.write(data)


def _clear(socket: Path) -> None:
    """Take away a socket that nobody listens on."""
    if socket.is_socket():
        socket.unlink()
    elif socket.exists():
        raise InvalidArgumentError(
            f"socket_path: expected a socket or nothing, got another file at {socket}", field="socket_path"
        )
