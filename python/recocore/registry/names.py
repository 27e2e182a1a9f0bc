"""What may name a version, an alias and whoever changes one: nothing that leads out of the folder."""

from __future__ import annotations

import getpass
import os
import re
import socket
from pathlib import Path
from typing import Any

from recocore.errors import InvalidArgumentError

_VERSION = re.compile(r"[0-9a-f]{12}")
_ALIAS = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LONGEST_WHO = 128


def is_version(name: str) -> bool:
    """Whether a name has the form of a version."""
    return _VERSION.fullmatch(name) is not None


def is_alias(name: str) -> bool:
    """Whether a name may be an alias: a version's form is kept for versions."""
    return _ALIAS.fullmatch(name) is not None and not is_version(name)


def check_alias(alias: Any) -> str:
    """An alias that is well-formed.

    Raises:
        InvalidArgumentError: it is not.
    """
    if not isinstance(alias, str) or not is_alias(alias):
        raise InvalidArgumentError(
            "alias: expected 1 to 64 of a-z, 0-9, - and _, a letter or digit first, and not twelve hexadecimal digits, "
            f"got {alias!r:.80}; choose a name such as stable",
            field="alias",
        )
    return alias


def check_version(version: Any) -> str:
    """A version that is well-formed.

    Raises:
        InvalidArgumentError: it is not.
    """
    if not isinstance(version, str) or not is_version(version):
        raise InvalidArgumentError(
            f"version: expected twelve hexadecimal digits, got {version!r:.80}; list the registry to see its versions",
            field="version",
        )
    return version


def check_name(name: Any) -> str:
    """A version or an alias that is well-formed.

    Raises:
        InvalidArgumentError: it is neither.
    """
    if not isinstance(name, str) or not (is_version(name) or is_alias(name)):
        raise InvalidArgumentError(
            "version: expected twelve hexadecimal digits, or an alias of a-z, 0-9, - and _, "
            f"got {name!r:.80}; list the registry to see what there is",
            field="version",
        )
    return name


def check_path(path: Any) -> Path:
    """A path of this machine's file system.

    Raises:
        InvalidArgumentError: no path, or with a NUL in it.
    """
    if not isinstance(path, (str, os.PathLike)) or not isinstance(name := os.fspath(path), str) or "\0" in name:
        raise InvalidArgumentError(
            f"path: expected a string or a pathlib.Path without NUL characters, got {path!r:.80}; name a folder",
            field="path",
        )
    return Path(name)


def check_who(who: Any) -> str:
    """The name to put into the journal: what was given, or user and host of this process.

    Raises:
        InvalidArgumentError: something else than a line of text.
    """
    if who is None:
        return _user_and_host()
    if not isinstance(who, str) or not 0 < len(who) <= _LONGEST_WHO or not who.isprintable():
        raise InvalidArgumentError(
            f"who: expected 1 to {_LONGEST_WHO} printable characters, got {who!r:.80}; name a person or a job",
            field="who",
        )
    return who


def _user_and_host() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user whom nobody has named
        user = f"uid-{os.getuid()}"
    text = f"{user}@{socket.gethostname()}"[:_LONGEST_WHO]
    return text if text.isprintable() else f"uid-{os.getuid()}"
