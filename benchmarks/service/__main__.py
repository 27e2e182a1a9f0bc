"""Put the service under load and print what came of it: `python -m benchmarks.service --help`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click
import grpc
import msgspec
import numpy as np
from recocore.v1 import event_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1

from benchmarks.harness.machine import this_machine
from benchmarks.service.events import RECORD, EventLoad, requests_of
from benchmarks.service.indexes import USER, made_index
from benchmarks.service.load import Load, Loaded, run_load
from benchmarks.service.open_loop import offer
from benchmarks.service.profiles import GET_PROFILE, SOME_FEATURES, profile_requests
from benchmarks.service.roof import METHOD, SERVICE
from recocore.client import Client
from recocore.service.config import ServerConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NONE: Mapping[str, str] = MappingProxyType({})
_RESULTS = Path(__file__).parent.parent / "results"
# Every call of a load asks the same: with the cache of answers it would measure that alone.
_UNCACHED = {"RECOCORE_SERVER_CACHE_MB": "0"}


@click.group()
def main() -> None:
    """Loads of the service, each with the roof of its frame beside it."""


@main.command()
@click.option("--items", default=30_000, show_default=True, help="Items of the index.")
@click.option("--model", type=click.Choice(["als", "itemknn"]), default="als", show_default=True)
@click.option("--calls", default=20_000, show_default=True, help="Calls of a round.")
@click.option("--rounds", default=5, show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=_RESULTS, help="Folder of the results."
)
def throughput(items: int, model: str, calls: int, rounds: int, out: Path) -> None:
    """Recommend k=10 with one worker against a handler that does nothing, in turns."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        index = made_index(folder / "index", items, model)
        request = v1.RecommendRequest(user_id=USER, page_size=10).SerializeToString()
        servers = {
            "ranked": stack.enter_context(_server(_serve(index), _UNCACHED)),
            "cached": stack.enter_context(_server(_serve(index))),
        }
        with Client(servers["ranked"], timeout=10) as client:
            answer = client.recommend(USER, page_size=10)
            assert len(answer.items) == 10, "a known user gets ten items"
        size = _answer_size(servers["ranked"], request)
        servers["roof"] = stack.enter_context(
            _server([sys.executable, "-m", "benchmarks.service.roof", "--size", str(size)])
        )
        load = Load(calls=calls)
        for address in servers.values():
            run_load(address, "Recommend", request, Load(calls=2_000), folder)
        taken: dict[str, list[Loaded]] = {name: [] for name in servers}
        for _ in range(rounds):
            for name, address in servers.items():
                taken[name].append(run_load(address, "Recommend", request, load, folder))
    summary = {name: _summary(loads) for name, loads in taken.items()}
    for name in ("ranked", "cached"):
        summary[name]["of_the_roof"] = _median_ratio([(a.per_second, b.per_second) for a, b in _pairs(taken, name)])
        summary[name]["p99_of_the_roofs"] = _median_ratio(
            [(a.percentile(99), b.percentile(99)) for a, b in _pairs(taken, name)]
        )
    _report(f"service_{model}_{items}", {"items": items, "model": model, "load": asdict(load)}, summary, out)


