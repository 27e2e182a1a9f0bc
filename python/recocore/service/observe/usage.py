"""What a process takes of the machine, as Linux counts it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """A process at one moment.

    Attributes:
        resident_bytes: memory, mapped files included, which processes share.
        private_bytes: memory that is not mapped from files.
        cpu_seconds: processor time since it started.
        threads: how many.
        open_files: file descriptors.
    """

    resident_bytes: int
    private_bytes: int
    cpu_seconds: float
    threads: int
    open_files: int


def usage_of(pid: int) -> Usage | None:
    """What a process takes; None where it is gone, or is another user's."""
    folder = Path(f"/proc/{pid}")
    try:
        lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        # After the name, which may hold anything, in its last parenthesis.
        numbers = (folder / "stat").read_text().rpartition(")")[2].split()
        return Usage(
            resident_bytes=_kilobytes(lines["VmRSS"]) * 1024,
            private_bytes=_kilobytes(lines["RssAnon"]) * 1024,
            cpu_seconds=(int(numbers[11]) + int(numbers[12])) / _TICKS,
            threads=int(lines["Threads"]),
            open_files=len(os.listdir(folder / "fd")),
        )
    except (OSError, KeyError):
        # A process that has ended but was not waited for has no memory.
        return None


def _kilobytes(text: str) -> int:
    return int(text.split(maxsplit=1)[0])
