"""The supervisor: it keeps the port, starts the workers, has them follow the models, and drains them all at the end.

It takes no calls and has no gRPC in it, so that nothing a call does can end it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from recocore.errors import InternalError, RecocoreError, UnsupportedError
from recocore.service.config import LOOPBACK, address
from recocore.service.logs import log
from recocore.service.processes.crew import Crew
from recocore.service.processes.member import WorkerState
from recocore.service.processes.messages import Collect, Control, Done, Warming
from recocore.service.processes.ports import reserve
from recocore.service.processes.spawning import spawn
from recocore.service.processes.status import WorkerStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from recocore.service.hosting.sources import Source
    from recocore.service.hosting.states import AliasInfo, ModelInfo
    from recocore.service.processes.director import Director
    from recocore.service.processes.member import Member
    from recocore.service.processes.messages import Message
    from recocore.service.processes.settings import WorkerSettings
    from recocore.service.processes.status import Attachment

# A worker that has not ended this long after its grace is killed.
_KILL_AFTER_SECONDS = 5.0
_CONTROLS = ("get", "load", "unload", "set_alias", "rollback", "remove_alias")


class Supervisor:
    """A service of several processes; lives on one event loop, its `ServiceStatus` is safe from any thread.

    Args:
        open_source: opens what is served; called in a thread once the workers are on their way, so that they import what
            they need while this process does.
        settings: of every worker.
        count: how many workers serve.
        announce: called once with the bound address when every worker serves.
        attachments: what else belongs to the service.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        settings: WorkerSettings,
        count: int,
        announce: Callable[[str], object],
        attachments: Sequence[Attachment] = (),
    ) -> None:
        self._open_source = open_source
        self._count = count
        self._announce = announce
        self._attachments = attachments
        # One key for all, so that a user has one pseudonym whichever worker answers.
        key = settings.server.pseudonym_key or secrets.token_bytes(32)
        threads = settings.server.threads or max(1, settings.server.thread_count // count)
        self._settings = replace(settings, server=replace(settings.server, pseudonym_key=key, threads=threads))
        self._crew: Crew | None = None
        self._director: Director | None = None
        self._directed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._address = ""
        self._announced = False

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, drain, and return; raises as `serve`."""
        self._loop = asyncio.get_running_loop()
        server = self._settings.server
        with reserve(server) as holder, self._signals() as stop:
            port: int = holder.getsockname()[1]
            self._address = address(server.host, port)
            settings = replace(self._settings, server=replace(server, port=port))
            self._crew = crew = Crew(self._count, lambda: spawn(settings), self._prepare, self._handle)
            tasks = [asyncio.ensure_future(work) for work in (crew.keep(), self._direct(), self._serve(), stop.wait())]
            try:
                await _first_end(tasks)
            finally:
                for attachment in self._attachments if self._announced else ():
                    attachment.stop()
                await crew.stop(server.drain_delay_seconds + server.grace_seconds + _KILL_AFTER_SECONDS)
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
        return tuple(WorkerStatus(member.pid, member.state, member.started) for member in members)

    @property
    def restarts(self) -> int:
        """How many workers have ended before the service did."""
        return self._crew.restarts if self._crew else 0

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The versions that are held or could not be."""
        return self._director.known() if self._director else ()

    def collect(self, subject: str, timeout: float = 1.0) -> Mapping[int, Mapping[str, Any]]:
        """What each worker that serves knows of a subject; not from the supervisor's own thread."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(self._collect(subject, timeout), self._loop).result(timeout + 1)

    async def _collect(self, subject: str, timeout: float) -> dict[int, Mapping[str, Any]]:
        assert self._crew is not None
        members = [member for member in self._crew.members if member.state is WorkerState.SERVING]
        asked = (asyncio.wait_for(member.ask(Collect(subject)), timeout) for member in members)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return {
            member.pid: answer.body for member, answer in zip(members, answers, strict=True) if isinstance(answer, Done)
        }

    async def _direct(self) -> None:
        """Have the workers follow the source."""
        from recocore.service.processes.director import Director  # noqa: PLC0415  # while the workers start, not before

        assert self._crew is not None
        crew = self._crew
        source = await asyncio.to_thread(self._open_source)
        self._director = director = Director(source, self._settings.models, lambda: crew.ready)
        self._directed.set()
        await director.start()
        await director.follow()

    async def _serve(self) -> None:
        """Tell when the service serves, and then stay."""
        assert self._crew is not None
        await self._crew.serving()
        if not self._settings.server.host.startswith(LOOPBACK):
            log(logging.WARNING, "listening beyond this machine without encryption", address=self._address)
        log(logging.INFO, "serving", address=self._address, workers=self._count)
        self._announce(self._address)
        self._announced = True
        for attachment in self._attachments:
            attachment.start(self)
        await asyncio.Event().wait()

    async def _prepare(self, member: Member, urgent: bool) -> None:
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
