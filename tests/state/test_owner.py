"""The owner over its socket: every call, many callers, a full queue, hostile bytes, and an owner that comes again."""

from __future__ import annotations

import asyncio
import stat
import struct
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.state.made import START, expected, rows, told

from recocore.errors import InUseError, InvalidArgumentError, OverloadedError, OwnerUnavailableError
from recocore.state import Durability, StateConfig, StateReader, StateStore
from recocore.state.disk import Disk
from recocore.state.owner import serve_owner
from recocore.state.owner_client import OwnerClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def owner(path: Path, config: StateConfig | None = None, disk: Disk | None = None) -> AsyncIterator[Path]:
    """An owner in this process: its socket."""
    ready, stop = asyncio.Event(), asyncio.Event()
    socket = path.with_name("owner.sock")
    serving = asyncio.create_task(serve_owner(path, socket, config, ready=ready, stop=stop, disk=disk))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        waiting.cancel()
        serving.result()
    try:
        yield socket
    finally:
        stop.set()
        await serving


def test_every_call(path: Path, tmp_path: Path) -> None:
    async def run() -> None:
        async with owner(path) as socket, OwnerClient(socket) as client:
            assert stat.S_IMODE(socket.stat().st_mode) == 0o600
            events = rows(200, users=5)
            receipt = await client.record(events, offsets={"orders/0": 4})
            assert {result.code for result in receipt.results} == {"ok"}
            assert {result.code for result in (await client.record(events)).results} == {"duplicate"}
            invalid = (await client.record([{"user_id": "ann"}], durability=Durability.BUFFERED)).results[0]
            assert (invalid.code, invalid.field) == ("invalid", "item_id")
            assert await client.commit() == await client.flush() == receipt.commit
            assert await client.offsets() == {"orders/0": 4}
            with StateReader.open(path) as reader:
                assert reader.commit >= receipt.commit
                assert told(reader.user("customer-1")) == expected(events)["customer-1"]
            assert await client.set_consent("customer-1", "marketing", True) > receipt.commit
            assert await client.consents("customer-1") == {"marketing": True}
            assert len((await client.export_user("customer-1"))["events"]) == sum(
                event["user_id"] == "customer-1" for event in events
            )
            assert (await client.forget("customer-1")).key_destroyed
            assert await client.compact() > 0
            assert (await client.backup(tmp_path / "backup"))["files"] > 3
            assert await client.rotate_master_key(drop_old=True) == 2
            assert await client.retain(1.0) > 0
            assert (await client.stats()).forgotten == 1
            with pytest.raises(InvalidArgumentError, match="purpose: expected") as refused:
                await client.set_consent("customer-2", "No", True)
            assert refused.value.field == "purpose"
            with pytest.raises(InvalidArgumentError, match="at most 1,000"):
                await client.record(rows(1_001))
            with pytest.raises(InvalidArgumentError, match="expected mappings of plain values"):
                await client.record([{"user_id": object()}])
            with pytest.raises(InvalidArgumentError, match="method: expected one of"):
                await client._call("shutdown", {})

    asyncio.run(run())


def test_a_second_owner_is_refused(path: Path) -> None:
    async def run() -> None:
        async with owner(path) as socket:
            with pytest.raises(InUseError):
                await serve_owner(path, socket.with_name("second.sock"))
            async with OwnerClient(socket) as client:
                assert await client.commit() == 0

    asyncio.run(run())


class _Gate(Disk):
    """A device that answers once it is told to."""

    def __init__(self) -> None:
        self.syncs = 0
        self.entered, self.free = threading.Event(), threading.Event()
        self.free.set()

    def sync(self, descriptor: int) -> None:
        self.entered.set()
        assert self.free.wait(30)
        self.syncs += 1
        super().sync(descriptor)


def test_calls_that_wait_share_an_fsync_and_a_full_queue_says_so(path: Path) -> None:
    async def run() -> None:
        gate = _Gate()
        async with owner(path, StateConfig(max_queued_rows=64), gate) as socket, OwnerClient(socket) as client:
            await client.record([{"user_id": "ann", "item_id": "tea"}])
            before = gate.syncs
            gate.free.clear()
            gate.entered.clear()
            first = asyncio.create_task(client.record([{"user_id": "ann", "item_id": "tea"}]))
            assert await asyncio.to_thread(gate.entered.wait, 30)
            others = [asyncio.create_task(client.record([{"user_id": "ann", "item_id": "tea"}])) for _ in range(80)]
            refused = [task for task in others if isinstance(await _outcome(task, gate, others), OverloadedError)]
            receipts = [task.result() for task in (first, *others) if task not in refused]
            assert len(refused) == 80 - 64
            assert len(receipts) == 65
            assert gate.syncs - before == 2

    async def _outcome(task: asyncio.Task[Any], gate: _Gate, others: list[asyncio.Task[Any]]) -> Any:
        # The queue's answers come first; once all that it refuses are there, the device goes on.
        while not task.done() and sum(other.done() for other in others) < 80 - 64:
            await asyncio.sleep(0)
        gate.free.set()
        try:
            return await task
        except OverloadedError as error:
            return error

    asyncio.run(run())


def test_many_callers_read_what_they_wrote(path: Path) -> None:
    async def run() -> None:
        async with owner(path, StateConfig(segment_events=300)) as socket:
            with StateReader.open(path) as reader:

                async def caller(number: int) -> None:
                    async with OwnerClient(socket) as client:
                        for step in range(10):
                            item = f"item-{step}"
                            receipt = await client.record(
                                [
                                    {
                                        "user_id": f"user-{number}",
                                        "item_id": item,
                                        "type": "buy",
                                        "event_time": START + step,
                                    }
                                ],
                                durability=Durability.BUFFERED if step % 2 else Durability.FSYNC,
                            )
                            assert reader.commit >= receipt.commit
                            known = reader.user(f"user-{number}")
                            assert known is not None
                            assert known.seen[-1] == item

                await asyncio.gather(*(caller(number) for number in range(20)))
        with StateStore.open(path) as store:
            assert store.stats().events == store.verify() == 200

    asyncio.run(run())


def test_bytes_that_are_no_call_end_their_connection_alone(path: Path) -> None:
    async def run() -> None:
        async with owner(path) as socket, OwnerClient(socket) as client:
            await client.commit()
            for hostile in (b"\xff" * 64, struct.pack("<I", 3) + b"abc", struct.pack("<I", 10) + b"ab"):
                reader, writer = await asyncio.open_unix_connection(socket)
                writer.write(hostile)
                writer.write_eof()
                assert await reader.read() == b""
                writer.close()
                await writer.wait_closed()
            assert await client.commit() == 0

    asyncio.run(run())


def test_a_client_finds_an_owner_that_comes_again(path: Path) -> None:
    async def run() -> None:
        client = OwnerClient(path.with_name("owner.sock"))
        for number in range(3):
            async with owner(path):
                events = rows(10, seed=number)
                assert {result.code for result in (await client.record(events)).results} == {"ok"}
        await client.close()
        impatient = OwnerClient(path.with_name("owner.sock"), timeout=0.05)
        with pytest.raises(OwnerUnavailableError, match="no answer to commit in time"):
            await impatient.commit()
        await impatient.close()

    asyncio.run(run())


def test_a_file_in_the_sockets_place_is_left_alone(path: Path) -> None:
    path.with_name("owner.sock").write_text("mine")

    async def run() -> None:
        with pytest.raises(InvalidArgumentError, match="expected a socket or nothing"):
            async with owner(path):
                pass

    asyncio.run(run())
    assert path.with_name("owner.sock").read_text() == "mine"
