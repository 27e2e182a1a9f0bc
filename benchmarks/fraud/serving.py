"""ScoreFraud over a socket beside an RPC that does nothing, call by call in turns.

python -m benchmarks.fraud.serving                 # 2,000 calls of each
python -m benchmarks.fraud.serving --calls 20000 --durability fsync

50 rules, 20 counters, an isolation forest; the roof is `benchmarks.service.roof`: a handler on the same grpcio that gives as
many bytes at once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
from recocore.v1 import event_pb2 as events_v1
from recocore.v1 import fraud_service_pb2 as v1

from benchmarks.fraud.speed import COUNTERS, fifty_rules, made_up
from benchmarks.service.indexes import made_index
from recocore.fraud import IsolationForest, RuleSet, VelocitySpec, fit_model, rule_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

_EVENTS = 30_000


def made_model(path: Path) -> None:
    """Fit and save the model."""
    specs = [VelocitySpec.parse(text) for text in COUNTERS]
    rules = RuleSet.from_toml(fifty_rules(), rule_columns(specs))
    fit_model(made_up(_EVENTS), specs, rules, detector=IsolationForest(seed=0, num_threads=1))[0].save(path)


def requests(count: int) -> list[bytes]:
    """ScoreFraudRequests, each with an event of its own."""
    made = []
    for place, row in enumerate(made_up(count, seed=1).table.drop_columns(["event_time", "event_id"]).to_pylist()):
        given = {name: value for name, value in row.items() if value is not None and name != "known_time"}
        event = events_v1.Event(**{**given, "event_id": f"live-{place}", "type": "buy"})
        event.event_time.FromMicroseconds(1_700_000_000_000_000 + place * 20_000)
        made.append(v1.ScoreFraudRequest(event=event).SerializeToString())
    return made


@contextlib.contextmanager
def served(command: list[str]) -> Iterator[tuple[str, int]]:
    """The address and the pid of a server that a command starts."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["address"], process.pid
    finally:
        process.terminate()
        process.wait()


def timed(call: Any, request: bytes) -> float:
    """Microseconds of a call."""
    started = time.perf_counter()
    call(request, timeout=20)
    return (time.perf_counter() - started) * 1e6


def processor_seconds(pid: int) -> float:
    """Processor time that the threads of a process and of its children have had."""
    folder = Path(f"/proc/{pid}/task")
    own = sum(int((task / "schedstat").read_text().split()[0]) for task in folder.iterdir()) / 1e9
    children = (folder / str(pid) / "children").read_text().split()
    return own + sum(processor_seconds(int(child)) for child in children)


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--durability", choices=("buffered", "fsync"), default="buffered")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        index = made_index(folder / "index", 100, "itemknn")
        made_model(folder / "model")
        fraud = f"FraudConfig({str(folder / 'model')!r}, {str(folder / 'log')!r}, durability={given.durability!r})"
        code = (
            "from recocore.service import serve\nfrom recocore.service.fraud.config import FraudConfig\n"
            f"serve({str(index)!r}, port=0, fraud={fraud})"
        )
        target, service_pid = stack.enter_context(served(["-c", code]))
        asked = requests(given.calls + 200)
        scoring: Any = stack.enter_context(grpc.insecure_channel(target)).unary_unary(
            "/recocore.v1.FraudService/ScoreFraud"
        )
        size = len(scoring(asked[0], timeout=20))
        roof, roof_pid = stack.enter_context(served(["-m", "benchmarks.service.roof", "--size", str(size)]))
        nothing: Any = stack.enter_context(grpc.insecure_channel(roof)).unary_unary(
            "/recocore.v1.RecommendationService/Recommend"
        )
        for request in asked[1:200]:
            timed(nothing, request)
            timed(scoring, request)
        before = processor_seconds(roof_pid), processor_seconds(service_pid)
        pairs = np.array([(timed(nothing, request), timed(scoring, request)) for request in asked[200:]])
        spent = processor_seconds(roof_pid) - before[0], processor_seconds(service_pid) - before[1]
    for name, column in (("an RPC that does nothing", 0), ("ScoreFraud", 1)):
        median, high, highest = np.quantile(pairs[:, column], [0.5, 0.95, 0.99])
        used = spent[column] / given.calls * 1e6
        print(
            f"{name}: {median:.0f} us (median), {high:.0f} us (p95), {highest:.0f} us (p99); {used:.0f} us of processor time"
        )
    ratio = np.median(pairs[:, 1]) / np.median(pairs[:, 0])
    print(f"ratio of medians: {ratio:.2f}; {given.calls:,} calls of each in turns, {size:,} bytes an answer, "
          f"{os.cpu_count()} cores, {given.durability}")  # fmt: skip


if __name__ == "__main__":
    main()