@main.command()
@click.option("--items", default=30_000, show_default=True, help="Items of the index.")
@click.option("--times", default=3.0, show_default=True, help="Times the capacity that is offered.")
@click.option("--seconds", default=10, show_default=True, help="How long, of a round.")
@click.option("--rounds", default=3, show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=_RESULTS, help="Folder of the results."
)
def overload(items: int, times: float, seconds: int, rounds: int, out: Path) -> None:
    """Offer more than the service can do, whether or not it answers: what it still does, and how fast it refuses.

    Beside it the same of a handler that does nothing, on the same transport with the same bound.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        index = made_index(folder / "index", items, "als")
        request = v1.RecommendRequest(user_id=USER, page_size=10).SerializeToString()
        servers = {"recommend": stack.enter_context(_server_process(_serve(index), _UNCACHED))}
        size = _answer_size(servers["recommend"][0], request)
        waiting = str(ServerConfig().max_calls)
        command = [sys.executable, "-m", "benchmarks.service.roof", "--size", str(size), "--waiting", waiting]
        servers["roof"] = stack.enter_context(_server_process(command))
        taken: dict[str, list[dict[str, Any]]] = {name: [] for name in servers}
        for _ in range(rounds):
            for name, (address, pid) in servers.items():
                run_load(address, "Recommend", request, Load(calls=2_000), folder)
                before = run_load(address, "Recommend", request, Load(calls=20_000), folder)
                memory = _memory(pid)
                rate = times * before.per_second
                offered = offer(address, request, rate=rate, seconds=seconds, answer_bytes=size, folder=folder)
                grown = _memory(pid) - memory
                after = run_load(address, "Recommend", request, Load(calls=20_000), folder)
                peaks = [before.per_second, after.per_second]
                taken[name].append(
                    {
                        "peaks_per_second": [round(peak, 1) for peak in peaks],
                        **asdict(offered),
                        "goodput_of_the_peak": round(offered.answered_per_second / float(np.mean(peaks)), 3),
                        "grown_mb": round(grown / 1e6, 1),
                    }
                )
    summary = {
        name: {
            "goodput_of_the_peak": float(np.median([each["goodput_of_the_peak"] for each in some])),
            "rounds": some,
        }
        for name, some in taken.items()
    }
    _report("service_overload", {"items": items, "times": times, "seconds": seconds, "rounds": rounds}, summary, out)


@main.command()
@click.option("--calls", default=2_000, show_default=True, help="Calls of a round with one event each.")
@click.option("--batches", default=100, show_default=True, help="Calls of a round with 100 events each.")
@click.option("--rounds", default=3, show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=_RESULTS, help="Folder of the results."
)
def events(calls: int, batches: int, rounds: int, out: Path) -> None:
    """RecordEvents, durable: one event a call under 64 callers, and 100 a call, against a handler that does nothing."""
    loads = {
        "single": EventLoad(calls),
        "hundred": EventLoad(batches, events=100, callers=8),
        "hundred_buffered": EventLoad(batches, events=100, callers=8, durability=shared.DURABILITY_BUFFERED),
    }
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        index = made_index(folder / "index", 1_000, "als")
        serving = _serve(index)
        address = stack.enter_context(_server([*serving, "--state", str(folder / "state")]))
        roof = stack.enter_context(_server([sys.executable, "-m", "benchmarks.service.roof", "--size", "60"]))
        taken: dict[str, list[Loaded]] = {name: [] for name in (*loads, "roof")}
        for number in range(rounds):
            for name, load in loads.items():
                requests = requests_of(load, f"{name}-{number}")
                taken[name].append(_hammer(address, RECORD, requests, load.callers, folder))
            one = requests_of(loads["single"], "roof")
            taken["roof"].append(_hammer(roof, f"/{SERVICE}/{METHOD}", one, loads["single"].callers, folder))
    summary = {name: _summary(some) for name, some in taken.items()}
    for name, load in loads.items():
        summary[name]["events_per_second"] = round(summary[name]["per_second"] * load.events, 1)
    summary["single"]["of_the_roof"] = _median_ratio([(a.per_second, b.per_second) for a, b in _pairs(taken, "single")])
    _report("service_events", {name: asdict(load) for name, load in loads.items()}, summary, out)


@main.command()
@click.option("--calls", default=2_000, show_default=True, help="Calls of a round.")
@click.option("--users", default=500, show_default=True, help="Users that are asked for, each with 40 events.")
@click.option("--callers", default=8, show_default=True, help="At once.")
@click.option("--rounds", default=5, show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=_RESULTS, help="Folder of the results."
)
def profiles(calls: int, users: int, callers: int, rounds: int, out: Path) -> None:
    """GetProfile: made for each call, with three features, and given again, against a handler that does nothing."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        serving = _serve(made_index(folder / "index", 1_000, "als"))
        addresses, pids = {}, {}
        for name, keep in (("made", "0"), ("kept", "3600")):
            settings = {"RECOCORE_PROFILES_KEEP_SECONDS": keep}
            command = [*serving, "--state", str(folder / name)]
            addresses[name], pids[name] = stack.enter_context(_server_process(command, settings))
            load = EventLoad(max(1, users * 40 // 100), events=100, callers=8, durability=shared.DURABILITY_BUFFERED)
            _hammer(addresses[name], RECORD, requests_of(load, name, users), load.callers, folder)
        whole, some = (profile_requests(calls, users, fields) for fields in ((), SOME_FEATURES))
        with grpc.insecure_channel(addresses["made"]) as channel:
            size = len(channel.unary_unary(GET_PROFILE)(whole[0], timeout=20))  # type: ignore[arg-type]
        command = [sys.executable, "-m", "benchmarks.service.roof", "--size", str(size)]
        roof, pids["roof"] = stack.enter_context(_server_process(command))
        pids["three_features"] = pids["made"]
        loads = {
            "made": (addresses["made"], GET_PROFILE, whole),
            "three_features": (addresses["made"], GET_PROFILE, some),
            "kept": (addresses["kept"], GET_PROFILE, whole),
            "roof": (roof, f"/{SERVICE}/{METHOD}", whole),
        }
        taken: dict[str, list[Loaded]] = {name: [] for name in loads}
        cpu: dict[str, list[float]] = {name: [] for name in loads}
        _hammer(*loads["kept"], callers, folder)
        for _ in range(rounds):
            for name, (address, rpc, requests) in loads.items():
                before = _cpu_seconds(pids[name])
                taken[name].append(_hammer(address, rpc, requests, callers, folder))
                cpu[name].append((_cpu_seconds(pids[name]) - before) / len(requests))
    summary = {name: _summary(some_loads) for name, some_loads in taken.items()}
    for name, seconds in cpu.items():
        summary[name]["cpu_us"] = round(float(np.median(seconds)) * 1e6, 1)
    for name in ("made", "three_features", "kept"):
        ratios = [(b.per_second, a.per_second) for a, b in _pairs(taken, name)]
        summary[name]["times_the_roof"] = _median_ratio(ratios)
        summary[name]["times_the_roof_cpu"] = _median_ratio(list(zip(cpu[name], cpu["roof"], strict=True)))
    _report("service_profiles", {"calls": calls, "users": users, "callers": callers, "bytes": size}, summary, out)


def _hammer(address: str, rpc: str, requests: list[bytes], callers: int, folder: Path) -> Loaded:
    """`hammer` in a process of its own."""
    path = folder / "requests"
    path.write_bytes(msgspec.msgpack.encode(requests))
    command = [sys.executable, "-m", "benchmarks.service.events", address, rpc, str(callers), str(path)]
    said = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return Loaded(**{**said, "milliseconds": np.array(said["milliseconds"])})


def _serve(index: Path) -> list[str]:
    recocore = str(Path(sys.executable).with_name("recocore"))
    return [recocore, "serve", str(index), "--port", "0", "--workers", "1", "--log-level", "error"]


@contextlib.contextmanager
def _server_process(command: Sequence[str], settings: Mapping[str, str] = _NONE) -> Iterator[tuple[str, int]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **settings}) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["address"], process.pid
        finally:
            process.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def _server(command: Sequence[str], settings: Mapping[str, str] = _NONE) -> Iterator[str]:
    with _server_process(command, settings) as (address, _):
        yield address


def _answer_size(address: str, request: bytes) -> int:
    with grpc.insecure_channel(address) as channel:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/recocore.v1.RecommendationService/Recommend"
        )
        return len(method(request, timeout=10))


