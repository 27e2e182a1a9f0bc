"""The owner process: one store behind a Unix socket, and calls that wait together committed together."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recocore.errors import InternalError, InvalidArgumentError, OverloadedError, RecocoreError
from recocore.state.answering import answering
from recocore.state.draft import Call
from recocore.state.store import StateStore
from recocore.state.values import MAX_ROWS, OK, Durability, StateConfig

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable

    from recocore.state.disk import Disk
    from recocore.state.keys import KeyFile
    from recocore.state.wire import Request

_LOGGER = logging.getLogger("recocore.state")
# Events of one transaction: who comes meanwhile waits for so many, below a second.
_MOST_TOGETHER = 20_000
# Calls other than `record` that may wait; each is done by itself.
_MOST_OTHERS = 256


async def serve_owner(
    path: str | os.PathLike[str],
    socket_path: str | os.PathLike[str],
    config: StateConfig | None = None,
    *,
    keys: KeyFile | None = None,
    ready: asyncio.Event | None = None,
    stop: asyncio.Event | None = None,
    disk: Disk | None = None,
) -> None:
    """Own the store at `path` and answer calls on a Unix socket of mode 0600 until `stop` is set.

    Calls of `record` that wait when a transaction begins share its fsync. Calls are answered as they are done.

    Args:
        path: the store's folder.
        socket_path: the socket; one that nobody listens on any longer is replaced. At most 107 bytes.
        config: bounds.
        keys: the master keys; by default those in PATH.key.
        ready: is set once the socket listens.
        stop: ends the serving: calls under way are finished, and the store is closed.
        disk: the calls that write.

    Raises:
        As `StateStore.open`.
    """
    loop = asyncio.get_running_loop()
    # Everything that touches the store runs in one of these two: commits are never behind a backup.
    with ThreadPoolExecutor(1, "recocore-commit") as committing, ThreadPoolExecutor(2, "recocore-upkeep") as upkeep:
        store = await loop.run_in_executor(committing, lambda: StateStore.open(path, config, keys=keys, disk=disk))
        try:
            owner = _Owner(store, config or StateConfig(), committing, upkeep)
            await owner.serve(Path(socket_path), ready or asyncio.Event(), stop or asyncio.Event())
        finally:
            await loop.run_in_executor(committing, store.close)


class _Owner:
    def __init__(
        self, store: StateStore, config: StateConfig, committing: ThreadPoolExecutor, upkeep: ThreadPoolExecutor
    ) -> None:
        self._store, self._config, self._committing, self._upkeep = store, config, committing, upkeep
        self._waiting: list[tuple[Call, asyncio.Future[Any]]] = []
        self._waiting_rows = 0
        self._others = 0
        self._arrived = asyncio.Event()

    async def serve(self, socket: Path, ready: asyncio.Event, stop: asyncio.Event) -> None:
        committer = asyncio.create_task(self._commit_forever())
        stopping = asyncio.create_task(stop.wait())
        try:
            async with answering(socket, self._do):
                ready.set()
                await asyncio.wait((committer, stopping), return_when=asyncio.FIRST_COMPLETED)
                if committer.done():
                    committer.result()
        finally:
            stopping.cancel()
            committer.cancel()
            await asyncio.gather(committer, return_exceptions=True)

    def _do(self, request: Request) -> Awaitable[Any]:
        # A task for each call with one event would take a fifth of the processor time that the call takes here.
        return self._record(request) if request.method == "record" else self._ask(request)

    async def _ask(self, request: Request) -> Any:
        method = _METHODS.get(request.method)
        if method is None:
            raise InvalidArgumentError(f"method: expected one of {', '.join(_METHODS)}, got {request.method!r:.40}")
        if self._others >= _MOST_OTHERS:
            raise OverloadedError(f"{request.method}: {self._others} calls wait already; try again later")
        self._others += 1
        try:
            work, long = method
            executor = self._upkeep if long else self._committing
            return await asyncio.get_running_loop().run_in_executor(executor, work, self._store, request.arguments)
        finally:
            self._others -= 1

    def _record(self, request: Request) -> asyncio.Future[Any]:
        rows = len(request.rows)
        if rows > MAX_ROWS:
            raise InvalidArgumentError(
                f"events: expected at most {MAX_ROWS:,} a call, got {rows:,}; split them", field="events"
            )
        if self._waiting_rows + rows > self._config.max_queued_rows:
            raise OverloadedError(f"events: {self._waiting_rows:,} wait to be written already; try again later")
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        call = Call(
            request.rows,
            Durability(request.arguments.get("durability", "fsync")),
            request.arguments.get("offsets"),
        )
        self._waiting.append((call, answered))
        self._waiting_rows += rows
        self._arrived.set()
        return answered

    async def _commit_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            group = self._group()
            try:
                outcomes = await loop.run_in_executor(
                    self._committing, self._store.record_many, [call for call, _ in group]
                )
            except RecocoreError as error:
                outcomes = [error] * len(group)
            except Exception as error:
                _LOGGER.exception("a commit failed")
                outcomes = [InternalError(f"record: {type(error).__name__}: {error}")] * len(group)
            for (_, answered), outcome in zip(group, outcomes, strict=True):
                if answered.done():
                    continue
                if isinstance(outcome, Exception):
                    answered.set_exception(outcome)
                else:
                    sound = all(result is OK for result in outcome.results)
                    answered.set_result([outcome.commit, None if sound else outcome.results])

    def _group(self) -> list[tuple[Call, asyncio.Future[Any]]]:
        """Those who wait, as many as are committed together."""
        rows, count = 0, 0
        for call, _ in self._waiting:
            if count and rows + len(call.rows) > _MOST_TOGETHER:
                break
            rows, count = rows + len(call.rows), count + 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        self._waiting_rows -= rows
        if not self._waiting:
            self._arrived.clear()
        return group


def _settled(store: StateStore, arguments: dict[str, Any]) -> int:
    store.flush()
    return store.commit


# By name: what is done with the arguments, and whether it takes long.
_METHODS: dict[str, tuple[Callable[[StateStore, dict[str, Any]], Any], bool]] = {
    "commit": (lambda store, _: store.commit, False),
    "flush": (_settled, False),
    "offsets": (lambda store, _: store.offsets(), False),
    "set_consent": (lambda store, given: store.set_consent(**given), False),
    "consents": (lambda store, given: store.consents(**given), False),
    "declare": (lambda store, given: store.declare(**given), False),
    "link": (lambda store, given: store.link(**given), False),
    "unlink": (lambda store, given: store.unlink(**given), False),
    "forget": (lambda store, given: asdict(store.forget(**given)), False),
    "export_user": (lambda store, given: store.export_user(**given), True),
    "retain": (lambda store, given: store.retain(timedelta(seconds=given["max_age_seconds"])), True),
    "compact": (lambda store, _: store.compact(), True),
    "backup": (lambda store, given: store.backup(**given), True),
    "rotate_master_key": (lambda store, given: store.rotate_master_key(**given), True),
    "stats": (lambda store, _: asdict(store.stats()), False),
}
