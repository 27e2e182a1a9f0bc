"""An open loop: calls begin at a steady rate, whether or not others were answered. In processes of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from dataclasses import dataclass

import grpc
import numpy as np

_METHOD = "/recocore.v1.RecommendationService/Recommend"
# What one Python process can begin in a second beside a busy server, measured; more take more processes.
_PER_PROCESS = 4_000
_DEADLINE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Offered:
    """What came of it.

    Attributes:
        offered_per_second: calls that were begun a second.
        answered_per_second: those that were answered.
        by_status: how the calls ended.
        answered_ms: the 50th and 99th percentile of the answers' times, in milliseconds.
        refused_ms: the same of RESOURCE_EXHAUSTED.
    """

    offered_per_second: float
    answered_per_second: float
    by_status: dict[str, int]
    answered_ms: tuple[float, float]
    refused_ms: tuple[float, float]


def offer(address: str, request: bytes, *, rate: float, seconds: float) -> Offered:
    """Begin `rate` calls a second for `seconds`, each with a deadline of a second."""
    processes = max(1, round(rate / _PER_PROCESS))
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        asked = [(address, request, rate / processes, seconds)] * processes
        ended = [call for calls in pool.starmap(_offer, asked) for call in calls]
    times = {status: [ms for end, ms in ended if end == status] for status in {end for end, _ in ended}}
    return Offered(
        round(len(ended) / seconds, 1),
        round(len(times.get("OK", ())) / seconds, 1),
        {status: len(of) for status, of in sorted(times.items())},
        _percentiles(times.get("OK", [])),
        _percentiles(times.get("RESOURCE_EXHAUSTED", [])),
    )


def _percentiles(milliseconds: list[float]) -> tuple[float, float]:
    if not milliseconds:
        return (float("nan"), float("nan"))
    return (round(float(np.percentile(milliseconds, 50)), 3), round(float(np.percentile(milliseconds, 99)), 3))


def _offer(address: str, request: bytes, rate: float, seconds: float) -> list[tuple[str, float]]:
    return asyncio.run(_calls(address, request, rate, seconds))


async def _calls(address: str, request: bytes, rate: float, seconds: float) -> list[tuple[str, float]]:
    ended: list[tuple[str, float]] = []
    async with grpc.aio.insecure_channel(address) as channel:
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_METHOD)

        async def call() -> None:
            started = time.perf_counter()
            try:
                await method(request, timeout=_DEADLINE_SECONDS)
                status = "OK"
            except grpc.aio.AioRpcError as error:
                status = error.code().name
            ended.append((status, (time.perf_counter() - started) * 1e3))

        begun = time.perf_counter()
        running: set[asyncio.Task[None]] = set()
        count = 0
        while (now := time.perf_counter() - begun) < seconds:
            while count < now * rate:
                count += 1
                task = asyncio.ensure_future(call())
                running.add(task)
                task.add_done_callback(running.discard)
            await asyncio.sleep(0.001)
        await asyncio.gather(*running)
    return ended
