"""The models of all workers: which versions they hold, and the moment at which they turn from one to another.

A version is read through once, here, in a thread; the workers map it without reading it through again. It is routed to when
every worker has it warm: an alias that moves in the registry takes effect everywhere or, where its version cannot be loaded,
nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from recocore.errors import InUseError, NotFoundError, RecocoreError
from recocore.service.hosting.background import lower_priority
from recocore.service.hosting.states import AliasInfo, Failure, ModelInfo, ModelState
from recocore.service.logs import log, places
from recocore.service.processes.link import LinkClosedError
from recocore.service.processes.messages import Load, ModelFailedError, Route
from recocore.service.processes.status import AliasStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from recocore.service.hosting.config import ModelsConfig
    from recocore.service.hosting.sources import Snapshot, Source
    from recocore.service.observe.observer import CallObserver
    from recocore.service.processes.member import Member

_T = TypeVar("_T")


@dataclass(slots=True)
class _Held:
    """A version that the workers hold or are to hold."""

    path: str
    state: ModelState
    info: ModelInfo
    seconds: float | None = None


class Director:
    """Follows a source and directs the workers; a `ModelControl`. Lives on the supervisor's event loop.

    Args:
        source: versions and aliases on disk.
        config: alias, keeping and polling.
        members: the workers that hold versions now.
        observer: is told of loads and swaps.
    """

    def __init__(
        self,
        source: Source,
        config: ModelsConfig,
        members: Callable[[], Iterable[Member]],
        observer: CallObserver,
    ) -> None:
        self._observer = observer
        self._source = source
        self._config = config
        self._members = members
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recocore-registry")
        # Held while workers are told of a change, so that a worker that joins sees all of it or nothing.
        self._turn = asyncio.Lock()
        # Held from a look at the registry to the routes that follow from it.
        self._change = asyncio.Lock()
        self._located = asyncio.Event()
        self._started = asyncio.Event()
        self._poked = asyncio.Event()
        self._snapshot: Snapshot | None = None
        self._held: dict[str, _Held] = {}
        self._failures: dict[str, Failure] = {}
        self._served: dict[str, str] = {}
        self._since: dict[str, float] = {}
        self._pinned: set[str] = set()
        self._left: dict[str, float] = {}

    async def start(self) -> None:
        """Read the source and the versions that its aliases point to, for the first workers.

        Raises:
            NotFoundError: there is no index or registry, or the registry has no default alias.
            CorruptError: the index, or the default alias's version, is damaged.
        """
        snapshot = await self._in_thread(self._source.snapshot)
        self._snapshot = snapshot
        default = self._config.alias
        if default not in snapshot.aliases:
            known = ", ".join(sorted(snapshot.aliases)) or "none yet"
            raise NotFoundError(
                f"models.alias: expected an alias of the registry ({known}), got {default}; set it first"
            )
        first = snapshot.aliases[default].version
        # The workers map and warm up what everybody is served from while it is read through here, and wait for that to serve.
        path = await self._in_thread(self._source.locate, first)
        self._held[first] = _Held(str(path), ModelState.LOADING, ModelInfo(first, ModelState.LOADING))
        self._located.set()
        await self._in_thread(self._source.verify, first)
        self._held[first].info = await self._describe(first)
        for alias in snapshot.aliases.values():
            try:
                await self._verify(alias.version)
            except RecocoreError as error:
                self._note_failure(alias.version, error)
            else:
                self._served[alias.name] = alias.version
                self._since[alias.name] = time.time()
        await self._in_thread(lower_priority)
        self._started.set()

    async def prepare(self, member: Member, urgent: bool) -> None:
        """Have a new worker hold what the others do."""
        await self._located.wait()
        for version in tuple(self._held):  # most of it beside other workers, which need not wait
            await self._load_in(member, version, urgent)
        await self._started.wait()
        async with self._turn:
            for version in tuple(self._held):
                await self._load_in(member, version, urgent)
            await member.ask(self._route())
            member.loaded &= self._held.keys()
            for version in tuple(self._held):
                self._held[version].state = self._settled(version)

    async def follow(self) -> None:
        """Follow the source until cancelled: a look every `poll_seconds`, or when poked."""
        await self._started.wait()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._poked.wait(), self._config.poll_seconds)
            poked = self._poked.is_set()
            self._poked.clear()
            try:
                async with self._change:
                    await self._look(again=poked)
                    await self._let_go()
            except (RecocoreError, OSError) as error:
                # The registry cannot be read at the moment: what is served goes on.
                log(logging.ERROR, "registry cannot be read", error=f"{type(error).__name__}: {error}")

    def poke(self) -> None:
        """Look at the source now, and try what had failed again."""
        self._poked.set()

    def warming(self, version: str) -> None:
        """A worker has mapped a version and answers samples from it."""
        held = self._held.get(version)
        if held is not None and held.state is ModelState.LOADING:
            held.state = ModelState.WARMING

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def known(self) -> tuple[ModelInfo, ...]:
        """The versions that are held or have failed; of these without what their manifests say."""
        failed = (ModelInfo(version, ModelState.FAILED) for version in self._failures if version not in self._held)
        return tuple(self._inform(info) for info in (*(held.info for held in self._held.values()), *failed))

    def aliases(self) -> tuple[AliasStatus, ...]:
        """What the workers answer from under each alias, the default one first."""
        names = sorted(self._served, key=lambda name: (name != self._config.alias, name))
        return tuple(AliasStatus(name, self._served[name], self._since[name]) for name in names)

    async def list(self) -> tuple[tuple[ModelInfo, ...], tuple[AliasInfo, ...]]:
        """Every version and every alias: see `ModelControl`."""
        snapshot = await self._in_thread(self._source.snapshot)
        models = await self._in_thread(self._source.models)
        listed = {model.version for model in models}
        models += [
            model for model in self.known() if model.version not in listed
        ]  # removed from disk, and still mapped
        aliases = (self._inform_alias(alias) for alias in snapshot.aliases.values())
        return tuple(self._inform(model) for model in models), tuple(aliases)

    async def get(self, name: str) -> ModelInfo:
        """One version: see `ModelControl`."""
        return self._inform(await self._in_thread(self._source.get, name))

    async def load(self, version: str) -> ModelInfo:
        """Have every worker hold a version: see `ModelControl`."""
        async with self._change:
            await self._version(version)
            self._failures.pop(version, None)  # who asks again may have mended it
            async with self._or_forget():
                await self._load_everywhere(version)
            self._pinned.add(version)
            self._left.pop(version, None)
            await self._route_everywhere()
            return self._inform(await self._version(version))

    async def unload(self, version: str) -> ModelInfo:
        """Let go of a version: see `ModelControl`."""
        async with self._change:
            info = await self._version(version)
            pointing = sorted({*info.aliases, *(name for name, served in self._served.items() if served == version)})
            if pointing:
                raise InUseError(f"version: {version} is {', '.join(pointing)}; point that elsewhere first")
            self._pinned.discard(version)
            self._left.pop(version, None)
            self._failures.pop(version, None)
            await self._route_everywhere()
        return self._inform(info)

    async def set_alias(self, alias: str, version: str, expected: int | None) -> AliasInfo:
        """Load, then move an alias: see `ModelControl`."""
        async with self._change:
            target = (await self._in_thread(self._source.get, version)).version
            self._failures.pop(target, None)
            async with self._or_forget():
                await self._load_everywhere(target)
                await self._in_thread(self._source.set_alias, alias, target, expected)
            await self._look()
            return self._alias(alias)

    async def rollback(self, alias: str, expected: int | None) -> AliasInfo:
        """Load, then move an alias back: see `ModelControl`."""
        async with self._change:
            target = await self._in_thread(self._source.earlier, alias)
            self._failures.pop(target, None)
            async with self._or_forget():
                await self._load_everywhere(target)
                await self._in_thread(self._source.rollback, alias, expected)
            await self._look()
            return self._alias(alias)

    async def remove_alias(self, alias: str, expected: int | None) -> None:
        """Remove an alias: see `ModelControl`."""
        if alias == self._config.alias:
            raise InUseError(f"alias: {alias} is what everybody is served from; point it elsewhere instead")
        async with self._change:
            await self._in_thread(self._source.remove_alias, alias, expected)
            await self._look()

    async def _look(self, *, again: bool = False) -> None:
        """See what the source says, and have the workers follow."""
        assert self._snapshot is not None
        if not again and await self._in_thread(self._source.token) == self._snapshot.token:
            return
        self._snapshot = snapshot = await self._in_thread(self._source.snapshot)
        self._failures.clear()  # whatever changed may have mended them
        served = {}
        for name, alias in snapshot.aliases.items():
            try:
                await self._load_everywhere(alias.version)
            except ModelFailedError:
                if name in self._served:
                    served[name] = self._served[name]
            else:
                served[name] = alias.version
        default = self._config.alias
        if default not in served:
            log(
                logging.ERROR,
                "the default alias is gone from the registry; its last version goes on serving",
                alias=default,
            )
            served[default] = self._served[default]
        for name in sorted({*served, *self._served}):
            before, after = self._served.get(name), served.get(name)
            if before != after:
                log(logging.INFO, "alias moves", alias=name, model=after, before=before)
                self._since[name] = time.time()
                if before is not None:
                    self._observer.swapped()
        left = {*self._served.values(), *self._held} - {*served.values(), *self._pinned}
        self._left = {version: self._left.get(version, time.monotonic()) for version in left if version in self._held}
        self._served = served
        await self._route_everywhere()

    async def _let_go(self) -> None:
        """Drop what was kept long enough."""
        before = time.monotonic() - self._config.keep_seconds
        over = [version for version, since in self._left.items() if since <= before]
        if over:
            for version in over:
                del self._left[version]
                log(logging.INFO, "model is unloaded", model=version)
            await self._route_everywhere()

    @contextlib.asynccontextmanager
    async def _or_forget(self) -> AsyncIterator[None]:
        """Let go again of what was loaded, where it turns out to be for nothing."""
        try:
            yield
        except BaseException:
            await self._route_everywhere()
            raise

    async def _version(self, version: str) -> ModelInfo:
        info = await self._in_thread(self._source.get, version)
        if info.version != version:
            raise NotFoundError(f"version: expected twelve hexadecimal digits, got the alias {version[:64]!r}")
        return info

    async def _verify(self, version: str) -> None:
        if version not in self._held:
            path = await self._in_thread(self._source.verify, version)
            self._held[version] = _Held(str(path), ModelState.LOADING, await self._describe(version))

    async def _describe(self, version: str) -> ModelInfo:
        # Aliases come and go while it is held.
        return replace(await self._in_thread(self._source.get, version), aliases=())

    async def _load_everywhere(self, version: str) -> None:
        """Have every worker hold a version, warm.

        Raises:
            ModelFailedError: it cannot be read or loaded; nothing else has changed.
        """
        if version in self._failures:
            failure = self._failures[version]
            raise ModelFailedError(f"version: {version} cannot be loaded: {failure.message}")
        started = time.monotonic()
        new = version not in self._held
        try:
            await self._verify(version)
            async with self._turn:
                # One after another: all at once would take the processor from the calls of all.
                for member in tuple(self._members()):
                    with contextlib.suppress(LinkClosedError):
                        await self._load_in(member, version, urgent=False)
                held = self._held[version]
                held.state = self._settled(version)
                held.seconds = time.monotonic() - started if new else held.seconds
        except (RecocoreError, OSError) as error:
            if isinstance(error, RecocoreError) and not new:
                # It is served already; the worker at fault is another's business.
                raise ModelFailedError(f"version: {version} cannot be loaded: {error}") from error
            self._note_failure(version, error)
            self._held.pop(version, None)  # and the next route tells the workers
            raise ModelFailedError(f"version: {version} cannot be loaded: {error}") from error
        if new:
            log(logging.INFO, "model is loaded", model=version, seconds=round(time.monotonic() - started, 3))

    async def _load_in(self, member: Member, version: str, urgent: bool) -> None:
        held = self._held.get(version)
        if held is not None and version not in member.loaded:
            done = await member.ask(Load(version, held.path, urgent))
            member.loaded.add(version)
            self._observer.loaded(done.body["seconds"])

    async def _route_everywhere(self) -> None:
        needed = {*self._served.values(), *self._pinned, *self._left}
        async with self._turn:
            self._held = {version: held for version, held in self._held.items() if version in needed}
            for version, held in self._held.items():
                held.state = self._settled(version)
            route = self._route()
            asked = [(member, member.ask(route)) for member in self._members()]
            outcomes = await asyncio.gather(*(answer for _, answer in asked), return_exceptions=True)
            for (member, _), outcome in zip(asked, outcomes, strict=True):
                member.loaded &= needed
                if isinstance(outcome, BaseException) and not isinstance(outcome, LinkClosedError):
                    raise outcome

    def _route(self) -> Route:
        return Route(dict(self._served), tuple(self._held))

    def _settled(self, version: str) -> ModelState:
        needed = {*self._served.values(), *self._pinned}
        return ModelState.DRAINING if version in self._left and version not in needed else ModelState.READY

    def _note_failure(self, version: str, error: Exception) -> None:
        status = error.grpc_status if isinstance(error, RecocoreError) else "INTERNAL"
        self._failures[version] = Failure(status, str(error))
        self._observer.load_failed()
        log(logging.ERROR, "model is refused", model=version, status=status, reason=str(error), error=places(error))

    def _inform(self, info: ModelInfo) -> ModelInfo:
        held = self._held.get(info.version)
        failure = self._failures.get(info.version)
        if held is not None:
            pinned = info.version in self._pinned
            return replace(info, state=held.state, pinned=pinned, load_seconds=held.seconds)
        if failure is not None:
            return replace(info, state=ModelState.FAILED, failure=failure)
        return info

    def _inform_alias(self, alias: AliasInfo) -> AliasInfo:
        return replace(alias, served_version=self._served.get(alias.name, ""))

    def _alias(self, name: str) -> AliasInfo:
        assert self._snapshot is not None
        if name not in self._snapshot.aliases:
            raise NotFoundError(f"alias: {name} was removed meanwhile")
        return self._inform_alias(self._snapshot.aliases[name])

    async def _in_thread(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*arguments))
