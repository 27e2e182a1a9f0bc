"""The process that decides on fraud: it holds the counters and writes the log, until SIGTERM or the end of the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recocore.fraud import FraudModel, KnownRings
from recocore.fraud.ledger import FraudDesk, check_keep
from recocore.service.events.config import StateConfig
from recocore.service.fraud.config import FraudConfig, socket_path
from recocore.service.fraud.counting import FraudCounting
from recocore.service.fraud.following import Follower, check_follow
from recocore.service.fraud.owner import FraudOwner
from recocore.service.observe.board import Board
from recocore.service.processes.ready_process import run_ready
from recocore.state import KeyFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def main() -> None:
    """Decide."""
    run_ready("fraud", _own)


async def _own(settings: Mapping[str, Any], ready: asyncio.Event, stop: asyncio.Event) -> None:
    config, board = FraudConfig(**settings["config"]), settings["board"]
    counting = None if board is None else FraudCounting(Board(Path(board)))
    state = StateConfig(**settings["state"])
    desk = await asyncio.to_thread(_open, config, state, counting)
    # Model and rules stay for good: a collection that walks them takes milliseconds, in which nothing is decided.
    gc.freeze()
    try:
        owner = FraudOwner(desk, durable=config.durability == "fsync", counting=counting, keep=config.keep)
        with following(desk, state) if config.follow_events else contextlib.nullcontext():
            await owner.serve(socket_path(config.path), ready, stop)
    finally:
        await asyncio.to_thread(desk.close)


@contextlib.contextmanager
def following(desk: FraudDesk, state: StateConfig) -> Iterator[None]:
    """Count a state's events meanwhile, on a thread."""
    follower = Follower(desk, state)
    thread = threading.Thread(target=follower.run, name="recocore-fraud-follow")
    thread.start()
    try:
        yield
    finally:
        follower.stop()
        thread.join()


def _open(config: FraudConfig, state: StateConfig, counting: FraudCounting | None) -> FraudDesk:
    model = FraudModel.load(config.model)
    if config.keep is not None:
        check_keep(model, config.keep)
    if config.follow_events:
        check_follow(model, state.path)
    return FraudDesk.open(
        config.path,
        model,
        KnownRings.load(config.rings) if config.rings else None,
        keys=KeyFile.open(config.keys, create=True) if config.keys else None,
        checkpoint_events=config.checkpoint_events,
        remembered=config.remembered,
        timed=None if counting is None else counting.took,
    )
