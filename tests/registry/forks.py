"""A child that imports once, and then forks a process for each kill: what is killed may be killed often."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

# `work` is what is killed. `dying` makes a function count calls, and kill the process at the n-th.
_CODE = """
import os, signal, sys, time
left = 0
def dying(function):
    def call(*arguments, **keywords):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **keywords)
    return call

{code}

print("ready", flush=True)
for line in sys.stdin:
    how, number = line.split()
    process = os.fork()
    if process == 0:
        try:
            left = int(number) if how == "step" else 0
            work()
            os._exit(0)
        finally:
            os._exit(1)
    if how == "time":
        time.sleep(float(number))
        os.kill(process, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


class Forks:
    """Runs `work` of some code, again and again, each time in a process of its own; a context manager.

    Args:
        code: defines `work`; the functions at whose calls it may be killed are wrapped in `dying`.
        arguments: the code's `sys.argv[1:]`.
    """

    def __init__(self, code: str, *arguments: object) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-c", _CODE.format(code=code), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._hear() == "ready"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._child.communicate()

    def killed_at_step(self, number: int) -> bool:
        """Whether `work` came to its n-th call of a dying function, and was killed there, or ended well before."""
        code = self._ask(f"step {number}")
        assert code in (0, -signal.SIGKILL), code
        return code != 0

    def kill_after(self, seconds: float) -> None:
        """Kill `work` some time after it began, while it is still at it."""
        assert self._ask(f"time {seconds}") == -signal.SIGKILL

    def _ask(self, line: str) -> int:
        assert self._child.stdin is not None
        self._child.stdin.write(f"{line}\n")
        self._child.stdin.flush()
        return int(self._hear())

    def _hear(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline().rstrip("\n")
