"""The system calls that write: a store is given them, so that tests can give it ones that fail."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from recocore.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path


class Disk:
    """The calls of the system; subclasses fail on purpose."""

    def open(self, path: Path, flags: int) -> int:
        """A descriptor; a new file may be read by its owner alone."""
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def pwrite(self, descriptor: int, data: bytes | memoryview, offset: int) -> int:
        """Write some of `data`: how many bytes."""
        return os.pwrite(descriptor, data, offset)

    def sync(self, descriptor: int) -> None:
        """Wait until the device holds the file's bytes and size."""
        os.fdatasync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file."""
        os.ftruncate(descriptor, size)

    def write_all(self, descriptor: int, data: bytes, offset: int) -> None:
        """Write all of `data`, however much of it a call takes.

        Raises:
            OSError: the system refuses, or takes nothing at all.
        """
        left = memoryview(data)
        while left:
            written = self.pwrite(descriptor, left, offset)
            if written <= 0:
                raise OSError(errno.EIO, "the system took none of the bytes")
            left, offset = left[written:], offset + written


def refused(path: Path, error: OSError) -> StorageError:
    """The error that a caller gets where the file system refuses."""
    step = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "check the disk"
    what = error.strerror or type(error).__name__
    return StorageError(f"{path}: {what}; nothing of the call is acknowledged: {step}, and send it again")
