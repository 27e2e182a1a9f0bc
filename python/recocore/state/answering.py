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
    from collections.abc import AsyncIterator, Callable
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
        do: gives what a request asks for, or a future or coroutine of it where that has to wait; what it raises is the answer
            too. An answer without waiting goes out 30 us sooner than that of a coroutine.

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
        self._coming: set[asyncio.Future[Any]] = set()

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
        if not (asyncio.iscoroutine(value) or asyncio.isfuture(value)):
            connection.send(_done(request, value))
            return

        def answer_now(done: asyncio.Future[Any]) -> None:
            self._coming.discard(done)
            if done.cancelled():
                return
            error = done.exception()
            if error is None:
                connection.send(_done(request, done.result()))
            elif isinstance(error, Exception):
                connection.send(_failed(request, error))

        coming = asyncio.ensure_future(value)
        self._coming.add(coming)
        coming.add_done_callback(answer_now)

    async def finish(self) -> None:
        """Hear nobody any longer; who is connected gets the answers to what was asked."""
        for connection in self.connections:
            connection.hear_no_more()
        if self._coming:
            await asyncio.wait(tuple(self._coming), timeout=_LAST_SECONDS)
        ends = [connection.end() for connection in tuple(self.connections)]
        if ends:
            await asyncio.wait(ends, timeout=_LAST_SECONDS)


class _Connection(asyncio.Protocol):
    """One caller."""

    def __init__(self, answerer: _Answerer) -> None:
        self._answerer = answerer
        self._messages = Messages()
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._hears = True
        # Answers that go out together once those at hand are made.
        self._made: list[bytes] = []
        self._is_planned = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=_UNREAD)
        self._answerer.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._is_planned = True
        try:
            for message in self._messages.feed(data):
                self._answerer.answer(read_request(message), self)
        except ConnectionError as error:
            _LOGGER.warning("a caller is dropped: %s", error)
            self.end()
        self._send_made()

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
        self._made.append(data)
        if not self._is_planned:
            self._is_planned = True
            self._loop.call_soon(self._send_made)

    def _send_made(self) -> None:
        self._is_planned = False
        if self._made and not self._transport.is_closing():
            self._transport.write(b"".join(self._made))
        self._made.clear()

    def hear_no_more(self) -> None:
        """Read nothing more."""
        self._hears = False
        self._transport.pause_reading()

    def end(self) -> asyncio.Future[None]:
        """Close when all is sent; done when it is closed."""
        self._send_made()
        self._transport.close()
        return self._ended


def _done(request: Request, value: Any) -> bytes:
    try:
        return encode(Answer(request.number, value=value))
    except Exception as error:
        return _failed(request, error)


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
