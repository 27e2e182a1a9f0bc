"""Keeping workers at work: so many that serve, and one beside them that is ready to take a dead one's place.

The one that stands by has imported, mapped and warmed up everything; all it takes to serve is to listen. A process that starts
only when another has died needs a good half second for that, and twice as long on a machine that is busy with calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

from recocore.errors import InternalError
from recocore.service.logs import log
from recocore.service.processes.link import LinkClosedError
from recocore.service.processes.member import Member, WorkerState
from recocore.service.processes.messages import Done, Draining, Listen, Stop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from recocore.service.processes.messages import Message
    from recocore.service.processes.spawning import Spawned

# So many workers in a row that end before they are ready are no accident.
_MOST_FAILED_STARTS = 5
# Before the second start after a failed one; doubled each time.
_FIRST_DELAY_SECONDS = 0.1


class Crew:
    """The workers of a service.

    Args:
        size: how many serve.
        spawn: starts a process; told its place, the lowest number that no living one has.
        prepare: gives a worker what it needs before it may serve; told whether calls wait for it.
        handle: follows what a worker says.
    """

    def __init__(
        self,
        size: int,
        spawn: Callable[[int], Spawned],
        prepare: Callable[[Member, bool], Awaitable[None]],
        handle: Callable[[Member, Message], Awaitable[Done]],
    ) -> None:
        self._size = size
        self._spawn = spawn
        self._prepare = prepare
        self._handle = handle
        self._members: list[Member] = []
        self._starts: Counter[int] = Counter()
        self._lives: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._serving = asyncio.Event()
        self._failure: Exception | None = None
        self._failed_starts = 0
        self._delay_until = 0.0
        self._stopping = False
        self.restarts = 0

    @property
    def members(self) -> tuple[Member, ...]:
        """The workers that live."""
        return tuple(self._members)

    @property
    def ready(self) -> tuple[Member, ...]:
        """The workers that serve or stand by."""
        return tuple(member for member in self._members if member.state in (WorkerState.SERVING, WorkerState.STANDBY))

    async def keep(self) -> None:
        """Start workers and replace those that die, until `stop`.

        Raises:
            InternalError: workers end before they are ready, again and again; or the first one did.
            RecocoreError: what a worker of the first start could not do.
        """
        while not self._stopping:
            self._changed.clear()
            self._promote()
            pause = self._fill()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), pause)
            if self._failure is not None:
                raise self._failure

    async def serving(self) -> None:
        """Return when all of them serve for the first time."""
        await self._serving.wait()

    async def stop(self, seconds: float) -> None:
        """Have all drain and end; kill those that still live after so many seconds."""
        self._stopping = True
        self._changed.set()
        for member in self._members:
            member.state = WorkerState.DRAINING
            member.tell(Stop())
        if self._lives:
            await asyncio.wait(self._lives, timeout=seconds)
        for member in self._members:
            log(logging.ERROR, "worker is killed: it did not end in time", pid=member.pid)
            member.kill()
        if self._lives:
            await asyncio.wait(self._lives)

    def _promote(self) -> None:
        """Let workers that stand by take the places that are free."""
        free = self._size - sum(member.state is WorkerState.SERVING for member in self._members)
        for member in [one for one in self._members if one.state is WorkerState.STANDBY][:free]:
            member.state = WorkerState.SERVING
            self._start_life(self._listen(member))

    def _fill(self) -> float | None:
        """Start the processes that are missing; the seconds to wait where it is too early for that."""
        # The spare one waits until the service serves, so that it does not slow that down.
        wanted = self._size + int(self._serving.is_set())
        missing = wanted - sum(member.state is not WorkerState.DRAINING for member in self._members)
        early = self._delay_until - asyncio.get_running_loop().time()
        if missing > 0 and early > 0:
            return early
        for _ in range(missing):
            member = self._new_member()
            self._members.append(member)
            self._start_life(self._live(member))
        return None

    def _new_member(self) -> Member:
        taken = {member.number for member in self._members}
        number = next(place for place in count() if place not in taken)
        member = Member(number, self._starts[number], self._spawn(number))
        self._starts[number] += 1
        return member

    async def _live(self, member: Member) -> None:
        async def handle(message: Message) -> Done:
            if isinstance(message, Draining):
                member.state = WorkerState.DRAINING
                self._changed.set()
                return Done()
            return await self._handle(member, message)

        await member.connect(handle)
        preparing = asyncio.ensure_future(self._get_ready(member))
        code = await member.gone()
        preparing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await preparing
        self._members.remove(member)
        self._changed.set()
        if self._stopping:
            return
        log(logging.ERROR if code else logging.INFO, "worker ended", pid=member.pid, exit_code=code, state=member.state)
        self.restarts += 1
        if member.state is WorkerState.STARTING:
            self._count_failed_start(code)

    async def _get_ready(self, member: Member) -> None:
        # While the service starts, and whenever a place is free, calls wait for this one.
        urgent = sum(one.state is WorkerState.SERVING for one in self._members) < self._size
        try:
            await self._prepare(member, urgent)
        except LinkClosedError:
            return  # its end is seen elsewhere
        except Exception as error:
            if self._stopping:
                pass  # it was told to stop while it loaded
            elif not self._serving.is_set():
                self._fail(error)
            else:
                log(
                    logging.ERROR,
                    "worker could not get ready",
                    pid=member.pid,
                    error=f"{type(error).__name__}: {error}",
                )
            member.kill()
            return
        if not self._stopping:
            member.state = WorkerState.STANDBY
            self._failed_starts = 0
            self._changed.set()

    async def _listen(self, member: Member) -> None:
        try:
            await member.ask(Listen())
        except LinkClosedError:
            return
        except Exception as error:
            self._fail(error)
            return
        member.listening = True
        log(logging.INFO, "worker serves", pid=member.pid)
        if sum(one.listening for one in self._members) >= self._size:
            self._serving.set()
            self._changed.set()

    def _count_failed_start(self, code: int) -> None:
        self._failed_starts += 1
        if not self._serving.is_set():
            self._fail(InternalError(f"a worker ended with exit code {code} before it served; see the log above"))
        elif self._failed_starts == _MOST_FAILED_STARTS:
            self._fail(
                InternalError(
                    f"{_MOST_FAILED_STARTS} workers in a row ended before they served, the last with exit code {code}; "
                    "see the log above"
                )
            )
        delay = _FIRST_DELAY_SECONDS * 2 ** (self._failed_starts - 1)
        self._delay_until = asyncio.get_running_loop().time() + delay

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._changed.set()

    def _start_life(self, life: Awaitable[None]) -> None:
        task = asyncio.ensure_future(life)
        self._lives.add(task)
        task.add_done_callback(self._lives.discard)
