"""Starting a process of the service: a new interpreter, never a fork of this one, which runs the `main` of a module."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recocore.service.security.config import process_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recocore.service.processes.settings import WorkerSettings

# The path is passed on, as a program may have added to it; -P keeps the working directory's files from being imported.
#
# 55,000 objects of modules live as long as the process. Looking at them again and again while they are imported takes 40 ms of
# a worker's start, and each full collection later 50 ms, in which no call goes on: the 99th percentile of Recommend was 59 ms
# with them and 45 without. Calls and commits leave next to none of the objects that they make: looking through them at every
# 700 is 4 us of a Recommend and 1 us of a recorded event.
_CODE = (
    "import gc, sys; gc.disable(); sys.path[:] = sys.argv.pop().splitlines(); "
    "from {module} import main; gc.freeze(); gc.set_threshold(20_000); gc.enable(); main()"
)


@dataclass(frozen=True, slots=True)
class Spawned:
    """A process and the end of the socket pair that is ours."""

    process: subprocess.Popen[bytes]
    end: socket.socket


def spawn(settings: WorkerSettings) -> Spawned:
    """Start a worker process. O(1); it is of use when it has imported what it needs, some hundred milliseconds later."""
    ours, theirs = socket.socketpair()
    environment = process_environment(settings.security.tls)
    with theirs:
        number = theirs.fileno()
        process = start_python(
            "recocore.service.processes.worker",
            [str(number)],
            [number],
            stdin=subprocess.PIPE,
            environment=environment,
        )
    assert process.stdin is not None
    # Not an argument: everybody on the machine may read those, and keys are secret. One that has died already is seen by its
    # socket.
    with contextlib.suppress(BrokenPipeError), process.stdin as settings_end:
        settings_end.write(settings.to_json().encode())
    return Spawned(process, ours)


def start_python(
    module: str,
    arguments: Sequence[str],
    descriptors: Sequence[int],
    *,
    stdin: int = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process that runs `main()` of a module.

    Args:
        module: its full name.
        arguments: of the process.
        descriptors: that it inherits.
        stdin: as `subprocess.Popen` takes it.
        environment: variables that it has beside those of this process.
    """
    options = [f"-W{option}" for option in sys.warnoptions]
    code = _CODE.format(module=module)
    command = [sys.executable, "-P", *options, "-c", code, *arguments, "\n".join(sys.path)]
    # In a group of its own, as Ctrl-C on a terminal is for the supervisor to pass on.
    variables = {**os.environ, **(environment or {})}
    return subprocess.Popen(command, stdin=stdin, pass_fds=descriptors, process_group=0, env=variables)
