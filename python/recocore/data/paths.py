"""Paths that callers hand over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from recocore.errors import InvalidArgumentError


def local_path(path: Any) -> Path:
    """A path of this machine's file system; what looks like a URL is the name of a file, and none is opened.

    Raises:
        InvalidArgumentError: no path, or with a NUL in it.
    """
    if not isinstance(path, (str, os.PathLike)) or not isinstance(name := os.fspath(path), str):
        raise InvalidArgumentError(f"path: expected a string or a pathlib.Path, got {path!r}", field="path")
    if "\0" in name:
        raise InvalidArgumentError(f"path: expected a name without NUL characters, got {name!r}", field="path")
    return Path(name)
