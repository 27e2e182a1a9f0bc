"""Small files that change in place: read whole, replaced in one step, never through a link."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from recocore.errors import CorruptError
from recocore.storage.folder import sync

if TYPE_CHECKING:
    from pathlib import Path


def open_plain(path: Path, flags: int) -> int:
    """Open a file that is there and is one: a descriptor.

    Raises:
        FileNotFoundError: nothing is there.
        CorruptError: a link, folder or device; none is followed or waited for.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise _not_plain(path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_plain(path)
    return descriptor


def read_plain(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        FileNotFoundError: nothing is there.
        CorruptError: a link, folder or device.
    """
    with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as source:
        return source.read()


def replace_plain(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Give a file this content durably and in one step: whoever reads it sees the old bytes or the new ones.

    There must be one writer at a time. One that is killed leaves at most `.NAME.tmp`, which the next one replaces.

    Args:
        path: the file; it need not be there.
        data: the new content.
        mode: of the file, less what the process's mask forbids.

    Raises:
        OSError: the file system refuses. The old content stays, unless all that failed was to wait for the folder.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "state"
        >>> replace_plain(path, b"new")
        >>> read_plain(path), [entry.name for entry in path.parent.iterdir()]
        (b'new', ['state'])
    """
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as sink:
            sink.write(data)
            sink.flush()
            os.fsync(sink.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def _not_plain(path: Path) -> CorruptError:
    return CorruptError(f"{path}: expected a plain file, got a link, folder or device")
