"""Publishing a folder whole or not at all."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def published(target: Path, *, replace: bool) -> Iterator[Path]:
    """A new folder to fill; on leaving, its files are made durable and it takes the target's name.

    Until then it is a sibling named `.NAME.tmp-*`. When the body or the move fails it is removed and the target is as
    it was; a process that is killed leaves at most such a sibling behind, which may be deleted.

    Args:
        target: where the folder will be; absent or an empty folder, unless `replace`.
        replace: swap with a folder that is there and delete that one.

    Raises:
        OSError: the file system refuses, or something that may not be replaced stands at the target.
    """
    temporary = target.with_name(f".{target.name}.tmp-{secrets.token_hex(6)}")
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.iterdir():
            sync(file)
        sync(temporary)
        if replace and target.exists():
            _swap(temporary, target)
        else:
            temporary.rename(target)
        sync(target.parent)
    finally:
        # The new folder after a failure, the old one after a swap, nothing after a plain move.
        shutil.rmtree(temporary, ignore_errors=True)


def sync(path: Path) -> None:
    """Wait until the device holds a file's bytes, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _swap(new: Path, old: Path) -> None:
    """Give two folders each other's names."""
    if _exchange(new, old):
        return
    # Without the system call there is an instant in which nobody has the old one's name.
    aside = old.with_name(f"{new.name}-old")
    old.rename(aside)
    try:
        new.rename(old)
    except BaseException:
        aside.rename(old)
        raise
    aside.rename(new)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two names in one step where the system can (Linux, most file systems)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    if renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE) == 0:
        return True
    error = ctypes.get_errno()
    if error in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(error, os.strerror(error), str(second))
