"""The runner's end of a competitor's process."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent.parent
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


class CompetitorError(Exception):
    """A competitor failed: what it said.

    Attributes:
        missing: whether all that failed is that its library is not installed.
    """

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


class Process:
    """A competitor in a process of its own, pinned to `threads` cores before it imports anything.

    Args:
        module: where its class `Competitor` is.
        threads: for the library, and for every runtime that reads an environment variable.
        limit: seconds until a request counts as failed.
        log: takes what the process and its library print.
    """

    def __init__(self, module: str, threads: int, limit: float, log: IO[bytes]) -> None:
        self._limit = limit
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.harness.worker", module, str(threads)],
            cwd=ROOT,
            env={**os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(threads)), "PYTHONPATH": _path()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )

    def __enter__(self) -> Process:
        """Gives itself; the process has started."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Ends the process, whatever it is doing."""
        self.close()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                with suppress(BrokenPipeError):  # a request that it never read
                    pipe.close()

    def prepare(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Load the competitor and its inputs; gives its versions and its amount of work, if it states one."""
        files = {name: str(path) for name, path in inputs.items()}
        return self._ask({"do": "prepare", "inputs": files, "parameters": dict(parameters)})

    def run(self) -> tuple[float, int]:
        """Run once: seconds, and bytes above what the prepared process holds."""
        answer = self._ask({"do": "run"})
        return float(answer["seconds"]), int(answer["peak_bytes"])

    def save(self, path: Path) -> None:
        """Let it write its last result."""
        self._ask({"do": "save", "path": str(path)})

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise CompetitorError(self._end()) from None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(self._limit):
                raise CompetitorError(f"{request['do']} took longer than {self._limit:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise CompetitorError(self._end())
        answer: dict[str, Any] = json.loads(line)
        if not answer["ok"]:
            raise CompetitorError(answer["error"], missing=answer["missing"])
        return answer

    def _end(self) -> str:
        return f"its process ended with code {self._process.wait()}"


def _path() -> str:
    inherited = os.environ.get("PYTHONPATH")
    return f"{ROOT}{os.pathsep}{inherited}" if inherited else str(ROOT)
