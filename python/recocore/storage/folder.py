"""Publishing a folder whole or not at all."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import secrets
import shutil
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2

_LONGEST_NAME = 255
_TOKEN_BYTES = 6
# Nothing changes in a folder for that long while it is being written; its writer was killed.
_STALE_SECONDS = 24 * 3600


@contextmanager
def published(target: Path, *, replace: bool) -> Iterator[Path]:
    """A new folder to fill; on leaving, its files are made durable and it takes the target's name.

    Until then it is a sibling named `.NAME.tmp-*`. When the body or the move fails it is removed and the target is as
    it was; a process that is killed leaves at most such a sibling behind, which may be deleted, and is by the first save to
    this target a day later.

    Args:
        target: where the folder will be; absent or an empty folder, unless `replace`.
        replace: swap with a folder that is there and delete that one.

    Raises:
        OSError: the file system refuses, or something that may not be replaced stands at the target.
    """
    _remove_stale(target)
    temporary = target.with_name(_temporary_prefix(target) + secrets.token_hex(_TOKEN_BYTES))
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.iterdir():
            sync(file)
        sync(temporary)
        if replace and target.exists():
            _swap(temporary, target)
        else:
            _move(temporary, target)
        sync(target.parent)
    finally:
        # The new folder after a failure, the old one after a swap, nothing after a plain move.
        shutil.rmtree(temporary, ignore_errors=True)


def _move(temporary: Path, target: Path) -> None:
    try:
        temporary.rename(target)
    except OSError as error:
        if error.errno is None or not target.exists():
            raise
        # The system's own message begins with the temporary name, which nobody has given.
        step = f"{os.strerror(error.errno)}; choose a name that is free"
        raise OSError(error.errno, step, str(target)) from None


def _temporary_prefix(target: Path) -> str:
    """What the names of this target's temporary folders begin with; with token and "-old" as long as a name may be."""
    room = _LONGEST_NAME - len("..tmp-") - 2 * _TOKEN_BYTES - len("-old")
    return f".{os.fsencode(target.name)[:room].decode(errors='ignore')}.tmp-"


def _remove_stale(target: Path) -> None:
    """Delete what killed saves to this target have left behind."""
    prefix, now = _temporary_prefix(target), time.time()
    for entry in target.parent.iterdir():
        if re.fullmatch(rf"{re.escape(prefix)}[0-9a-f]{{{2 * _TOKEN_BYTES}}}", entry.name):
            with suppress(FileNotFoundError):
                if now - entry.stat().st_mtime > _STALE_SECONDS:
                    shutil.rmtree(entry, ignore_errors=True)


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
