"""The supervisor: it keeps the port, starts the workers, has them follow the models, and drains them all at the end.

It takes no calls and has no gRPC in it, so that nothing a call does can end it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recocore.errors import InternalError, RecocoreError, UnsupportedError
from recocore.service.config import address
from recocore.service.logs import log
from recocore.service.observe.board import Board
from recocore.service.observe.counting import CountingObserver
from recocore.service.observe.observer import CallObserver
from recocore.service.observe.snapshot import ServiceSnapshot
from recocore.service.processes.crew import Crew
from recocore.service.processes.member import WorkerState
from recocore.service.processes.messages import Control, Done, Warming
from recocore.service.processes.ports import reserve
from recocore.service.processes.spawning import spawn
from recocore.service.processes.status import AliasStatus, WorkerStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from recocore.service.events.owner_keeper import OwnerKeeper
    from recocore.service.fraud.owner_keeper import FraudKeeper
    from recocore.service.hosting.sources import Source
    from recocore.service.hosting.states import AliasInfo, ModelInfo
    from recocore.service.observe.port import MetricsPort
    from recocore.service.processes.director import Director
    from recocore.service.processes.member import Member
    from recocore.service.processes.messages import Message
    from recocore.service.processes.settings import WorkerSettings
    from recocore.service.processes.spawning import Spawned
    from recocore.service.processes.status import Attachment, OwnerStatus

# A worker that has not ended this long after its grace is killed.
_KILL_AFTER_SECONDS = 5.0
# How long what the metrics port shows of workers and models may be behind.
_SHOW_SECONDS = 0.5
_CONTROLS = ("get", "load", "unload", "set_alias", "rollback", "remove_alias")


class Supervisor:
    """A service of several processes; lives on one event loop, its `ServiceStatus` is safe from any thread.

    Args:
        open_source: opens what is served; called in a thread once the workers are on their way, so that they import what
            they need while this process does.
        settings: of every worker; its server's `workers` is how many serve.
        announce: called once with the bound address when every worker serves.
        attachments: what else belongs to the service.
        port: shows the service while it runs; None for no metrics port.
        owner: keeps the state; None for a service without one.
        fraud: keeps what decides on fraud; None for a service without it.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        settings: WorkerSettings,
        announce: Callable[[str], object],
        attachments: Sequence[Attachment] = (),
        port: MetricsPort | None = None,
        owner: OwnerKeeper | None = None,
        fraud: FraudKeeper | None = None,
    ) -> None:
        self.started = time.time()
        self.size = settings.server.workers
        self._open_source = open_source
        self._announce = announce
        self._attachments = attachments
        self._port = port
        self._owner = owner
        self._fraud = fraud
        self._owned = asyncio.Event()
        # One key for all, so that a user has one pseudonym whichever worker answers.
        key = settings.server.pseudonym_key or secrets.token_bytes(32)
        threads = settings.server.threads or max(1, settings.server.thread_count // self.size)
        self._settings = replace(settings, server=replace(settings.server, pseudonym_key=key, threads=threads))
        self._crew: Crew | None = None
        self._director: Director | None = None
        self._directed = asyncio.Event()
        self._shown = asyncio.Event()
        self._address = ""
        self._announced = False

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, drain, and return; raises as `serve`."""
        server = self._settings.server
        with reserve(server.host, server.port, "port") as holder, self._signals() as stop:
            port: int = holder.getsockname()[1]
            self._address = address(server.host, port)
            settings = replace(self._settings, server=replace(server, port=port))

            def start(number: int) -> Spawned:
                board = None if self._port is None else self._port.board(f"worker-{number}")
                return spawn(replace(settings, board=board, number=number))

            self._crew = crew = Crew(self.size, start, self._prepare, self._handle)
            works = (self._own(), crew.keep(), self._direct(), self._show(), self._serve(), stop.wait())
            tasks = [asyncio.ensure_future(work) for work in works]
            try:
                await _first_end(tasks)
            finally:
                for attachment in self._attachments if self._announced else ():
                    await asyncio.to_thread(attachment.stop)
                await crew.stop(server.drain_delay_seconds + server.grace_seconds + _KILL_AFTER_SECONDS)
                for keeper in filter(None, (self._owner, self._fraud)):
                    # After the workers, which pass on to it what they are still told.
                    await asyncio.to_thread(keeper.stop)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                if self._director is not None:
                    self._director.close()

    @property
    def address(self) -> str:
        """Where the workers listen."""
        return self._address

    @property
    def workers(self) -> tuple[WorkerStatus, ...]:
        """The workers that live."""
        members = self._crew.members if self._crew else ()
        return tuple(sorted(map(_status_of, members), key=lambda worker: worker.number))

    @property
    def restarts(self) -> int:
        """How many workers have ended before the service did."""
        return self._crew.restarts if self._crew else 0

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The versions that are held or could not be."""
        return self._director.known() if self._director else ()

    @property
    def aliases(self) -> tuple[AliasStatus, ...]:
        """What answers under which alias, the default one first."""
        return self._director.aliases() if self._director else ()

    @property
    def state(self) -> OwnerStatus | None:
        """The owner of the state; None without one."""
        return self._owner

    @property
    def fraud(self) -> OwnerStatus | None:
        """The process that decides on fraud; None without one."""
        return self._fraud

    async def _own(self) -> None:
        """Start the owner of the state and what decides on fraud, and then stay."""
        keepers = filter(None, (self._owner, self._fraud))
        await asyncio.gather(*(asyncio.to_thread(keeper.start) for keeper in keepers))
        self._owned.set()
        await asyncio.Event().wait()

    async def _direct(self) -> None:
        """Have the workers follow the source."""
        from recocore.service.processes.director import Director  # noqa: PLC0415  # while the workers start, not before

        assert self._crew is not None
        crew = self._crew
        source = await asyncio.to_thread(self._open_source)
        self._director = director = Director(source, self._settings.models, lambda: crew.ready, self._observer())
        self._directed.set()
        await director.start()
        await director.follow()

    async def _serve(self) -> None:
        """Tell when the service serves, and then stay."""
        assert self._crew is not None
        await self._crew.serving()
        await self._shown.wait()
        log(logging.INFO, "serving", address=self._address, workers=self.size)
        if self._port is not None:
            self._port.show(ServiceSnapshot.of(self))
        self._announce(self._address)
        self._announced = True
        for attachment in self._attachments:
            attachment.start(self)
        await asyncio.Event().wait()

    async def _show(self) -> None:
        """Show the service on its metrics port, from before the workers are ready until they have ended."""
        if self._port is not None:
            self._port.start(ServiceSnapshot.of(self))
            await asyncio.to_thread(self._port.url)
        self._shown.set()
        while True:
            await asyncio.sleep(_SHOW_SECONDS)
            if self._port is not None:
                self._port.show(ServiceSnapshot.of(self))

    def _observer(self) -> CallObserver:
        """Who is told of what happens to the whole service."""
        return CallObserver() if self._port is None else CountingObserver(Board(Path(self._port.board("service"))))

    async def _prepare(self, member: Member, urgent: bool) -> None:
        await self._owned.wait()
        await self._directed.wait()
        assert self._director is not None
        await self._director.prepare(member, urgent)

    async def _handle(self, member: Member, message: Message) -> Done:
        """Follow what a worker says."""
        director = self._director
        if director is None:
            raise InternalError("the models are not known yet")
        match message:
            case Warming(version):
                director.warming(version)
                return Done()
            case Control(method, arguments) if self._settings.models.control:
                return await _control(director, method, arguments)
        raise UnsupportedError(f"the supervisor does not take {type(message).__name__} here")

    @contextlib.contextmanager
    def _signals(self) -> Iterator[asyncio.Event]:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        handlers: dict[signal.Signals, Callable[[], object]] = {
            signal.SIGTERM: stop.set,
            signal.SIGINT: stop.set,
            signal.SIGHUP: self._reload,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield stop
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _reload(self) -> None:
        log(logging.INFO, "looking at the registry again")
        if self._director is not None:
            self._director.poke()


def _status_of(member: Member) -> WorkerStatus:
    serves = member.state is not WorkerState.SERVING or member.listening
    state = member.state if serves else WorkerState.STARTING
    return WorkerStatus(member.number, member.pid, state, member.started, member.restarts)


async def _control(director: Director, method: str, arguments: tuple[Any, ...]) -> Done:
    if method == "list":
        models, aliases = await director.list()
        return Done({"models": [*map(asdict, models)], "aliases": [*map(asdict, aliases)]})
    if method not in _CONTROLS:
        raise UnsupportedError(f"the supervisor has no method {method}")
    result: ModelInfo | AliasInfo | None = await getattr(director, method)(*arguments)
    return Done({} if result is None else asdict(result))


async def _first_end(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Wait until one of the tasks ends; raise what it raised."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        if error := task.exception():
            raise (
                error
                if isinstance(error, (RecocoreError, KeyboardInterrupt))
                else InternalError(f"the supervisor failed: {type(error).__name__}: {error}")
            ) from error
