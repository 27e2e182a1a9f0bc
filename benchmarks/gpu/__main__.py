"""Measure the operations on a GPU, and print and keep the figures."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from benchmarks.gpu.roofs import Roofs, measured_roofs
from benchmarks.gpu.ways import ways
from benchmarks.gpu.work import works
from benchmarks.harness.machine import this_machine
from benchmarks.harness.statistics import summarize
from recocore import _native

if TYPE_CHECKING:
    from benchmarks.gpu.work import Way, Work

_RESULTS = Path(__file__).parent.parent / "results"


@click.command()
@click.option("--operation", "operations", type=click.Choice(["topk", "als", "similarity"]), multiple=True)
@click.option("--large", is_flag=True, help="Sizes that are worth a GPU; without it the whole takes seconds on a CPU.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=None, help="Keep gpu.json there.")
def main(operations: tuple[str, ...], large: bool, rounds: int, out: Path | None) -> None:
    """Measure recocore on CPU and GPU beside CuPy with cuBLAS, implicit-gpu and faiss-gpu, where they are installed.

    Every way does the work once before it is timed, and its answer is compared with the CPU's; then all are timed in turns.
    Ways with arrays "there" are timed without transfers, the others with them. Without a GPU only the CPU is measured.
    """
    cuda = _native.cuda_device_count() > 0
    device = _native.cuda_device() if cuda else None
    roofs = _roofs(cuda)
    click.echo(f"device: {device or 'none: the figures of a GPU are unmeasured here'}")
    measured = [
        _measure(work, rounds, cuda=cuda, roofs=roofs)
        for work in works(operations or ("topk", "als", "similarity"), large=large)
    ]
    if out is not None:
        record = {
            "machine": asdict(this_machine()),
            "device": device,
            "roofs": None if roofs is None else asdict(roofs),
            "works": measured,
        }
        out.mkdir(parents=True, exist_ok=True)
        (out / "gpu.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _roofs(cuda: bool) -> Roofs | None:
    if not cuda:
        return None
    try:
        roofs = measured_roofs()
    except ImportError:
        click.echo("roofs: CuPy is not installed, so no fractions of them are printed")
        return None
    click.echo(f"roofs: {roofs.flops / 1e12:.1f} TFLOP/s float32, {roofs.bandwidth / 1e9:.0f} GB/s")
    return roofs


def _measure(work: Work, rounds: int, *, cuda: bool, roofs: Roofs | None) -> dict[str, Any]:
    here, missing = ways(work, cuda=cuda)
    click.echo(f"\n{work.name}")
    for reason in missing:
        click.echo(f"  not measured: {reason}")
    expected = here[0].answer(here[0].run())
    right = {way.name: _agrees(way, expected) for way in here}
    seconds: dict[str, list[float]] = {way.name: [] for way in here}
    for _ in range(rounds):
        for way in here:
            started = time.perf_counter()
            way.run()
            seconds[way.name].append(time.perf_counter() - started)
    lines: dict[str, Any] = {}
    for way in here:
        figures = summarize(seconds[way.name])
        lines[way.name] = {"seconds": seconds[way.name], "agrees": right[way.name]}
        share = ""
        if roofs is not None and "cpu" not in way.name:
            of_flops = work.flops / figures.median / roofs.flops
            of_bandwidth = work.traffic / figures.median / roofs.bandwidth
            lines[way.name] |= {"of_flops": of_flops, "of_bandwidth": of_bandwidth}
            share = f"  {of_flops:.1%} of the product's rate, {of_bandwidth:.1%} of the copy's"
        verdict = {True: "", False: "  ANOTHER ANSWER", None: "  (answers another question)"}[right[way.name]]
        click.echo(f"  {way.name:<44} {figures.median * 1e3:10.2f} ms  p95 {figures.p95 * 1e3:10.2f}{share}{verdict}")
    return {"name": work.name, "flops": work.flops, "traffic": work.traffic, "ways": lines, "missing": missing}


def _agrees(way: Way, expected: Any) -> bool | None:
    answer = way.answer(way.run())
    if answer is None:
        return None
    return bool(answer.shape == expected.shape and np.allclose(answer, expected, rtol=1e-3, atol=1e-4))


if __name__ == "__main__":
    main()
