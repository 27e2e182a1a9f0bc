"""A line between two processes: each side asks and answers, over one socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from recocore.errors import InternalError
from recocore.service.processes.messages import Done, Failed, error_of, failed, from_json, to_json

if TYPE_CHECKING:
    import socket

    from recocore.service.processes.messages import Message

# A list of a registry's versions takes a few hundred bytes each.
_LONGEST_MESSAGE = 64 << 20

Handler = Callable[["Message"], Awaitable[Done]]


class LinkClosedError(InternalError):
    """The other process has gone."""


class Link:
    """One end. Made by `connect`, used on one event loop.

    Args:
        reader: what the other side writes.
        writer: to the other side.
        handle: follows a message of the other side; what it raises is raised there.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler) -> None:
        self._reader = reader
        self._writer = writer
        self._handle = handle
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Done]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = asyncio.Event()
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def connect(cls, end: socket.socket, handle: Handler) -> Link:
        """A link over one end of a socket pair."""
        reader, writer = await asyncio.open_connection(sock=end, limit=_LONGEST_MESSAGE)
        return cls(reader, writer, handle)

    async def ask(self, message: Message) -> Done:
        """Have the other side follow a message.

        Raises:
            LinkClosedError: the other side has gone.
            RecocoreError: the other side's error.
        """
        if self._closed.is_set():
            raise LinkClosedError("the other process has gone")
        number = next(self._numbers)
        answer: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._write({"number": number, **to_json(message)})
            return await answer
        finally:
            self._waiting.pop(number, None)

    def tell(self, message: Message) -> None:
        """Send a message that needs no answer."""
        if not self._closed.is_set():
            self._write(to_json(message))

    async def closed(self) -> None:
        """Return when the other side has gone."""
        await self._closed.wait()

    async def close(self) -> None:
        """Hang up."""
        self._reading.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def _write(self, body: dict[str, Any]) -> None:
        self._writer.write(json.dumps(body, separators=(",", ":")).encode() + b"\n")

    async def _read(self) -> None:
        try:
            # A line without its end is what a killed process was writing.
            while (line := await self._reader.readline()).endswith(b"\n"):
                self._take(json.loads(line))
        except ConnectionError:
            pass  # gone, in another way
        finally:
            self._closed.set()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(LinkClosedError("the other process has gone"))

    def _take(self, body: dict[str, Any]) -> None:
        to, number = body.pop("to", None), body.pop("number", None)
        message = from_json(body)
        if to is None:
            task = asyncio.ensure_future(self._follow(message, number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        answer = self._waiting.get(to)
        if answer is None or answer.done():
            return  # who asked has stopped waiting
        if isinstance(message, Failed):
            answer.set_exception(error_of(message))
        elif isinstance(message, Done):
            answer.set_result(message)

    async def _follow(self, message: Message, number: int | None) -> None:
        try:
            answer: Done | Failed = await self._handle(message)
        except Exception as error:
            answer = failed(error)
        if number is not None and not self._closed.is_set():
            self._write({"to": number, **to_json(answer)})
