"""Events under load: calls that are each another one, so by a client of our own, and the roof under the same client.

h2load sends one body over and over, which would be duplicates after the first.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import msgspec
import numpy as np
from recocore.v1 import event_pb2 as shared
from recocore.v1 import event_service_pb2 as v1

from benchmarks.service.load import Loaded

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORD = "/recocore.v1.EventService/RecordEvents"
_TYPES = ("view", "view", "view", "cart", "buy")


@dataclass(frozen=True, slots=True)
class EventLoad:
    """Who calls how.

    Attributes:
        calls: in all.
        events: of a call.
        callers: at once, spread over eight connections.
        durability: what an answer promises.
    """

    calls: int
    events: int = 1
    callers: int = 64
    durability: shared.Durability.ValueType = shared.DURABILITY_FSYNC


def requests_of(load: EventLoad, name: str, users: int = 10_000) -> list[bytes]:
    """Serialised calls, no two events of which are the same; `name` goes into their ids."""
    now = time.time_ns() // 1_000
    made = []
    for call in range(load.calls):
        request = v1.RecordEventsRequest(durability=load.durability)
        for place in range(load.events):
            number = call * load.events + place
            event = request.events.add(
                event_id=f"{name}-{number}",
                type=_TYPES[number % len(_TYPES)],
                user_id=f"u{number * 7919 % users}",
                item_id=str(number % 1_000),
                session_id=f"s{number // 20}",
                device="phone",
            )
            event.event_time.FromMicroseconds(now)
        made.append(request.SerializeToString())
    return made


def hammer(address: str, rpc: str, requests: Sequence[bytes], callers: int) -> Loaded:
    """Send each of some requests once, from a process of its own: `callers` at a time, each after its last answer."""
    return asyncio.run(_hammer(address, rpc, requests, callers))


async def _hammer(address: str, rpc: str, requests: Sequence[bytes], callers: int) -> Loaded:
    options = (("grpc.use_local_subchannel_pool", 1),)
    channels = [grpc.aio.insecure_channel(address, options=options) for _ in range(min(8, callers))]
    calls: list[grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = [channel.unary_unary(rpc) for channel in channels]
    left = iter(requests)
    milliseconds: list[float] = []
    failed = data_bytes = 0

    async def caller(number: int) -> None:
        nonlocal failed, data_bytes
        call = calls[number % len(calls)]
        for request in left:
            started = time.perf_counter()
            try:
                data_bytes += len(await call(request, timeout=30))
            except grpc.RpcError:
                failed += 1
            milliseconds.append((time.perf_counter() - started) * 1e3)

    await asyncio.gather(*(call(b"", timeout=5) for call in calls), return_exceptions=True)
    started = time.perf_counter()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    seconds = time.perf_counter() - started
    for channel in channels:
        await channel.close()
    return Loaded(len(requests) / seconds, np.array(milliseconds), failed, data_bytes)


def main() -> None:
    """Address, method, callers and a file of requests are the arguments; what came of it is printed as JSON."""
    address, rpc, callers, path = sys.argv[1:]
    requests = msgspec.msgpack.decode(Path(path).read_bytes(), type=list[bytes])
    loaded = hammer(address, rpc, requests, int(callers))
    sys.stdout.buffer.write(msgspec.json.encode({**asdict(loaded), "milliseconds": loaded.milliseconds.tolist()}))


if __name__ == "__main__":
    main()
