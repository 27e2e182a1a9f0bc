"""Starting a worker process: a new interpreter, never a fork of this one, with a socket to talk over."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recocore.service.processes.settings import WorkerSettings

# The path is passed on, as a program may have added to it; -P keeps the working directory's files from being imported.
_CODE = (
    "import sys; sys.path[:] = sys.argv.pop().splitlines(); from recocore.service.processes.worker import main; main()"
)


@dataclass(frozen=True, slots=True)
class Spawned:
    """A process and the end of the socket pair that is ours."""

    process: subprocess.Popen[bytes]
    end: socket.socket


def spawn(settings: WorkerSettings) -> Spawned:
    """Start a worker process. O(1); it is of use when it has imported what it needs, some hundred milliseconds later."""
    ours, theirs = socket.socketpair()
    with theirs:
        options = [f"-W{option}" for option in sys.warnoptions]
        command = [sys.executable, "-P", *options, "-c", _CODE, str(theirs.fileno()), "\n".join(sys.path)]
        # In a group of its own, as Ctrl-C on a terminal is for the supervisor to pass on.
        process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(theirs.fileno(),), process_group=0)
    assert process.stdin is not None
    # Not an argument: everybody on the machine may read those, and keys are secret. One that has died already is seen by its
    # socket.
    with contextlib.suppress(BrokenPipeError), process.stdin as settings_end:
        settings_end.write(settings.to_json().encode())
    return Spawned(process, ours)
