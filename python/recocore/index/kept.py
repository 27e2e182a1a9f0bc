"""What was computed last, within bounds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_T = TypeVar("_T")


class Kept(Generic[_T]):
    """Values by key, the ones used last, up to a number of bytes; safe from several threads.

    Args:
        most: bytes that all values together may have; a larger one is not kept.
        size_of: the bytes of a value, its key included.
    """

    def __init__(self, most: int, size_of: Callable[[_T], int]) -> None:
        self._most = most
        self._size_of = size_of
        self._values: OrderedDict[Hashable, _T] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """The bytes of what is kept now."""
        return self._held

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._values

    def get(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """The value of a key, made where it is not kept; two threads that ask at once may both make it."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        size = self._size_of(value)
        with self._lock:
            if key not in self._values and size <= self._most:
                self._values[key] = value
                self._held += size
                while self._held > self._most:
                    self._held -= self._size_of(self._values.popitem(last=False)[1])
        return value
