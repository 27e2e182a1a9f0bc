"""The process that decides: one desk behind a Unix socket; calls that wait for the disk wait together."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from recocore.errors import InvalidArgumentError, OverloadedError, RecocoreError, StorageError
from recocore.fraud import OutcomeReport
from recocore.service.logs import log
from recocore.state.answering import answering
from recocore.state.flushing import Flusher

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from pathlib import Path

    from recocore.fraud.ledger import FraudDesk, Scored
    from recocore.service.fraud.counting import FraudCounting
    from recocore.state.wire import Request

# An event takes 0.1 ms: so many are decided on before others have their turn.
_PIECE: Final = 16
# Events that may wait to be decided on.
_MOST_WAITING: Final = 5_000
# How long after its answer a decision may be before the device has it. A flush takes milliseconds in which nothing is decided.
_FLUSH_SECONDS: Final = 0.1
_COUNT_SECONDS: Final = 0.5
# A start has other things to do first.
_FIRST_RETAIN_SECONDS: Final = 60.0
_RETAIN_SECONDS: Final = 86_400.0


class FraudOwner:
    """Answers what workers ask of a desk; on one event loop.

    Args:
        desk: decides.
        durable: whether ScoreFraud waits for the device.
        counting: where the metrics port reads what was decided; None where nobody does.
        keep: how long events are kept; None for ever.
    """

    def __init__(
        self,
        desk: FraudDesk,
        *,
        durable: bool,
        counting: FraudCounting | None = None,
        keep: timedelta | None = None,
    ) -> None:
        self._desk, self._durable, self._counting, self._keep = desk, durable, counting, keep
        self._waiting: list[tuple[list[bytes], asyncio.Future[list[Scored]]]] = []
        self._waiting_rows = 0
        self._arrived = asyncio.Event()
        self._aside = ThreadPoolExecutor(1, "recocore-fraud")
        # What reads or rewrites the log runs here: decisions, reports and rules go on meanwhile.
        self._upkeep = ThreadPoolExecutor(2, "recocore-fraud-upkeep")
        self._flusher = Flusher(self._flush, _FLUSH_SECONDS)

    async def serve(self, socket: Path, ready: asyncio.Event, stop: asyncio.Event) -> None:
        """Answer until told to stop."""
        tasks = [asyncio.create_task(work) for work in (self._commit_forever(), self._count_forever(), stop.wait())]
        if self._keep is not None:
            tasks.append(asyncio.create_task(self._retain_forever(self._keep)))
        try:
            async with answering(socket, self.do):
                ready.set()
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for executor in (self._aside, self._upkeep):
                await asyncio.to_thread(executor.shutdown)
            self._flusher.stop()
            self._count()

    def do(self, request: Request) -> Any:
        """What a request asks for, or a coroutine of it where that has to wait.

        Raises:
            RecocoreError: what the desk raises.
        """
        if request.method == "score" and not self._durable and len(request.rows) <= _PIECE:
            return [_told(scored) for scored in self._score_now(request.rows)]
        return self._do_later(request)

    async def _do_later(self, request: Request) -> Any:
        if request.method == "score":
            return [_told(scored) for scored in await self._score(request.rows)]
        method = _METHODS.get(request.method)
        if method is None:
            raise InvalidArgumentError(
                f"method: expected score or one of {', '.join(_METHODS)}, got {request.method!r:.40}"
            )
        if request.method == "activate":
            self._count()  # the new set's counts begin anew
        executor = self._upkeep if request.method in _LONG else self._aside
        return await asyncio.get_running_loop().run_in_executor(executor, method, self._desk, request.arguments)

    async def _score(self, rows: list[bytes]) -> list[Scored]:
        if self._durable:
            return await self._score_together(rows)
        scored: list[Scored] = []
        for begin in range(0, len(rows), _PIECE):
            scored += self._score_now(rows[begin : begin + _PIECE])
            await asyncio.sleep(0)
        return scored

    def _score_now(self, rows: list[bytes]) -> list[Scored]:
        scored = self._desk.score(rows, durable=False)
        self._flusher.wake()
        return scored

    async def _score_together(self, rows: list[bytes]) -> list[Scored]:
        if self._waiting_rows + len(rows) > _MOST_WAITING:
            raise OverloadedError(f"events: {self._waiting_rows:,} wait to be decided on already; try again later")
        answered: asyncio.Future[list[Scored]] = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, answered))
        self._waiting_rows += len(rows)
        self._arrived.set()
        return await answered

    async def _commit_forever(self) -> None:
        """Decide on all who wait, and have the device hold it once for all of them."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            group, self._waiting, self._waiting_rows = self._waiting, [], 0
            rows = [row for each, _ in group for row in each]
            try:
                scored = await asyncio.to_thread(self._desk.score, rows, durable=True)
            except Exception as error:
                for _, answered in group:
                    if not answered.done():
                        answered.set_exception(error)
                continue
            for each, answered in group:
                mine, scored = scored[: len(each)], scored[len(each) :]
                if not answered.done():
                    answered.set_result(mine)

    def _flush(self) -> bool:
        """Have the device hold what was answered; whether that is done."""
        try:
            self._desk.flush()
        except StorageError as error:
            log(logging.WARNING, "decisions wait for the disk", reason=str(error))
            return False
        return True

    async def _retain_forever(self, keep: timedelta) -> None:
        """Drop what is old: soon after the start, and every day."""
        pause = _FIRST_RETAIN_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = _RETAIN_SECONDS
            try:
                dropped = await asyncio.get_running_loop().run_in_executor(self._upkeep, self._desk.retain, keep)
            except RecocoreError as error:
                log(logging.WARNING, "old events could not be dropped", reason=str(error))
            else:
                log(logging.INFO, "old events were dropped", rows=dropped)

    async def _count_forever(self) -> None:
        while True:
            await asyncio.sleep(_COUNT_SECONDS)
            self._count()

    def _count(self) -> None:
        if self._counting is not None:
            self._counting.show(self._desk.tally)


