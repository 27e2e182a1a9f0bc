"""Keeps a process of the service at work that says when it is ready: it is started before the workers and ended after them."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from recocore.errors import InUseError, RecocoreError
from recocore.service.processes.keeper import Keeper
from recocore.service.processes.messages import Failed, error_of
from recocore.service.processes.spawning import start_python

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

# What is buffered is written in milliseconds; a disk may hang.
_KILL_AFTER_SECONDS = 10.0
# The process of a service that was just killed lets go of its folder within so long.
_OTHER_ENDS_SECONDS = 10.0


class ReadyKeeper:
    """A process that `ready_process` runs, from the supervisor's side.

    Args:
        name: what it is, for the log.
        module: whose `main` it runs.
        settings: what it is given, as JSON holds it.
    """

    def __init__(self, name: str, module: str, settings: Mapping[str, Any]) -> None:
        self._module, self._settings = module, dict(settings)
        self._keeper = Keeper(name, self._start, _KILL_AFTER_SECONDS, self._hear)
        self._words = -1
        self._begun = 0.0
        self._decided = threading.Event()
        self._failure: RecocoreError | None = None

    @property
    def pid(self) -> int | None:
        """Of the process; None where none lives."""
        return self._keeper.pid

    @property
    def restarts(self) -> int:
        """How many have ended before the service did."""
        return self._keeper.restarts

    def start(self) -> None:
        """Start the process, and return when it takes calls; called on a thread.

        Raises:
            InUseError: another process owns its folder.
            CorruptError: what it owns is damaged.
            RecocoreError: that cannot be opened for another reason.
        """
        self._begun = time.monotonic()
        self._keeper.start()
        self._decided.wait()
        if self._failure is not None:
            self._keeper.stop()
            raise self._failure

    def stop(self) -> None:
        """Have it write what it has, and end; called on a thread."""
        self._keeper.stop()
        self._decided.set()

    def _start(self, life: int) -> subprocess.Popen[bytes]:
        ours, theirs = os.pipe()
        try:
            arguments = [json.dumps(self._settings), str(theirs), str(life)]
            process = start_python(self._module, arguments, (theirs, life))
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._words = ours
        return process

    def _hear(self) -> bool:
        """Wait until the process says that it is ready, or why not; it says nothing where it is killed before."""
        with os.fdopen(self._words) as words:
            line = words.readline()
        said = json.loads(line) if line.endswith("\n") else None
        if said == {}:
            self._decided.set()
            return True
        if not self._decided.is_set() and said is not None:
            error = error_of(Failed(**said))
            waits = isinstance(error, InUseError) and time.monotonic() - self._begun < _OTHER_ENDS_SECONDS
            if not waits:
                self._failure = error
                self._decided.set()
        return False
