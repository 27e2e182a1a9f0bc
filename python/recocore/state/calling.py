"""Asking a process that answers on a Unix socket; see `answering`."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any

from recocore.errors import OwnerUnavailableError
from recocore.state.wire import Answer, Request, encode, pack_rows, raised, read_answer, receive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A connection that was just refused is not tried again for so long; a process that is started again is there in a second.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


class Caller:
    """Asks; for one event loop. Calls share a connection, which is made when needed and again after it broke.

    While nobody listens, as when the process is started again, a call waits for the connection as long as its timeout allows.

    Args:
        socket_path: where the process answers.
    """

    def __init__(self, socket_path: str | os.PathLike[str]) -> None:
        self._socket = os.fspath(socket_path)
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._answers: dict[int, asyncio.Future[Answer]] = {}
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
        number = self._number
        data = encode(Request(number, method, dict(arguments), pack_rows(rows)))
        try:
            async with asyncio.timeout(timeout):
                writer = await self._connected()
                answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
                self._answers[number] = answered
                writer.write(data)
                await writer.drain()
                answer = await answered
        except TimeoutError:
            raise OwnerUnavailableError(
                f"{self._socket}: no answer to {method} in time; see that the owner runs, and send it again"
            ) from None
        except ConnectionError as error:
            raise OwnerUnavailableError(
                f"{self._socket}: the owner went away during {method} ({error}); send it again"
            ) from error
        finally:
            self._answers.pop(number, None)
        if answer.code:
            raise raised(answer)
        return answer.value

    async def close(self) -> None:
        """Close the connection; calls under way fail as unavailable."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._connecting:
            pause = _FIRST_PAUSE
            while self._writer is None:
                try:
                    reader, writer = await asyncio.open_unix_connection(self._socket, limit=1 << 20)
                except (FileNotFoundError, ConnectionError):
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                else:
                    self._writer = writer
                    self._listening = asyncio.create_task(self._listen(reader, writer))
            return self._writer

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand out answers until the connection ends; those who wait then hear of that."""
        reason: Exception = ConnectionError("the connection was closed")
        try:
            while (data := await receive(reader)) is not None:
                answer = read_answer(data)
                waiting = self._answers.get(answer.number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        except OSError as error:
            reason = error if isinstance(error, ConnectionError) else ConnectionError(str(error))
        finally:
            self._writer = None
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(reason)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
