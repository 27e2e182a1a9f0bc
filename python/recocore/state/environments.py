"""LMDB environments of this process, by folder: LMDB forbids to open one twice, and a store may stand beside readers.

While a store of the process has the folder open, readers of the process read through its environment.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import lmdb

if TYPE_CHECKING:
    from pathlib import Path

_MAX_READERS = 512
_FILE = "data.mdb"

_lock = threading.Lock()
# The one place that knows what the process has open, as LMDB's own rule is about the process.
_open: dict[tuple[int, str], SharedEnvironment] = {}


class SharedEnvironment:
    """What `acquire` gives out; give it back with `release`."""

    def __init__(self, folder: Path) -> None:
        self.key = (os.getpid(), os.path.realpath(folder))
        self.users = 0
        self._folder = folder
        self._environment: Any = None
        self._identity: tuple[int, int] | None = None
        self._written = False

    def get(self) -> Any:
        """The environment: the store's while there is one, else one for reading.

        Raises:
            lmdb.Error: LMDB refuses.
        """
        environment = self._environment
        if environment is not None:
            return environment
        with _lock:
            if self._environment is None:
                self._open(None)
            return self._environment

    def look(self) -> None:
        """Read the file that is there now."""
        with _lock:
            if not self._written:
                self._open(None)

    def is_replaced(self) -> bool:
        """Whether another file has taken the place of the one that is read."""
        return not self._written and self._identity != identity(self._folder)

    def write(self, map_bytes: int) -> None:
        """Open for writing, in place of what was open."""
        with _lock:
            self._open(map_bytes)

    def shut(self) -> None:
        """Close; the next use opens for reading."""
        with _lock:
            self._close()

    def _open(self, map_bytes: int | None) -> None:
        self._close()
        self._identity = identity(self._folder)
        self._environment = lmdb.open(
            str(self._folder),
            map_size=map_bytes or 0,
            readonly=map_bytes is None,
            sync=False,
            metasync=False,
            mode=0o600,
            max_readers=_MAX_READERS,
            readahead=False,
        )
        self._written = map_bytes is not None

    def _close(self) -> None:
        if self._environment is not None:
            self._environment.close()
        self._environment, self._written = None, False


def acquire(folder: Path) -> SharedEnvironment:
    """This process's environment of a folder; nothing is opened yet."""
    with _lock:
        new = SharedEnvironment(folder)
        shared = _open.setdefault(new.key, new)
        shared.users += 1
        return shared


def release(shared: SharedEnvironment) -> None:
    """Give an environment back; the last one closes it."""
    with _lock:
        shared.users -= 1
        if shared.users == 0:
            shared._close()
            del _open[shared.key]


def identity(folder: Path) -> tuple[int, int] | None:
    """Which file a folder's table is; None where there is none."""
    try:
        status = (folder / _FILE).stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
