"""A worker as the supervisor sees it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from recocore.service.processes.link import Link

if TYPE_CHECKING:
    from recocore.service.processes.link import Handler
    from recocore.service.processes.messages import Done, Message
    from recocore.service.processes.spawning import Spawned


class WorkerState(StrEnum):
    """What a worker is at."""

    STARTING = "starting"
    STANDBY = "standby"
    SERVING = "serving"
    DRAINING = "draining"


class Member:
    """A worker process and what is known of it.

    Args:
        number: its place among those that live.
        restarts: processes that ended in that place before it.
        spawned: the process.

    Attributes:
        number: see above.
        restarts: see above.
        state: what it is at.
        started: when it was started, UTC.
        listening: whether it takes calls.
        loaded: the versions that it holds, warm.
    """

    def __init__(self, number: int, restarts: int, spawned: Spawned) -> None:
        self.number = number
        self.restarts = restarts
        self._process = spawned.process
        self._end = spawned.end
        self._link: Link | None = None
        self.state = WorkerState.STARTING
        self.started = datetime.now(UTC)
        self.listening = False
        self.loaded: set[str] = set()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def connect(self, handle: Handler) -> None:
        """Begin to talk; `handle` follows what the worker says."""
        self._link = await Link.connect(self._end, handle)

    async def ask(self, message: Message) -> Done:
        """Have it follow a message: see `Link.ask`."""
        assert self._link is not None
        return await self._link.ask(message)

    def tell(self, message: Message) -> None:
        """Send it a message that needs no answer; a process so new that nobody listens there yet is ended instead."""
        if self._link is None:
            self.kill()
        else:
            self._link.tell(message)

    async def gone(self) -> int:
        """Wait for its end: the exit code, negative for a signal's number."""
        assert self._link is not None
        await self._link.closed()
        await self._link.close()
        # What has closed its socket is at its end, except where it hangs there.
        return await asyncio.to_thread(self._process.wait)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
