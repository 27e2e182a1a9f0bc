"""Measure the state and print what came of it."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
import numpy as np

from benchmarks.harness.machine import this_machine
from benchmarks.state.made_events import batches
from benchmarks.state.processes import own, start
from recocore.state import Durability, StateReader, StateStore
from recocore.state.draft import Call
from recocore.state.owner_client import OwnerClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

_RESULTS = Path(__file__).parent.parent / "results"
_out = click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=_RESULTS, help="Folder of the results."
)
_folder = click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=None,
    help="Where the state lies.  [default: a temporary folder]",
)


@click.group()
def main() -> None:
    """The state: writing, reading, and how both change with its size."""


@main.command()
@click.option("--events", default=50_000, show_default=True)
@click.option("--users", default=20_000, show_default=True)
@click.option("--batch", default=100, show_default=True, help="Events of a call.")
@click.option("--together", default=8, show_default=True, help="Calls that wait at a time, and so share an fsync.")
@_folder
@_out
def write(events: int, users: int, batch: int, together: int, folder: Path | None, out: Path) -> None:
    """Durable calls in the owner's own process, one by one and some at a time; beside it the bare fsync of a call's bytes."""
    with _place(folder) as place, StateStore.open(place / "state") as store:
        # Three times as many events as users: who writes later is known, as in a shop, and not new.
        for rows in batches(3 * users, users, 1_000, seed=1):
            store.record(_packed(rows))
        taken, cpu, seconds = _timed_writes(store, events, users, batch, seed=2)
        _, shared_cpu, shared = _timed_writes(store, events, users, batch, seed=3, together=together)
        stats = store.stats()
        fsync = _bare_fsync(place / "bare", stats.log_bytes * batch // stats.events)
    summary = {
        "events_per_second": round(events / seconds),
        "events_per_cpu_second": round(events / cpu),
        "call_ms": _percentiles(taken),
        "together": {
            "events_per_second": round(events / shared),
            "events_per_cpu_second": round(events / shared_cpu),
        },
        "bare_fsync_ms": _percentiles(fsync),
        "log_bytes_per_event": round(stats.log_bytes / stats.events, 1),
        "record_bytes_per_user": round(stats.record_bytes / stats.users, 1),
    }
    _report("state_write", {"events": events, "users": users, "batch": batch, "together": together}, summary, out)


@main.command()
@click.option("--users", default=20_000, show_default=True)
@click.option("--events-of-a-user", default=10, show_default=True)
@click.option("--look-ups", default=100_000, show_default=True)
@_folder
@_out
def read(users: int, events_of_a_user: int, look_ups: int, folder: Path | None, out: Path) -> None:
    """Looking up users' records at random, as a worker does for a recommendation."""
    with (
        _place(folder) as place,
        StateStore.open(place / "state") as store,
        StateReader.open(place / "state") as reader,
    ):
        for rows in batches(users * events_of_a_user, users, 1_000):
            store.record(_packed(rows))
        names = [f"user-{number:08d}" for number in np.random.default_rng(0).integers(0, users, look_ups).tolist()]
        rounds = []
        for part in range(10):
            mine = names[part::10]
            began = time.process_time()
            found = sum(reader.user(name) is not None for name in mine)
            rounds.append((time.process_time() - began) / len(mine) * 1e6)
            assert found > 0.9 * len(mine)
    summary = {"look_up_us": {"median": round(float(np.median(rounds)), 2), "best": round(min(rounds), 2)}}
    _report("state_read", {"users": users, "events_of_a_user": events_of_a_user}, summary, out)


@main.command()
@click.option("--callers", default=64, show_default=True)
@click.option("--calls", default=10_000, show_default=True)
@_folder
@_out
def callers(callers: int, calls: int, folder: Path | None, out: Path) -> None:
    """Callers over the socket, an event a call, each durable; beside them the same calls with nothing to record."""
    with _place(folder) as place:
        owner = multiprocessing.get_context("spawn").Process(target=own, args=(place / "state", place / "socket"))
        owner.start()
        try:
            summary = asyncio.run(_load(place / "socket", callers, calls))
        finally:
            owner.terminate()
            owner.join()
    _report("state_callers", {"callers": callers, "calls": calls}, summary, out)


