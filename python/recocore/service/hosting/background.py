"""Work beside the calls that must not hold them up."""

from __future__ import annotations

import os
import sys
import threading

# Enough to give way to threads that answer calls, and still a tenth of a core's time when all of it is asked for: a thread
# that is starved while it holds the interpreter's lock would hold up everybody.
_NICE = 10


def lower_priority() -> None:
    """Let this thread give way to others; on Linux, where a thread has a priority of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
