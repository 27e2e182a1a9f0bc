"""Answering requests on a Unix socket: the owner of a state does it, and whatever else one process does for others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any

from recocore.errors import InternalError, InvalidArgumentError, RecocoreError
from recocore.state.wire import Answer, Messages, encode, failure, read_request

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
async def answering(socket: Path, do: Callable[[Request], Any]) -> AsyncIterator[None]:
    """Answer requests on a socket of mode 0600 while the body runs, each as soon as it is done; then finish those under way.

    Args:
        socket: one that nobody listens on any longer is replaced: the caller holds a lock that says that nobody does.
        do: gives what a request asks for, or a coroutine of it where that has to wait; what it raises is the answer too. An
            answer without waiting goes out 30 us sooner.

    Raises:
        InvalidArgumentError: something else than a socket is there.
    """
    _clear(socket)
    answerer = _Answerer(do)
    mask = os.umask(0o177)
    try:
        server = await asyncio.get_running_loop().create_unix_server(answerer.connection, socket)
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
    def __init__(self, do: Callable[[Request], Any]) -> None:
        self._do = do
        self.connections: set[_Connection] = set()
        self._calls: set[asyncio.Task[None]] = set()

    def connection(self) -> _Connection:
        """For a caller."""
        return _Connection(self)

    def answer(self, request: Request, connection: _Connection) -> None:
        """Do what is asked, and answer now or when it is done."""
        try:
            value = self._do(request)
        except Exception as error:
            connection.send(_failed(request, error))
            return
        if asyncio.iscoroutine(value):
            task = asyncio.create_task(self._later(request, value, connection))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
        else:
            connection.send(_done(request, value))

    async def _later(self, request: Request, work: Awaitable[Any], connection: _Connection) -> None:
        try:
            data = _done(request, await work)
        except Exception as error:
            data = _failed(request, error)
        connection.send(data)

    async def finish(self) -> None:
        """Hear nobody any longer; who is connected gets the answers to what was asked."""
        for connection in self.connections:
            connection.hear_no_more()
        if self._calls:
            await asyncio.wait(self._calls, timeout=_LAST_SECONDS)
        ends = [connection.end() for connection in tuple(self.connections)]
        if ends:
            await asyncio.wait(ends, timeout=_LAST_SECONDS)


class _Connection(asyncio.Protocol):
    """One caller."""

    def __init__(self, answerer: _Answerer) -> None:
        self._answerer = answerer
        self._messages = Messages()
        self._transport: asyncio.Transport
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hears = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=_UNREAD)
        self._answerer.connections.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._messages.feed(data):
                self._answerer.answer(read_request(message), self)
        except ConnectionError as error:
            _LOGGER.warning("a caller is dropped: %s", error)
            self._transport.close()

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._hears:
            self._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._answerer.connections.discard(self)
        self._ended.set_result(None)

    def send(self, data: bytes) -> None:
        """Answer, if the caller is still there."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def hear_no_more(self) -> None:
        """Read nothing more."""
        self._hears = False
        self._transport.pause_reading()

    def end(self) -> asyncio.Future[None]:
        """Close when all is sent; done when it is closed."""
        self._transport.close()
        return self._ended


def _done(request: Request, value: Any) -> bytes:
    try:
        return encode(Answer(request.number, value=value))
    except RecocoreError as error:
        return encode(failure(request.number, error))


def _failed(request: Request, error: Exception) -> bytes:
    if isinstance(error, RecocoreError):
        return encode(failure(request.number, error))
    _LOGGER.error("a call of %s failed", request.method, exc_info=error)
    return encode(failure(request.number, InternalError(f"{request.method}: {type(error).__name__}: {error}")))


def _clear(socket: Path) -> None:
    """Take away a socket that nobody listens on."""
    if socket.is_socket():
        socket.unlink()
    elif socket.exists():
        raise InvalidArgumentError(
            f"socket_path: expected a socket or nothing, got another file at {socket}", field="socket_path"
        )