def _told(scored: Scored) -> tuple[bytes | None, bool, str, str]:
    # The decision travels as the bytes that it is kept in: a worker makes the answer of them without reading it.
    if scored.error is None:
        return scored.packed, scored.duplicate, "", ""
    return scored.packed, scored.duplicate, scored.error.field, str(scored.error)


def _report(desk: FraudDesk, given: dict[str, Any]) -> list[bool | str]:
    outcomes = desk.report([OutcomeReport(**report) for report in given["reports"]])
    return [str(outcome) if isinstance(outcome, RecocoreError) else outcome for outcome in outcomes]


def _rules(desk: FraudDesk, _: dict[str, Any]) -> dict[str, Any]:
    tally = desk.tally
    rules = [
        {
            "name": rule.name,
            "condition": rule.when.text,
            "outcome": rule.outcome,
            "score": rule.score,
            "priority": rule.priority,
            "penalty": rule.penalty,
            "shadow": rule.shadow,
            "snoozed_until": None if rule.snoozed_until is None else rule.snoozed_until.timestamp(),
            "description": rule.description,
            "version": rule.version,
            "counts": tally.of(place),
        }
        for place, rule in enumerate(tally.rules.rules)
    ]
    return {"version": tally.rules.version, "toml": tally.rules.to_toml(), "rules": rules}


def _recall(desk: FraudDesk, given: dict[str, Any]) -> dict[str, Any]:
    found = desk.recall(given["decision_id"])
    return {
        "decision": found.decision.as_json(),
        "event": dict(found.event),
        "counters": dict(found.counters),
        "reports": [asdict(report) for report in found.reports],
        "made": found.made,
        "reproduced": found.reproduced,
    }


def _rings(desk: FraudDesk, given: dict[str, Any]) -> dict[str, Any]:
    rings = desk.rings
    if rings is None:
        return {"version": "", "found": None, "rings": []}
    most = given["members"]
    told = [
        (ring.density, len(ring.accounts), len(ring.entities), ring.accounts[:most], ring.entities[:most])
        for ring in rings.rings
    ]
    return {"version": rings.version, "found": rings.found, "rings": told}


_METHODS: Final[dict[str, Callable[[FraudDesk, dict[str, Any]], Any]]] = {
    "report": _report,
    "rules": _rules,
    "activate": lambda desk, given: desk.activate(given["toml"], given["expected"], dry_run=given["dry_run"]),
    "recall": _recall,
    "rings": _rings,
    "of_user": lambda desk, given: desk.of_user(given["user_id"]),
    "forget": lambda desk, given: desk.forget(given["user_id"]),
    "backup": lambda desk, given: desk.backup(given["dest"]),
}
_LONG: Final = frozenset({"recall", "of_user", "forget", "backup"})
