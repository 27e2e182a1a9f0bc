"""Writing an index: hashed while it is written, and published whole or not at all."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from importlib.metadata import version
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.index.contents import ID_FILES, MATRIX_FILES, POPULAR_FILES, SCORER_PREFIX
from recocore.index.id_file import write_ids
from recocore.index.loading import read_manifest
from recocore.index.manifest import MANIFEST_NAME, Manifest
from recocore.storage.array_file import write_array
from recocore.storage.file_entry import FileEntry
from recocore.storage.folder import published

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recocore.data import IdMap
    from recocore.index.contents import IndexData
    from recocore.types import AnyArray


def describe(data: IndexData) -> Manifest:
    """The manifest that `save` would write, without writing. O(bytes of the index)."""
    files = {}
    for name, file in _files(data).items():
        with _HashingSink(None) as sink:
            file.write(sink)
            files[name] = file.entry(sink)
    return _manifest(data, files)


def save(data: IndexData, target: Path, *, overwrite: bool) -> None:
    """Write an index folder; it appears whole or not at all.

    Raises:
        InvalidArgumentError: something stands at the target that may not be replaced, or the index holds what no
            loader would take: NaN, infinity, or what JSON cannot hold.
        OSError: the file system refuses; nothing is left behind.
    """
    check_target(target, overwrite=overwrite)
    target = target.resolve()
    with published(target, replace=overwrite) as folder:
        files = {}
        for name, file in _files(data).items():
            with (folder / name).open("xb") as raw, _HashingSink(raw) as sink:
                file.write(sink)
                files[name] = file.entry(sink)
        (folder / MANIFEST_NAME).write_bytes(_manifest(data, files).to_bytes())


@dataclass(frozen=True, slots=True)
class _File:
    """One file to be: what it holds and how it is written."""

    dtype: str
    shape: tuple[int, ...]
    write: Callable[[io.RawIOBase], None]

    def entry(self, sink: _HashingSink) -> FileEntry:
        return FileEntry(sink.size, sink.digest.hexdigest(), self.dtype, self.shape)


class _HashingSink(io.RawIOBase):
    """Hashes bytes on their way into a file, or into nothing."""

    def __init__(self, file: IO[bytes] | None) -> None:
        self.file = file
        self.size = 0
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        count = memoryview(data).nbytes
        self.digest.update(data)
        self.size += count
        if self.file is not None:
            self.file.write(data)
        return count

    def tell(self) -> int:
        return self.size


def _files(data: IndexData) -> dict[str, _File]:
    matrix = data.scorer.interactions
    arrays: dict[str, AnyArray] = {
        **dict(zip(MATRIX_FILES, (matrix.indptr, matrix.indices, matrix.values), strict=True)),
        **dict(zip(POPULAR_FILES, (data.popular.counts, data.popular.order), strict=True)),
        **{f"{SCORER_PREFIX}{name}.npy": array for name, array in data.scorer.arrays().items()},
    }
    texts, numbers = data.attributes.files()
    maps = {**dict(zip(ID_FILES, (data.users, data.items), strict=True)), **texts}
    return {
        **{name: _id_file(ids) for name, ids in maps.items()},
        **{name: _finite_file(name, array) for name, array in arrays.items()},
        **{name: _array_file(array) for name, array in numbers.items()},
    }


def _id_file(ids: IdMap) -> _File:
    return _File(ids.kind, (len(ids),), lambda sink: write_ids(sink, ids))


def _finite_file(name: str, array: AnyArray) -> _File:
    if not np.isfinite(array).all():
        raise InvalidArgumentError(
            f"{name.removesuffix('.npy')}: expected finite values, got NaN or infinity; fit with other parameters",
            field=name.removesuffix(".npy"),
        )
    return _array_file(array)


def _array_file(array: AnyArray) -> _File:
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return _File(array.dtype.str, array.shape, lambda sink: write_array(sink, array))


def _manifest(data: IndexData, files: dict[str, FileEntry]) -> Manifest:
    matrix = data.scorer.interactions
    return Manifest(
        recocore_version=version("recocore"),
        created=data.created,
        model=data.model,
        params=data.params,
        scorer=data.scorer.kind,
        counts={"users": matrix.shape[0], "items": matrix.shape[1], "interactions": matrix.nnz},
        metrics=data.metrics,
        files=files,
    )


def check_target(target: Path, *, overwrite: bool) -> None:
    """See that `save` may write here, before the work of a fit is done for nothing.

    Raises:
        NotFoundError: the folder around it does not exist.
        InvalidArgumentError: something stands there that may not be replaced.
    """
    target = target.resolve()
    if not target.parent.is_dir():
        raise NotFoundError(f"path: the folder {target.parent} does not exist; create it first")
    if not target.exists():
        return
    if not target.is_dir():
        raise InvalidArgumentError(f"path: {target} is a file; an index is a folder, choose another name", field="path")
    present = {entry.name for entry in target.iterdir()}
    if not present:
        return
    if not overwrite:
        raise InvalidArgumentError(
            f"path: {target} is not empty; choose another name, or overwrite the index there: overwrite=True (--overwrite)",
            field="path",
        )
    try:
        known = {MANIFEST_NAME, *read_manifest(target).files}
    except CorruptError as error:
        raise InvalidArgumentError(f"path: will not overwrite what is not an index: {error}", field="path") from error
    if foreign := sorted(present - known):
        raise InvalidArgumentError(
            f"path: will not overwrite {target}: {foreign[0]} is no part of an index; move it away first", field="path"
        )