@main.command()
@click.option("--events", default=200_000, show_default=True)
@click.option("--users", default=50_000, show_default=True)
@click.option("--probe", default=20_000, show_default=True, help="Events of a round whose writing is timed.")
@click.option("--rounds", default=3, show_default=True, help="How often it is timed, empty and full by turns.")
@click.option(
    "--rebuild/--no-rebuild", "rebuilds", default=True, help="Make the records again from the log at the end."
)
@_folder
@_out
def grown(events: int, users: int, probe: int, rounds: int, rebuilds: bool, folder: Path | None, out: Path) -> None:
    """A store grown to a size: bytes on disk and in memory, the time of a start, and a write beside that of an empty store.

    The figures of the docs: --events 10000000 --users 1000000.
    """
    with _place(folder) as place:
        with StateStore.open(place / "state") as store:
            began = time.perf_counter()
            for rows in batches(events, users, 1_000):
                store.record(_packed(rows), durability=Durability.BUFFERED)
            filling = time.perf_counter() - began
            stats = store.stats()
            empty, full = [], []
            for number in range(rounds):
                with StateStore.open(place / f"empty-{number}") as small:
                    _timed_writes(small, probe, users, 100, seed=3 * number + 1)  # the first of everything
                    empty.append(_timed_writes(small, probe, users, 100, seed=3 * number + 2)[1:])
                full.append(_timed_writes(store, probe, users, 100, seed=3 * number + 3)[1:])
        starts, memory = zip(*(_started(place / "state") for _ in range(3)), strict=True)
        rebuild = None
        if rebuilds:
            began = time.perf_counter()
            with StateStore.open(place / "state") as store:
                store.rebuild()
            rebuild = round(time.perf_counter() - began, 1)
    summary = {
        "fill_events_per_second": round(events / filling),
        "start_seconds": round(float(np.median(starts)), 3),
        "memory_of_a_started_owner_mb": round(float(np.median(memory)) / 1e6, 1),
        "rebuild_seconds": rebuild,
        "write_cpu_us_of_an_event": {
            name: [round(cpu / probe * 1e6, 1) for cpu, _ in taken]
            for name, taken in (("empty", empty), ("full", full))
        },
        "write_cpu_of_full_over_empty": _ratio(full, empty, 0),
        "write_seconds_of_full_over_empty": _ratio(full, empty, 1),
        "stats": asdict(stats),
    }
    _report("state_grown", {"events": events, "users": users, "probe": probe, "rounds": rounds}, summary, out)


def _ratio(full: list[tuple[float, float]], empty: list[tuple[float, float]], place: int) -> float:
    """Of the medians."""
    ours, base = (float(np.median([each[place] for each in taken])) for taken in (full, empty))
    return round(ours / base, 3)


async def _load(socket: Path, callers: int, calls: int) -> dict[str, Any]:
    async with OwnerClient(socket, timeout=60) as client:
        await client.commit()
        rows = [[row] for each in batches(4 * calls, 10_000, 100) for row in each]
        for row in rows[:1_000]:
            await client.record(row)
        nothing, durable = [], []
        for part in range(3):
            mine = rows[calls + part * (calls // 3) :][: calls // 3]
            nothing.append(await _rate(callers, [lambda: client.record([])] * len(mine)))
            durable.append(await _rate(callers, [lambda row=row: client.record(row) for row in mine]))  # type: ignore[misc]
    return {
        "nothing_per_second": round(float(np.median(nothing))),
        "durable_per_second": round(float(np.median(durable))),
        "ratio": round(float(np.median([ours / roof for ours, roof in zip(durable, nothing, strict=True)])), 3),
    }


async def _rate(callers: int, calls: list[Callable[[], Awaitable[Any]]]) -> float:
    left = iter(calls)

    async def caller() -> None:
        for call in left:
            await call()

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return len(calls) / (time.perf_counter() - began)


def _timed_writes(
    store: StateStore, events: int, users: int, batch: int, seed: int, *, together: int = 1
) -> tuple[list[float], float, float]:
    """Seconds of each commit, of the processor, and of all."""
    made = [Call(_packed(rows)) for rows in batches(events, users, batch, seed=seed)]
    taken, cpu = [], time.process_time()
    for first in range(0, len(made), together):
        began = time.perf_counter()
        outcomes = store.record_many(made[first : first + together])
        taken.append(time.perf_counter() - began)
        assert not any(isinstance(outcome, Exception) for outcome in outcomes)
    return taken, time.process_time() - cpu, sum(taken)


def _packed(rows: list[dict[str, Any]]) -> list[bytes]:
    """As calls come over the socket."""
    return [msgspec.msgpack.encode(row) for row in rows]


def _bare_fsync(path: Path, size: int) -> list[float]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    taken = []
    for _ in range(200):
        began = time.perf_counter()
        os.write(descriptor, bytes(size))
        os.fdatasync(descriptor)
        taken.append(time.perf_counter() - began)
    os.close(descriptor)
    return taken


def _started(path: Path) -> tuple[float, float]:
    """Seconds until a fresh process has the store open, its imports left out, and the bytes that this adds to it."""
    reader, writer = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=start, args=(path, writer))
    process.start()
    writer.close()  # so that the end of a process that failed is heard
    answer: tuple[float, float] = reader.recv()
    process.join()
    return answer


def _percentiles(taken: list[float]) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(taken, q)) * 1e3, 3) for q in (50, 99)}


@contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        yield Path(place)


def _report(name: str, asked: dict[str, Any], summary: dict[str, Any], out: Path) -> None:
    report = {"machine": asdict(this_machine()), "asked": asked, "results": summary}
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    click.echo(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
