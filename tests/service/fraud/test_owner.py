"""The process that decides, asked over its socket: who waits for the disk waits together, and the order is that of arrival."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.fraud.ledger.desks import opened, rows
from tests.fraud.logs import batch
from tests.fraud.test_decision import fitted

from recocore.errors import InvalidArgumentError
from recocore.fraud import Decision
from recocore.service.fraud.asking import FraudClient
from recocore.service.fraud.owner import FraudOwner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@contextlib.asynccontextmanager
async def owning(path: Path, *, durable: bool) -> AsyncIterator[FraudClient]:
    """A client of an owner on this loop."""
    ready, stop = asyncio.Event(), asyncio.Event()
    with opened(path) as desk:
        serving = asyncio.create_task(FraudOwner(desk, durable=durable).serve(path / "socket", ready, stop))
        await ready.wait()
        client = FraudClient(path / "socket")
        try:
            yield client
        finally:
            await client.close()
            stop.set()
            await serving


@pytest.mark.parametrize("durable", [False, True])
def test_calls_at_once_are_decided_in_the_order_in_which_they_came(tmp_path: Path, durable: bool) -> None:
    model, events = fitted()
    events = events[:200]

    async def ask() -> list[Any]:
        async with owning(tmp_path, durable=durable) as client:
            pieces = [rows(events[begin : begin + 7]) for begin in range(0, len(events), 7)]
            told = await asyncio.gather(*(client.score(piece) for piece in pieces))
            return [one for each in told for one in each]

    told = asyncio.run(ask())
    assert [problem for _, _, _, problem in told] == [""] * len(events)
    decided = [packed for packed, *_ in told if packed is not None]
    made = list(model.decisions(batch(events)))
    assert [Decision.from_json(msgspec.msgpack.decode(one)) for one in decided] == made


def test_an_unknown_method_and_a_refused_event_are_told(tmp_path: Path) -> None:
    async def ask() -> None:
        async with owning(tmp_path, durable=True) as client:
            with pytest.raises(InvalidArgumentError, match="method: expected score or one of"):
                await client._caller.call("nothing", {}, timeout=10)
            [[packed, duplicate, field, problem]] = await client.score([msgspec.msgpack.encode({"event_id": "a"})])
            assert (packed, duplicate, field) == (None, False, "")
            assert "user_id" in problem

    asyncio.run(ask())
