"""A competitor's process: `python -m benchmarks.harness.worker MODULE THREADS`, a JSON line in, a JSON line out.

Requests: {"do": "prepare", "inputs": {...}, "parameters": {...}}, {"do": "run"}, {"do": "save", "path": ...}. Each is
answered by {"ok": true, ...} or {"ok": false, "missing": bool, "error": ...}. The end of the input ends the process.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.harness.competitor import Competitor

_LIBRARIES = ("benchmarks", "tests")


class Worker:
    """Holds a competitor and its last result between requests."""

    def __init__(self, module: str, threads: int) -> None:
        self._module = module
        self._threads = threads
        self._competitor: Competitor | None = None
        self._result: Any = None
        self._resting = 0

    def prepare(self, inputs: dict[str, str], parameters: dict[str, Any]) -> dict[str, Any]:
        """Import the competitor and let it load its inputs."""
        chosen = importlib.import_module(self._module).Competitor
        paths = {name: Path(path) for name, path in inputs.items()}
        self._competitor = chosen(paths, parameters, self._threads)
        _forget_peak()
        self._resting = _status("VmRSS")
        return {"versions": {name: version(name) for name in chosen.packages}, "amount": self._competitor.amount}

    def run(self) -> dict[str, Any]:
        """Run once; gives the seconds, and the peak of memory above what the prepared process holds."""
        assert self._competitor is not None
        self._result = None
        gc.collect()
        started = time.perf_counter()
        self._result = self._competitor.run()
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "peak_bytes": max(0, _status("VmHWM") - self._resting)}

    def save(self, path: str) -> dict[str, Any]:
        """Write the last result for the scenario's check, and let go of it."""
        assert self._competitor is not None
        self._competitor.save(self._result, Path(path))
        self._result = None
        _forget_peak()
        return {}


def _forget_peak() -> None:
    """Let go of what loading or saving took, so that the peak is that of the runs alone."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    # 5 resets VmHWM to the present size; where that is refused, the peak counts what came before: never too low.
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _status(field: str) -> int:
    """A size in bytes from the kernel's status of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def _answer(worker: Worker, request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"ok": True, **getattr(worker, request.pop("do"))(**request)}
    except ModuleNotFoundError as error:
        top = (error.name or "").partition(".")[0]
        return {"ok": False, "missing": top not in _LIBRARIES, "error": f"{top} is not installed"}
    except Exception as error:  # whatever a library raises: it is reported, and the competitor dropped
        traceback.print_exc()
        return {"ok": False, "missing": False, "error": f"{type(error).__name__}: {error}"}


def main(module: str, threads: int) -> None:
    """Answer requests until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    # What a library prints must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker = Worker(module, threads)
    for line in sys.stdin:
        print(json.dumps(_answer(worker, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
