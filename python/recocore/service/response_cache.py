"""Answers that were given before: the encoded part that any call with the same request to the same models would get again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """What is kept."""

    @property
    def size(self) -> int:
        """Bytes that keeping it takes, about."""
        ...


_E = TypeVar("_E", bound=Sized)

# An answer of the largest page with reasons is 40 kB: larger ones, which are rare, would push out hundreds of others.
_MOST_BYTES_OF_ONE = 65_536
# What an entry takes beside its bytes: the key's object, the tuple, the links of the ordered dictionary.
_BYTES_BESIDE = 400


class ResponseCache(Generic[_E]):
    """The entries that were used last, up to so many bytes; used on one event loop.

    An entry belongs to a request, byte by byte, and to a generation of the models: the first question of a new generation
    drops all of the old. What changes an answer without a new generation must be in the request.

    Args:
        max_bytes: 0 keeps nothing.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Entry:
        ...     size: int
        >>> cache = ResponseCache(1_000_000)
        >>> cache.put(1, b"request", Entry(100))
        >>> cache.get(1, b"request"), cache.get(2, b"request")
        (Entry(size=100), None)
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, _E] = OrderedDict()
        self._bytes = 0
        self._generation = -1

    @property
    def size(self) -> int:
        """Bytes that the entries take, about."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, generation: int, request: bytes) -> _E | None:
        """The entry of a request; None where there is none of this generation."""
        self._turn(generation)
        entry = self._entries.get(request)
        if entry is not None:
            self._entries.move_to_end(request)
        return entry

    def put(self, generation: int, request: bytes, entry: _E) -> None:
        """Keep an entry, and drop those that were used longest ago where there is no room.

        Args:
            generation: of the models that answered; an entry of an old one is not kept.
            request: the serialised request.
            entry: what to keep.
        """
        taken = _bytes_of(request, entry)
        if generation < self._generation or taken > min(self._max_bytes, _MOST_BYTES_OF_ONE):
            return
        self._turn(generation)
        before = self._entries.pop(request, None)
        if before is not None:
            self._bytes -= _bytes_of(request, before)
        self._entries[request] = entry
        self._bytes += taken
        while self._bytes > self._max_bytes:
            self._bytes -= _bytes_of(*self._entries.popitem(last=False))

    def _turn(self, generation: int) -> None:
        if generation != self._generation:
            self._entries.clear()
            self._bytes = 0
            self._generation = generation


def _bytes_of(request: bytes, entry: Sized) -> int:
    return len(request) + entry.size + _BYTES_BESIDE
