"""Loading an index: everything is checked before it is believed, then mapped read-only.

Workers on one machine that map the same index share one copy of it in memory.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, TypeVar

from recocore.csr import Csr
from recocore.errors import CorruptError, NotFoundError
from recocore.index.attributes import PREFIX, Attributes
from recocore.index.contents import ID_FILES, MATRIX_FILES, POPULAR_FILES, SCORER_PREFIX, IndexData
from recocore.index.id_file import map_ids
from recocore.index.manifest import MANIFEST_NAME, Manifest
from recocore.index.popular import PopularItems
from recocore.scoring import SCORERS
from recocore.storage.array_file import map_array

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from recocore.data import IdMap
    from recocore.storage.file_entry import FileEntry
    from recocore.types import AnyArray

_T = TypeVar("_T")

# Each further attempt means that another whole index took the folder's place within a few opened files.
_ATTEMPTS = 100


def load(path: Path, *, verify: bool) -> tuple[IndexData, Manifest]:
    """Map an index folder after checking it. O(bytes of the index); `verify=False` leaves out the SHA-256 alone.

    While another process overwrites the index, this is the old one or the new one.

    Raises:
        NotFoundError: nothing is there.
        CorruptError: it is damaged, foreign or newer; the message names the file and the reason.
    """
    return _of_one_folder(path, partial(_load, path, verify=verify))


def read_manifest(path: Path) -> Manifest:
    """The manifest of an index folder, without the rest.

    Raises:
        NotFoundError: nothing is there.
        CorruptError: not an index folder, or its manifest is damaged or newer.
    """
    return _of_one_folder(path, partial(_read_manifest, path))


def _of_one_folder(path: Path, read: Callable[[int], _T]) -> _T:
    """What `read` makes of the open folder; once more where the folder was replaced meanwhile and its files deleted."""
    for left in reversed(range(_ATTEMPTS)):
        folder = _open_folder(path)
        try:
            return read(folder)
        except CorruptError:
            if not left or not _is_replaced(path, folder):
                raise
        finally:
            os.close(folder)
    raise AssertionError("the last attempt returns or raises")


def _open_folder(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        if path.exists():
            raise CorruptError(f"{path}: an index is a folder, this is a file") from None
        raise NotFoundError(f"{path}: there is no index here; write one with Index.save or `recocore fit`") from None


def _is_replaced(path: Path, folder: int) -> bool:
    try:
        return not os.path.samestat(os.stat(path), os.fstat(folder))
    except FileNotFoundError:
        return True


def _load(path: Path, folder: int, *, verify: bool) -> tuple[IndexData, Manifest]:
    manifest = _read_manifest(path, folder)
    _check_names(path, folder, manifest)
    with ExitStack() as stack:
        # All of them before any is read: what is open can be read to its end, even when a newer index replaces it.
        sources = {name: stack.enter_context(_open(path, folder, name)) for name in manifest.files}

        def read(name: str, reader: Callable[[IO[bytes], FileEntry], _T]) -> _T:
            with _blaming(path / name):
                return _read(sources[name], manifest.files[name], reader, verify=verify)

        maps = {name: read(name, map_ids) for name in manifest.files if name.endswith(".arrow")}
        arrays = {name: read(name, map_array) for name in manifest.files if not name.endswith(".arrow")}
    with _blaming(path):
        return _assemble(manifest, maps, arrays), manifest


def _read_manifest(path: Path, folder: int) -> Manifest:
    if MANIFEST_NAME not in os.listdir(folder):
        raise CorruptError(f"{path}: not a recocore index: it has no {MANIFEST_NAME}")
    with _open(path, folder, MANIFEST_NAME) as source, _blaming(path / MANIFEST_NAME):
        return Manifest.from_bytes(source.read())


def _check_names(path: Path, folder: int, manifest: Manifest) -> None:
    """See that the manifest lists an index's files, those there and no others."""
    fixed = {**MATRIX_FILES, **POPULAR_FILES}
    with _blaming(path / MANIFEST_NAME):
        for name in (*ID_FILES, *fixed):
            if name not in manifest.files:
                raise CorruptError(f"files: expected {name}, which every index has")
        for name, entry in manifest.files.items():
            if name in fixed and (entry.dtype, len(entry.shape)) != (fixed[name], 1):
                raise CorruptError(
                    f"files: {name}: expected {fixed[name]} in one dimension, got {entry.dtype} {list(entry.shape)}"
                )
            if name not in fixed and name not in ID_FILES and not _is_optional(name):
                raise CorruptError(f"files: {name} is no part of an index")
    for name in os.listdir(folder):
        # A hidden file is a file browser's or a network file system's, and is never read.
        if name not in manifest.files and name != MANIFEST_NAME and not name.startswith("."):
            raise CorruptError(f"{path / name}: no part of this index: the manifest does not list it")


