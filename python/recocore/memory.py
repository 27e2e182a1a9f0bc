"""A clear error instead of the out-of-memory killer."""

from __future__ import annotations

from recocore import _native


def require_memory(needed: int, purpose: str) -> None:
    """Raise OutOfMemoryError when `needed` bytes for `purpose` exceed what is free; nothing is allocated.

    Up to 64 MiB the system is not asked, so that a small call stays fast.

    Example:
        >>> require_memory(1000, "a small array")
    """
    _native.require_memory(min(needed, 2**63 - 1), purpose, "ask for less at a time or use a larger machine")
