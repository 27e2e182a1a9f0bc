"""Locks on folders: they hold between processes and threads, and the system gives them up when their holder dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder alone, once nobody else holds it."""
    with _held(folder, fcntl.LOCK_EX):
        yield


@contextmanager
def shared(folder: Path) -> Iterator[None]:
    """Hold a folder together with others that hold it so, once nobody holds it alone."""
    with _held(folder, fcntl.LOCK_SH):
        yield


@contextmanager
def exclusive_if_free(folder: Path) -> Iterator[bool]:
    """Hold a folder alone if nobody holds it; whether it is held."""
    with _held(folder, fcntl.LOCK_EX | fcntl.LOCK_NB) as held:
        yield held


@contextmanager
def _held(folder: Path, operation: int) -> Iterator[bool]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, operation)
            held = True
        except BlockingIOError:
            held = False
        yield held
    finally:
        os.close(descriptor)  # which gives up the lock
