"""A clear error instead of the out-of-memory killer."""

from __future__ import annotations

from pathlib import Path

from recocore.errors import OutOfMemoryError

_MEMINFO = Path("/proc/meminfo")


def available_bytes() -> int | None:
    """Memory that can be allocated without swapping, or None where the system does not say."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def require_memory(needed: int, purpose: str) -> None:
    """Raise OutOfMemoryError when `needed` bytes for `purpose` exceed what is available; nothing is allocated.

    Example:
        >>> require_memory(1000, "a small array")
    """
    available = available_bytes()
    if available is not None and needed > available:
        raise OutOfMemoryError(
            f"{purpose} needs {needed / 2**30:.1f} GiB and {available / 2**30:.1f} GiB are available; "
            "ask for less at a time or use a larger machine"
        )
