"""Files that trust rests on: who may read and change them, and whether they have changed."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from recocore.errors import InvalidArgumentError, NotFoundError

# Keys of thousands of callers; what is larger is no file of keys.
_MOST_BYTES = 16 << 20
# systemd hands out credentials in files that a group seems to read: the mode shows the mask of their access list.
_CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"


@dataclass(frozen=True, slots=True)
class Version:
    """What tells one content of a file from the next: a replaced file has another inode, a rewritten one another time."""

    inode: int
    changed_ns: int
    size: int


def version_of(path: str) -> Version | None:
    """The file's version; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return Version(found.st_ino, found.st_mtime_ns, found.st_size)


def read_public(path: str, setting: str) -> bytes:
    """The content of a file that nobody but its owner may change.

    Raises:
        NotFoundError: there is no such file.
        InvalidArgumentError: it cannot be read, or others may write it.
    """
    return _read(path, setting, 0o022, "chmod go-w")


def read_private(path: str, setting: str) -> bytes:
    """The content of a file that nobody but its owner may read.

    Raises:
        NotFoundError: there is no such file.
        InvalidArgumentError: it cannot be read, or others may read or write it.
    """
    folder = os.environ.get(_CREDENTIALS_VARIABLE)
    handed = bool(folder) and Path(path).parent == Path(str(folder))
    return _read(path, setting, 0o037 if handed else 0o077, "chmod 600")


def _read(path: str, setting: str, refused: int, step: str) -> bytes:
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            mode = stat.S_IMODE(found.st_mode)
            if stat.S_ISREG(found.st_mode) and mode & refused:
                raise InvalidArgumentError(
                    f"{setting}: {path}: expected a file closed to others, got mode {mode:04o}; {step} {path}",
                    field=setting,
                )
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise NotFoundError(f"{setting}: {path}: there is no such file") from None
    except OSError as error:
        raise InvalidArgumentError(f"{setting}: {path}: cannot be read: {error.strerror}", field=setting) from error
    if len(content) > _MOST_BYTES:
        raise InvalidArgumentError(
            f"{setting}: {path}: expected at most {_MOST_BYTES:,} bytes, got more", field=setting
        )
    return content
