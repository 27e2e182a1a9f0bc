"""A worker process: it loads what the supervisor names, takes calls when it is told to, and ends when it is alone."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

from recocore.errors import CorruptError, InternalError
from recocore.index import Index
from recocore.service.convert import read_recorded
from recocore.service.engine import Engine
from recocore.service.events.served_state import NO_STATE, ServedState
from recocore.service.fraud.asking import FraudClient
from recocore.service.fraud.config import socket_path as fraud_socket_path
from recocore.service.hosting.background import lower_priority
from recocore.service.hosting.registry_models import RegistryModels
from recocore.service.hosting.shadow import Shadow, ShadowCount, ShadowLog
from recocore.service.hosting.warm_up import replay, sample_requests
from recocore.service.logs import configure, log
from recocore.service.processes.link import Link
from recocore.service.processes.messages import (
    Control,
    Done,
    Draining,
    Listen,
    Load,
    Route,
    Stop,
    Warming,
    alias_of,
    model_of,
)
from recocore.service.processes.ports import low_descriptors_taken
from recocore.service.processes.settings import WorkerSettings
from recocore.service.security.making import make_guard
from recocore.service.server import Server
from recocore.service.turns import Turns, TurnTakers

if TYPE_CHECKING:
    from typing import Any

    from recocore.service.hosting.states import AliasInfo, ModelInfo
    from recocore.service.hosting.warm_up import Request
    from recocore.service.processes.messages import Message


class Worker:
    """One worker; lives on one event loop."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._observer = settings.observing.observer(settings.board)
        self._turns = Turns()
        shadow = settings.shadow
        self._shadow = (
            Shadow(shadow, ShadowCount(self._observer, ShadowLog()), self._turns)
            if shadow.alias and shadow.share
            else None
        )
        self._models = RegistryModels(settings.models.alias, settings.experiment, self._shadow)
        self._recorded: list[Request] = read_recorded(settings.models.recorded) if settings.models.recorded else []
        # Here and not when it is to serve: a file that cannot be used then is found while another worker still takes the calls.
        self._guard = make_guard(
            settings.security, settings.server.pseudonym_key, self._observer, f"worker-{settings.number}"
        )
        self._loader = TurnTakers(self._turns, 1, "recocore-load")
        self._server: Server | None = None
        self._state: ServedState | None = None
        self._fraud: FraudClient | None = None
        self._stop = asyncio.Event()
        self._link: Link | None = None

    async def run(self, end: socket.socket) -> None:
        """Follow the supervisor at the other end of a socket pair, until it says stop, dies, or SIGTERM comes."""
        loop = asyncio.get_running_loop()
        # What answers large requests beside the loop, with asyncio.to_thread, takes turns too.
        loop.set_default_executor(TurnTakers(self._turns, None, "recocore-aside"))
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        for number in (signal.SIGINT, signal.SIGHUP):
            # A terminal sends these to all processes at once, and the supervisor passes on what is meant for workers.
            signal.signal(number, signal.SIG_IGN)
        self._link = await Link.connect(end, self._follow)
        alone = asyncio.ensure_future(self._link.closed())
        stopped = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((alone, stopped), return_when=asyncio.FIRST_COMPLETED)
        for task in (alone, stopped):
            task.cancel()
        self._link.tell(Draining())
        if self._server is not None:
            log(logging.INFO, "draining")
            await self._server.drain()
        if self._state is not None:
            await self._state.close()
        if self._fraud is not None:
            await self._fraud.close()
        if self._shadow is not None:
            await asyncio.to_thread(self._shadow.close)
        await asyncio.to_thread(self._loader.shutdown, cancel_futures=True)
        await asyncio.to_thread(self._observer.close)
        await self._link.close()
        log(logging.INFO, "stopped")

    async def _follow(self, message: Message) -> Done:
        match message:
            case Load():
                return await self._load(message)
            case Route(aliases, kept):
                dropped = self._models.route(aliases, kept)
                self._loader.submit(
                    dropped.clear
                )  # there, since unmapping takes milliseconds that calls would wait for
            case Listen():
                await self._listen()
            case Stop():
                self._stop.set()
            case _:
                raise InternalError(f"a worker does not take {type(message).__name__}")
        return Done()

    async def _load(self, message: Load) -> Done:
        version, path = message.version, message.path
        if version in self._models.versions:
            return Done({"seconds": 0.0})
        loop, link = asyncio.get_running_loop(), self._link
        assert link is not None
        started = time.perf_counter()

        def load() -> Engine:
            if not message.urgent:
                lower_priority()
            # The supervisor has compared the digests; all the rest is checked here.
            index = Index.load(path, verify=False)
            if index.version != version:
                raise CorruptError(f"{path}: expected version {version}, got {index.version}")
            loop.call_soon_threadsafe(link.tell, Warming(version))
            engine = Engine(index)
            replay(engine, version, [*sample_requests(index, self._settings.models.warm_up), *self._recorded])
            engine.warm_up()
            return engine

        self._models.hold(version, await loop.run_in_executor(self._loader, load))
        seconds = time.perf_counter() - started
        log(logging.INFO, "model is ready", model=version, seconds=round(seconds, 3))
        return Done({"seconds": seconds})

    async def _listen(self) -> None:
        if self._settings.state.path:
            self._state = await asyncio.to_thread(ServedState.open, self._settings.state, self._settings.profiles)
        if self._settings.fraud.path:
            self._fraud = FraudClient(fraud_socket_path(self._settings.fraud.path))
        control = _Control(self._link) if self._settings.models.control and self._link is not None else None
        settings = self._settings
        server = Server(
            self._models,
            settings.server,
            limits=settings.limits,
            observer=self._observer,
            reuse_port=True,
            control=control,
            state=self._state or NO_STATE,
            fraud=self._fraud,
            tls=settings.security.tls,
            guard=self._guard,
            turns=self._turns,
        )
        with low_descriptors_taken():
            bound = await server.start()
        self._server = server
        log(logging.INFO, "serving", address=bound)


class _Control:
    """ModelControl by asking the supervisor."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def list(self) -> tuple[tuple[ModelInfo, ...], tuple[AliasInfo, ...]]:
        body = await self._ask("list")
        return tuple(map(model_of, body["models"])), tuple(map(alias_of, body["aliases"]))

    async def get(self, name: str) -> ModelInfo:
        return model_of(await self._ask("get", name))

    async def load(self, version: str) -> ModelInfo:
        return model_of(await self._ask("load", version))

    async def unload(self, version: str) -> ModelInfo:
        return model_of(await self._ask("unload", version))

    async def set_alias(self, alias: str, version: str, expected: int | None) -> AliasInfo:
        return alias_of(await self._ask("set_alias", alias, version, expected))

    async def rollback(self, alias: str, expected: int | None) -> AliasInfo:
        return alias_of(await self._ask("rollback", alias, expected))

    async def remove_alias(self, alias: str, expected: int | None) -> None:
        await self._ask("remove_alias", alias, expected)

    async def _ask(self, method: str, *arguments: str | int | None) -> dict[str, Any]:
        return dict((await self._link.ask(Control(method, arguments))).body)


def main() -> None:
    """Run a worker: the command's argument is the number of its socket, and standard input has its settings."""
    end = socket.socket(fileno=int(sys.argv[1]))
    settings = WorkerSettings.from_json(sys.stdin.read())
    configure(settings.server.log_level, sys.stderr)
    asyncio.run(_run(settings, end))


async def _run(settings: WorkerSettings, end: socket.socket) -> None:
    await Worker(settings).run(end)
