"""One JSON document with its digest as a file: whole or not there, and of a kind that its reader asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from recocore.errors import CorruptError
from recocore.storage.document import parse, seal
from recocore.storage.plain_file import read_plain, replace_plain

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping


def save_sealed(path: str | os.PathLike[str], kind: str, version: int, body: Mapping[str, Any]) -> None:
    """Write a document of a kind, in the given version of its format.

    Raises:
        OSError: the file system refuses; what was there before stays.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "colours.json"
        >>> save_sealed(path, "colours", 1, {"sky": "blue"})
        >>> load_sealed(path, "colours", 1)
        {'sky': 'blue'}
    """
    replace_plain(Path(path), seal({"kind": kind, "format": version, **body}))


def load_sealed(path: str | os.PathLike[str], kind: str, version: int) -> dict[str, Any]:
    """The body of what `save_sealed` wrote.

    Raises:
        FileNotFoundError: nothing is there.
        CorruptError: the file was changed after it was written, or is of another kind or version.
    """
    data = read_plain(Path(path))
    try:
        body = parse(data)
        body.pop("digest", None)
        if seal(body) != data:
            raise CorruptError("its digest does not match its content: it was changed after it was written")
        found = (body.pop("kind", None), body.pop("format", None))
        if found != (kind, version):
            raise CorruptError(f"expected kind {kind!r} of format {version}, got {found[0]!r} of {found[1]!r}")
    except CorruptError as error:
        raise CorruptError(f"{path}: {error}; save it again") from None
    return body
