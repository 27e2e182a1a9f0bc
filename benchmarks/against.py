"""This tree against another checkout: the same work in fresh processes of both in turn, one thread, results equal first.

python -m benchmarks.against ../before profiles --events 2000000     # each checkout with a .venv of its own
python -m benchmarks.against ../before rows velocity --out figures.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.fraud.speed import COUNTERS, made_up
from benchmarks.profiles import log as logs
from recocore.data import synthetic_shop
from recocore.fraud import Velocity
from recocore.profiles import ProfileConfig, Updater, build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What a work is counted in, and what a figure says.
_UNITS = {"profiles": "M events/s", "rows": "us a call", "records": "us a call", "velocity": "M events/s"}
_HERE = Path(__file__).resolve().parent.parent


def profiles(events: int) -> Iterator[tuple[float, str]]:
    """`profiles.build` of the synthetic log, the features that pandas and polars compute too."""
    log = logs.synthetic(events)
    config = ProfileConfig(weights=logs.WEIGHTS, dimensions=("category", "brand"), top=logs.TOP)
    moment = logs.moment(log)
    said = ""
    for _ in range(4):
        seconds, made = _timed(lambda: build(log, moment, config, num_threads=1))
        said = said or _digest(made.table.to_pylist())
        yield events / seconds / 1e6, said


def rows(events: int) -> Iterator[tuple[float, str]]:
    """`Updater.row` of users of 50 events with everything in them."""
    users, updater, as_of = _streamed(events)
    said = _digest([updater.row(user, as_of) for user in users])
    for _ in range(4):
        yield _median_us(lambda user: updater.row(user, as_of), users), said


def records(events: int) -> Iterator[tuple[float, str]]:
    """`Updater.record` of events as a server is told them."""
    shop = synthetic_shop(n_users=max(1, events // 50), n_items=2000, n_events=events, seed=3).events.table
    told = [{name: value for name, value in event.items() if value is not None} for event in shop.to_pylist()]
    for event in told:
        event["event_time"] = int(event["event_time"].timestamp() * 1e6)
    for _ in range(4):
        updater = Updater()
        us = _median_us(updater.record, told)
        yield us, _digest(updater.row(told[0]["user_id"], told[-1]["event_time"] + 1))


def velocity(events: int) -> Iterator[tuple[float, str]]:
    """`Velocity.update` of twenty counters."""
    log = made_up(events)
    for _ in range(4):
        seconds, features = _timed(lambda: Velocity(COUNTERS, hash_key=bytes(16)).update(log))
        yield events / seconds / 1e6, hashlib.sha256(features.tobytes()).hexdigest()


_WORKS: dict[str, Callable[[int], Iterator[tuple[float, str]]]] = {
    "profiles": profiles,
    "rows": rows,
    "records": records,
    "velocity": velocity,
}


def _streamed(events: int) -> tuple[list[str], Any, datetime]:
    shop = synthetic_shop(n_users=max(1, events // 50), n_items=2000, n_events=events, seed=3).events
    as_of = datetime(2030, 1, 1, tzinfo=UTC)
    updater = Updater(ProfileConfig().with_cuts(build(shop, as_of).cuts))
    updater.update(shop)
    return shop.table.column("user_id").unique().to_pylist()[:1000], updater, as_of


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    # Processor time of all threads, as Arrow has its own: who else runs meanwhile disturbs it less than a clock's.
    started = time.process_time()
    made = work()
    return time.process_time() - started, made


def _median_us(work: Callable[[Any], Any], arguments: list[Any]) -> float:
    spent = []
    for argument in arguments:
        started = time.perf_counter_ns()
        work(argument)
        spent.append(time.perf_counter_ns() - started)
    return statistics.median(spent) / 1e3


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


def main() -> None:
    """Print, and write where asked, the medians of both trees."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="the checkout to compare with")
    parser.add_argument("works", nargs="+", choices=sorted(_WORKS))
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3, help="processes of each tree")
    parser.add_argument("--out", type=Path, help="a JSON file")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        print(json.dumps(list(_WORKS[given.works[0]](given.events))))
        return
    figures: dict[str, Any] = {}
    for work in given.works:
        # The first repetition of a process warms it up.
        taken: dict[str, list[float]] = {"before": [], "after": []}
        said = set()
        for turn in range(given.rounds):
            order = [("before", given.other.resolve()), ("after", _HERE)]
            for name, tree in order if turn % 2 == 0 else reversed(order):
                for place, (figure, digest) in enumerate(_run(tree, work, given.events)):
                    said.add(digest)
                    if place > 0:
                        taken[name].append(figure)
        if len(said) > 1:
            raise SystemExit(f"{work}: the trees' results differ")
        medians = {name: statistics.median(values) for name, values in taken.items()}
        figures[work] = {"unit": _UNITS[work], "events": given.events, **medians, "all": taken}
        print(
            f"{work}, {given.events:,} events: {medians['before']:.3g} before, {medians['after']:.3g} after, {_UNITS[work]}"
        )
    if given.out:
        given.out.write_text(json.dumps(figures, indent=1) + "\n")


def _run(tree: Path, work: str, events: int) -> list[tuple[float, str]]:
    # The works are this tree's; the package is the other's.
    environment = {**os.environ, "PYTHONPATH": str(_HERE), "OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"}
    python = tree / ".venv/bin/python" if (tree / ".venv/bin/python").exists() else Path(sys.executable)
    command = [str(python), "-m", "benchmarks.against", str(tree), work, "--events", str(events), "--worker"]
    done = subprocess.run(command, env=environment, cwd=_HERE, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{work} in {tree}: {done.stderr}")
    found: list[tuple[float, str]] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
