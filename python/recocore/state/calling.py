"""Asking a process that answers on a Unix socket; see `answering`."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from recocore.errors import OwnerUnavailableError
from recocore.gathering import Gathering
from recocore.state.wire import Answer, Messages, Request, encode, pack_rows, raised, read_answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A connection that was just refused is not tried again for so long; a process that is started again is there in a second.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
# Requests that go out together are done together: of 64 callers with an event each, a durable commit had two events where each
# request went out by itself, and 24 with so many at most.
_MOST_TOGETHER = 32
# A request of more bytes keeps the process busy by itself, so that waiting for others would only make it idle.
_LARGE = 4_096


class Caller:
    """Asks; for one event loop. Calls share a connection, which is made when needed and again after it broke.

    While nobody listens, as when the process is started again, a call waits for the connection as long as its timeout allows.

    Args:
        socket_path: where the process answers.
    """

    def __init__(self, socket_path: str | os.PathLike[str]) -> None:
        self._socket = os.fspath(socket_path)
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()
        self._number = 0

    async def call(
        self,
        method: str,
        arguments: Mapping[str, Any],
        *,
        rows: Sequence[Mapping[str, Any] | bytes] = (),
        timeout: float,
    ) -> Any:
        """What a method gives; whatever it raised there is raised here.

        Args:
            method: its name.
            arguments: by name.
            rows: sent beside them; one that is MessagePack bytes travels as it is.
            timeout: seconds it may take.

        Raises:
            OwnerUnavailableError: nobody answers in time; whether the call was done is not known.
        """
        self._number += 1
        number = self._number  # others take theirs while this one waits
        data = encode(Request(number, method, dict(arguments), pack_rows(rows)))
        try:
            async with asyncio.timeout(timeout):
                connection = self._connection
                if connection is None or connection.is_over:
                    connection = await self._connected()
                answer = await connection.ask(number, data)
        except TimeoutError:
            raise OwnerUnavailableError(
                f"{self._socket}: no answer to {method} in time; see that the owner runs, and send it again"
            ) from None
        except ConnectionError as error:
            raise OwnerUnavailableError(
                f"{self._socket}: the owner went away during {method} ({error}); send it again"
            ) from error
        if answer.code:
            raise raised(answer)
        return answer.value

    async def close(self) -> None:
        """Close the connection; calls under way fail as unavailable."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.end()

    async def _connected(self) -> _Connection:
        async with self._connecting:
            pause = _FIRST_PAUSE
            while self._connection is None or self._connection.is_over:
                try:
                    _, self._connection = await asyncio.get_running_loop().create_unix_connection(
                        _Connection, self._socket
                    )
                except (FileNotFoundError, ConnectionError):
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
            return self._connection


class _Connection(asyncio.Protocol):
    """One connection: it hands out answers until it ends, and those who wait then hear of that."""

    def __init__(self) -> None:
        self._messages = Messages()
        self._requests = Gathering(self._send_all, most=_MOST_TOGETHER)
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._transport: asyncio.Transport
        self._writable = asyncio.Event()
        self._writable.set()
        self._ended = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether nothing can be asked any longer."""
        return self._transport.is_closing()

    async def ask(self, number: int, data: bytes) -> Answer:
        """Send a request, and wait for its answer.

        Raises:
            ConnectionError: the connection ended before.
        """
        if not self._writable.is_set():
            await self._writable.wait()
        if self.is_over:
            raise ConnectionError("the connection was closed")
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        is_busy = bool(self._answers)
        self._answers[number] = answered
        try:
            if is_busy and len(data) < _LARGE:
                self._requests.submit(data)
            else:
                self._transport.write(data)
            return await answered
        finally:
            del self._answers[number]

    async def end(self) -> None:
        """Close, and wait until it is."""
        self._transport.close()
        await self._ended.wait()

    def _send_all(self, requests: Sequence[bytes]) -> Sequence[bytes]:
        if not self.is_over:
            self._transport.write(b"".join(requests))
        return ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._messages.feed(data):
                answer = read_answer(message)
                waiting = self._answers.get(answer.number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        except ConnectionError as error:
            self._fail(error)
            self._transport.abort()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        gone = (
            error if isinstance(error, ConnectionError) else ConnectionError(str(error or "the connection was closed"))
        )
        self._fail(gone)
        self._writable.set()
        self._ended.set()

    def _fail(self, error: ConnectionError) -> None:
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(error)