def _is_optional(name: str) -> bool:
    return name.startswith(PREFIX) or (name.startswith(SCORER_PREFIX) and name.endswith(".npy"))


def _open(path: Path, folder: int, name: str) -> io.BufferedReader:
    """Open a plain file of the open folder."""
    with _blaming(path / name):
        try:
            if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise CorruptError("expected a plain file, got a link, folder or device")
            return open(name, "rb", opener=partial(os.open, dir_fd=folder))
        except FileNotFoundError:
            raise CorruptError("missing") from None


def _read(
    source: io.BufferedReader, entry: FileEntry, reader: Callable[[IO[bytes], FileEntry], _T], *, verify: bool
) -> _T:
    entry.check(source, verify=verify)
    return reader(source, entry)


def _assemble(manifest: Manifest, maps: Mapping[str, IdMap], arrays: Mapping[str, AnyArray]) -> IndexData:
    users, items = (maps[name] for name in ID_FILES)
    shape = manifest.counts["users"], manifest.counts["items"]
    if (len(users), len(items)) != shape:
        raise CorruptError(
            f"id maps: expected {shape[0]} users and {shape[1]} items, got {len(users)} and {len(items)}"
        )
    indptr, indices, values = (arrays[name] for name in MATRIX_FILES)
    matrix = Csr(indptr, indices, values, shape)
    matrix.check("interactions", CorruptError)
    if matrix.nnz != manifest.counts["interactions"]:
        raise CorruptError(f"interactions: expected {manifest.counts['interactions']}, got {matrix.nnz}")
    popular = PopularItems(*(arrays[name] for name in POPULAR_FILES))
    popular.check(shape[1])
    if manifest.scorer not in SCORERS:
        raise CorruptError(f"scorer {manifest.scorer!r:.40}: expected one of {', '.join(sorted(SCORERS))}")
    fitted = {
        name.removeprefix(SCORER_PREFIX).removesuffix(".npy"): array
        for name, array in arrays.items()
        if name.startswith(SCORER_PREFIX)
    }
    try:
        scorer = SCORERS[manifest.scorer].from_arrays(matrix, fitted)
    except CorruptError as error:
        raise CorruptError(f"{SCORER_PREFIX}{error}") from error
    if unknown := sorted(fitted.keys() - scorer.arrays().keys()):
        raise CorruptError(f"{SCORER_PREFIX}{unknown[0]}: no part of a scorer of kind {manifest.scorer}")
    attributes = Attributes.from_files(
        {name: ids for name, ids in maps.items() if name.startswith(PREFIX)},
        {name: array for name, array in arrays.items() if name.startswith(PREFIX)},
        shape[1],
    )
    return IndexData(
        manifest.model,
        manifest.params,
        manifest.metrics,
        manifest.created,
        users,
        items,
        scorer,
        popular,
        attributes,
    )


@contextmanager
def _blaming(file: Path) -> Iterator[None]:
    """Put the file's name before what is wrong with it."""
    try:
        yield
    except CorruptError as error:
        raise CorruptError(f"{file}: {error}") from error
