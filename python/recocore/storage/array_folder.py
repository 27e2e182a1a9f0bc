"""Arrays with a description, as a folder that is whole or not there."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.errors import CorruptError, NotFoundError
from recocore.storage.array_file import map_array, write_array
from recocore.storage.document import count, parse, seal, take
from recocore.storage.file_entry import FileEntry
from recocore.storage.folder import published

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from recocore.types import AnyArray

FORMAT_VERSION = 1
_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, eq=False)
class ArrayFolder:
    """What such a folder holds.

    Attributes:
        about: what JSON holds.
        arrays: by name, mapped read-only.
    """

    about: Mapping[str, Any]
    arrays: Mapping[str, AnyArray]


def save_arrays(target: Path, kind: str, about: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
    """Write C-contiguous arrays and what is to be known of them; `target` must not be there, or be an empty folder.

    Raises:
        OSError: the file system refuses; nothing is left behind.
    """
    with published(target, replace=False) as folder:
        for name, array in arrays.items():
            with (folder / f"{name}.npy").open("xb", buffering=0) as sink:
                write_array(sink, np.ascontiguousarray(array, array.dtype.newbyteorder("<")))
        seal_folder(folder, kind, about)


def seal_folder(folder: Path, kind: str, about: Mapping[str, Any]) -> None:
    """Write the manifest of a folder that holds array files. O(bytes), for their digests."""
    files = {}
    for path in sorted(folder.glob("*.npy")):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        entry = {"size": path.stat().st_size, "sha256": _digest(path)}
        files[path.stem] = {**entry, "dtype": array.dtype.str, "shape": list(array.shape)}
    body = {"format": kind, "format_version": FORMAT_VERSION, "about": dict(about), "files": files}
    (folder / _MANIFEST).write_bytes(seal(body))


def load_arrays(path: Path, kind: str, *, verify: bool = True) -> ArrayFolder:
    """Map the arrays of a folder after checking it. O(bytes); `verify=False` leaves out the SHA-256 alone.

    Raises:
        NotFoundError: nothing is there.
        CorruptError: it is damaged, foreign or newer; the message names the file and the reason.
    """
    if not path.exists():
        raise NotFoundError(f"{path}: there is nothing here")
    with _blaming(path / _MANIFEST):
        body = _manifest(path, kind)
        entries = {name: FileEntry.from_json(name, entry) for name, entry in take(body, "files", dict).items()}
    arrays = {name: _load(path / f"{name}.npy", entry, verify=verify) for name, entry in entries.items()}
    return ArrayFolder(take(body, "about", dict), arrays)


def _manifest(path: Path, kind: str) -> dict[str, Any]:
    try:
        data = (path / _MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise CorruptError(f"missing; expected a folder of format {kind}") from None
    except IsADirectoryError:
        raise CorruptError(f"expected a file of format {kind}, got a folder") from None
    body = parse(data)
    if body.get("format") != kind:
        raise CorruptError(f'expected format "{kind}", got {body.get("format")!r:.60}')
    version = count(body, "format_version")
    if version != FORMAT_VERSION:
        raise CorruptError(f"format_version: expected {FORMAT_VERSION}, got {version}; another recocore wrote it")
    body.pop("digest", None)
    if seal(body) != data:
        raise CorruptError("its digest does not match its content: it was changed after it was written")
    return body


def _load(path: Path, entry: FileEntry, *, verify: bool) -> AnyArray:
    with _blaming(path):
        try:
            with path.open("rb") as source:
                entry.check(source, verify=verify)
                return map_array(source, entry)
        except FileNotFoundError:
            raise CorruptError("missing") from None
        except IsADirectoryError:
            raise CorruptError("expected a file, got a folder") from None


def _digest(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


@contextmanager
def _blaming(file: Path) -> Iterator[None]:
    """Put the file's name before what is wrong with it."""
    try:
        yield
    except CorruptError as error:
        raise CorruptError(f"{file}: {error}") from error
