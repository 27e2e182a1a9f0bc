"""Load by a client that is not ours: h2load, of Debian's package nghttp2-client, with a raw request body."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from recocore.types import Float64Array

_HEADERS = ("content-type: application/grpc", "te: trailers")
_RATE = re.compile(r"finished in [\d.]+m?s, ([\d.]+) req/s")
_DATA = re.compile(r"traffic: .*\((\d+)\) data")
_COUNTS = re.compile(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout")


@dataclass(frozen=True, slots=True)
class Load:
    """Who calls how.

    Attributes:
        connections: of the client; the kernel spreads them over the workers.
        streams: calls in flight on each.
        calls: in all.
        rate: calls a second begun on each connection, whether or not others were answered; None for a closed loop.
    """

    connections: int = 8
    streams: int = 8
    calls: int = 20_000
    rate: int | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of it.

    Attributes:
        per_second: answers a second.
        milliseconds: float64 `[calls]` from the begin of each call to the end of its answer.
        failed: calls without an HTTP answer.
        data_bytes: of the answers' messages; a refusal has none.
    """

    per_second: float
    milliseconds: Float64Array
    failed: int
    data_bytes: int

    def percentile(self, q: float) -> float:
        """The q-th percentile of the latencies in milliseconds."""
        return float(np.percentile(self.milliseconds, q))


def run_load(
    address: str, method: str, request: bytes, load: Load, folder: Path, *, deadline_seconds: int | None = None
) -> Loaded:
    """Call a method of RecommendationService over and over with one request.

    Args:
        address: of the server.
        method: such as Recommend.
        request: the serialised message.
        load: who calls how.
        folder: for the body and h2load's log.
        deadline_seconds: what each call tells the server; None for calls without a deadline.
    """
    if shutil.which("h2load") is None:
        raise click.ClickException("h2load is not installed; it is part of Debian's package nghttp2-client")
    body, log = folder / "body", folder / "log"
    # The frame of gRPC: not compressed, and the length.
    body.write_bytes(struct.pack(">BI", 0, len(request)) + request)
    log.unlink(missing_ok=True)
    calls = load.calls // load.connections * load.connections
    command = ["h2load", "-n", str(calls), "-c", str(load.connections), "-m", str(load.streams), "-t", "1"]
    command += ["-d", str(body), "--log-file", str(log)]
    if load.rate is not None:
        command += ["--rps", str(load.rate)]
    deadline = () if deadline_seconds is None else (f"grpc-timeout: {deadline_seconds}S",)
    for header in (*_HEADERS, *deadline):
        command += ["-H", header]
    command.append(f"http://{address}/recocore.v1.RecommendationService/{method}")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rate, counts, data = (of.search(done.stdout) for of in (_RATE, _COUNTS, _DATA))
    if rate is None or counts is None or data is None:
        raise click.ClickException(f"h2load said what was not expected:\n{done.stdout}")
    taken = np.loadtxt(log, dtype=np.int64, usecols=2, ndmin=1)
    return Loaded(float(rate[1]), taken / 1e3, sum(int(counts[group]) for group in (2, 3, 4)), int(data[1]))
