"""A server with a process that owns something, and can be killed."""

from __future__ import annotations

import os
import signal
import time
from typing import ClassVar

from tests.service.server_process import ServerProcess


class OwnedServer(ServerProcess):
    """A server; `told` is what its log says when the owner serves."""

    told: ClassVar[str]

    def owner(self) -> int:
        """The pid of the owner that serves."""
        return int(self.events(self.told)[-1]["pid"])

    def kill_owner(self) -> int:
        """End the owner at once: its pid."""
        pid = self.owner()
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for_another_owner(self, than: int) -> None:
        deadline = time.monotonic() + 20
        while self.owner() == than:
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.01)
