"""Keeping one process at work beside the workers: it is started again when it dies, and ends with this one."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import threading
from collections.abc import Callable
from typing import TypeAlias

from recocore.service.logs import log

# Starts the process; told the number of a descriptor to inherit, which can be read when this process has died.
Start: TypeAlias = Callable[[int], "subprocess.Popen[bytes]"]

_FIRST_BACKOFF_SECONDS = 0.1
_LONGEST_BACKOFF_SECONDS = 5.0


class Keeper:
    """Keeps a process, on a thread of its own.

    Args:
        name: what the process is, for the log.
        start: starts it.
        patience: seconds that its end may take after SIGTERM; then it is killed.
        started: called on the thread with each process that was started; it may wait for a word from it. Whether it got
            ready: after one that did, the next start does not wait.
    """

    def __init__(self, name: str, start: Start, patience: float, started: Callable[[], bool] = lambda: False) -> None:
        self._name = name
        self._start = start
        self._patience = patience
        self._started = started
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"recocore-{name}-keeper", daemon=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """Of the process; None where none lives."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def start(self) -> None:
        """Start the process, and keep it."""
        self._thread.start()

    def stop(self) -> None:
        """Tell it to end, and return when it has."""
        self._stopping.set()
        process = self._process
        if process is not None:
            process.terminate()
        if self._thread.is_alive():
            self._thread.join()

    def _keep(self) -> None:
        backoff = _FIRST_BACKOFF_SECONDS
        while not self._stopping.is_set():
            # Whoever holds the other end lives: when this process dies, the other sees its end close.
            ours, theirs = os.pipe()
            with os.fdopen(theirs, "wb"):
                process = self._process = self._start(ours)
                os.close(ours)
                if self._stopping.is_set():
                    process.terminate()
                if self._started():
                    backoff = _FIRST_BACKOFF_SECONDS
                self._wait(process)
            if not self._stopping.is_set():
                log(logging.ERROR, f"the {self._name} died", exit_code=process.returncode)
                self.restarts += 1
                self._stopping.wait(backoff)
                backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None and not self._stopping.wait(0.02):
            pass
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self._patience)
        process.kill()
        process.wait()
