"""An open loop: calls begin at a steady rate, whether or not others were answered, and a caller beside them says how it fares.

The many calls are h2load's, which takes a fraction of what a Python client would take from the server on the same machine.
It does not read statuses; an answer is known by its bytes, and statuses and their times by the caller beside.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import numpy as np

from benchmarks.service.load import Load, run_load

if TYPE_CHECKING:
    from pathlib import Path

_METHOD = "/recocore.v1.RecommendationService/Recommend"
_CONNECTIONS = 8
# More than may ever wait for an answer within the deadline.
_STREAMS = 4_000
_DEADLINE_SECONDS = 1
_BESIDE_EVERY_SECONDS = 0.01
# Of the frame around a message.
_FRAME_BYTES = 5


@dataclass(frozen=True, slots=True)
class Offered:
    """What came of it.

    Attributes:
        offered_per_second: calls that were begun a second.
        answered_per_second: those that were answered within a second.
        beside: how the calls of the caller beside ended.
        answered_ms: the 50th and 99th percentile of its answers' times, in milliseconds.
        refused_ms: the same of RESOURCE_EXHAUSTED, and of CANCELLED, which is what a full transport says.
    """

    offered_per_second: float
    answered_per_second: float
    beside: dict[str, int]
    answered_ms: tuple[float, float] | None
    refused_ms: tuple[float, float] | None


def offer(address: str, request: bytes, *, rate: float, seconds: float, answer_bytes: int, folder: Path) -> Offered:
    """Begin `rate` calls a second for `seconds`, each with a deadline of a second.

    Args:
        address: of the server.
        request: the serialised message.
        rate: calls a second.
        seconds: how long.
        answer_bytes: size of an answer's message.
        folder: for h2load's files.
    """
    load = Load(_CONNECTIONS, _STREAMS, int(rate * seconds), max(1, round(rate / _CONNECTIONS)))
    over = threading.Event()
    ended: list[tuple[str, float]] = []
    beside = threading.Thread(target=_call_now_and_then, args=(address, request, over, ended))
    beside.start()
    begun = time.perf_counter()
    try:
        loaded = run_load(address, "Recommend", request, load, folder, deadline_seconds=_DEADLINE_SECONDS)
    finally:
        over.set()
        beside.join()
    took = time.perf_counter() - begun
    return Offered(
        round(load.calls / took, 1),
        round(loaded.data_bytes / (answer_bytes + _FRAME_BYTES) / took, 1),
        {status: sum(end == status for end, _ in ended) for status in sorted({end for end, _ in ended})},
        _percentiles([ms for status, ms in ended if status == "OK"]),
        _percentiles([ms for status, ms in ended if status in {"RESOURCE_EXHAUSTED", "CANCELLED"}]),
    )


def _call_now_and_then(address: str, request: bytes, over: threading.Event, ended: list[tuple[str, float]]) -> None:
    with grpc.insecure_channel(address) as channel:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_METHOD)
        while not over.wait(_BESIDE_EVERY_SECONDS):
            started = time.perf_counter()
            try:
                method(request, timeout=_DEADLINE_SECONDS)
                status = "OK"
            except grpc.RpcError as error:
                status = error.code().name
            ended.append((status, (time.perf_counter() - started) * 1e3))


def _percentiles(milliseconds: list[float]) -> tuple[float, float] | None:
    if not milliseconds:
        return None
    return (round(float(np.percentile(milliseconds, 50)), 3), round(float(np.percentile(milliseconds, 99)), 3))
