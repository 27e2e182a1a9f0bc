"""Encoded profiles that are given again, while nothing was recorded of their users since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable

# 2 KB each: 8 MB of a worker at most.
_MOST = 4_096


class KeptAnswers:
    """For one event loop.

    Args:
        keep_us: how old an answer may be, microseconds; 0 keeps none.

    Example:
        >>> answers = KeptAnswers(1_000)
        >>> answers.put("ann", (7,), 0, b"profile")
        >>> answers.get("ann", (7,), 999), answers.get("ann", (8,), 999), answers.get("ann", (7,), 1_000)
        (b'profile', None, None)
    """

    def __init__(self, keep_us: int) -> None:
        self._keep_us = keep_us
        self._kept: dict[Hashable, tuple[Any, int, bytes]] = {}

    def get(self, key: Hashable, versions: tuple[int, ...], now: int) -> bytes | None:
        """What was put under a key for these versions, unless it is too old."""
        found = self._kept.get(key)
        if found is None or found[0] != versions or not 0 <= now - found[1] < self._keep_us:
            return None
        return found[2]

    def put(self, key: Hashable, versions: tuple[int, ...], now: int, answer: bytes) -> None:
        """Keep an answer, made at `now`."""
        if not self._keep_us:
            return
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[key] = (versions, now, answer)