def _memory(pid: int) -> int:
    """Bytes that a process and its children hold for themselves."""
    total = 0
    for child in (pid, *_children(pid)):
        for line in Path(f"/proc/{child}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Private_"):
                total += int(line.split()[1]) * 1024
    return total


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def _cpu_seconds(pid: int) -> float:
    """Processor time of a process and its children: on a machine that others use too it tells what a call takes."""
    ticks = 0
    for each in (pid, *_children(pid)):
        fields = Path(f"/proc/{each}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _pairs(taken: dict[str, list[Loaded]], name: str) -> Iterator[tuple[Loaded, Loaded]]:
    return zip(taken[name], taken["roof"], strict=True)


def _median_ratio(pairs: list[tuple[float, float]]) -> float:
    return round(float(np.median([ours / roof for ours, roof in pairs])), 3)


def _summary(loads: Sequence[Loaded]) -> dict[str, Any]:
    return {
        "per_second": round(float(np.median([load.per_second for load in loads])), 1),
        "milliseconds": {f"p{q}": round(float(np.median([load.percentile(q) for load in loads])), 3) for q in (50, 99)},
        "failed": sum(load.failed for load in loads),
        "rounds_per_second": [round(load.per_second, 1) for load in loads],
    }


def _report(name: str, asked: dict[str, Any], summary: dict[str, Any], out: Path) -> None:
    report = {"machine": asdict(this_machine()), "asked": asked, "results": summary}
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    click.echo(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
