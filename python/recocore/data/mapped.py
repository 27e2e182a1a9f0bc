"""Interactions in files: what a fit reads may be larger than the memory."""

from __future__ import annotations

import mmap
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np

from recocore.csr import Csr
from recocore.data.external_sort import sort_to_files
from recocore.data.ids import IdMap
from recocore.data.interactions import Interactions
from recocore.errors import CorruptError, InvalidArgumentError
from recocore.ops.arguments import checked_indices, choice, integer
from recocore.storage import load_arrays, published, seal_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from recocore.data.external_sort import Entries
    from recocore.types import AnyArray

Chunk: TypeAlias = "tuple[Any, Any, Any]"

_FORMAT = "recocore-interactions"
# Entries of a matrix on its way to the transposed one.
_ENTRIES_AT_A_TIME = 1 << 20


@dataclass(frozen=True, eq=False, repr=False)
class MappedInteractions(Interactions):
    """Interactions whose matrix, and its transpose, lie in the files of a folder.

    A fit of ALS reads them from front to back each epoch, and needs memory for the factors alone. The system keeps of the
    files what there is room for: with 100 M entries (1.6 GB) where 400 MB were allowed, an epoch of 16 factors took 27.1 s on
    two busy cores, and 26.8 s with everything in memory.

    Attributes:
        transposed: CSR `[n_items, n_users]`.

    Example:
        >>> import tempfile
        >>> import recocore
        >>> chunks = [([0, 1], [5, 3], None), ([2, 0], [0, 1], [2.0, 1.0])]
        >>> folder = Path(tempfile.mkdtemp()) / "interactions"
        >>> data = MappedInteractions.write(folder, chunks, users=3, items=6)
        >>> data.nnz, data.matrix.row(0)[0].tolist(), data.by_item.row(5)[0].tolist()
        (4, [1, 5], [0])
        >>> model = recocore.models.ALS(factors=2, iterations=1).fit(MappedInteractions.open(folder))
    """

    transposed: Csr | None = None

    @classmethod
    def write(
        cls,
        folder: str | Path,
        chunks: Iterable[Chunk],
        users: IdMap | int,
        items: IdMap | int,
        *,
        duplicates: str = "sum",
        memory: int = 1 << 28,
    ) -> Self:
        """Write interactions that come in pieces, in any order, sorted and transposed on disk.

        Args:
            folder: appears whole or not at all; must not be there. Meanwhile it takes 32 bytes an entry beside it.
            chunks: (users, items, values) each time: ids of the maps, or indices where these are numbers; values may be None
                for ones. A chunk must fit into memory.
            users: the map of user ids, or how many users there are.
            items: the map of item ids, or how many items there are.
            duplicates: what entries of the same pair become: their sum, the last, or the max.
            memory: bytes to sort with, beside 8 for each user and item.

        Raises:
            InvalidArgumentError: an unknown id, a value that is not finite, or no entries.
            OSError: the file system refuses; nothing is left behind.
        """
        target = Path(folder).absolute()
        maps = tuple(IdMap.range(side) if isinstance(side, int) else side for side in (users, items))
        shape = len(maps[0]), len(maps[1])
        choice(duplicates, "duplicates", ("sum", "last", "max"))
        integer(memory, "memory", 1)
        if target.exists():
            raise InvalidArgumentError(f"folder: {target} is there already; choose another name", field="folder")
        with published(target, replace=False) as fresh:
            with tempfile.TemporaryDirectory(dir=fresh) as spool:
                pieces = [
                    _spool(Path(spool) / str(number), _indexed(chunk, (users, items)))
                    for number, chunk in enumerate(chunks)
                ]
                if not pieces:
                    raise InvalidArgumentError("chunks: expected at least one, got none", field="chunks")
                sort_to_files(
                    lambda: (_read(piece) for piece in pieces),
                    shape,
                    fresh,
                    "users",
                    duplicates=duplicates,
                    memory=memory,
                )
            by_user = _csr({path.stem: np.load(path, mmap_mode="r") for path in fresh.glob("*.npy")}, "users", shape)
            sort_to_files(
                lambda: _transposed(by_user), shape[::-1], fresh, "items", duplicates=duplicates, memory=memory
            )
            seal_folder(fresh, _FORMAT, {"shape": list(shape)})
        return cls.open(target, *maps)

    @classmethod
    def open(
        cls, folder: str | Path, users: IdMap | None = None, items: IdMap | None = None, *, verify: bool = False
    ) -> Self:
        """Map interactions that `write` wrote.

        Args:
            folder: of `write`.
            users: the map of user ids; None where the row numbers are the ids.
            items: likewise of item ids.
            verify: whether to read all files to check their SHA-256; a fit checks each entry in any case.

        Raises:
            NotFoundError: nothing is there.
            CorruptError: it is damaged, foreign or newer; the message names the file and the reason.
        """
        path = Path(folder)
        stored = load_arrays(path, _FORMAT, verify=verify)
        n_users, n_items = stored.about.get("shape", (0, 0))
        try:
            by_user = _csr(stored.arrays, "users", (n_users, n_items))
            by_item = _csr(stored.arrays, "items", (n_items, n_users))
        except KeyError as error:
            raise CorruptError(f"{path}: expected an array {error}, got {', '.join(sorted(stored.arrays))}") from None
        return cls(users or IdMap.range(n_users), items or IdMap.range(n_items), by_user, None, by_item)

    @property
    def is_mapped(self) -> bool:
        """True."""
        return True

    @property
    def by_item(self) -> Csr:
        """The matrix transposed, `[n_items, n_users]`, from its files."""
        assert self.transposed is not None
        return self.transposed


def _indexed(chunk: Chunk, sides: tuple[IdMap | int, IdMap | int]) -> Entries:
    """A chunk as indices and values."""
    users, items, values = chunk
    rows, columns = (
        checked_indices(ids, side, name) if isinstance(side, int) else _known(side, ids, name)
        for ids, side, name in ((users, sides[0], "users"), (items, sides[1], "items"))
    )
    with np.errstate(over="ignore"):  # what overflows becomes infinite, which sorting refuses
        numbers = np.ones(len(rows), np.float32) if values is None else np.ascontiguousarray(values, np.float32)
    if not len(rows) == len(columns) == len(numbers):
        raise InvalidArgumentError(
            f"chunks: expected equal lengths, got {len(rows)}, {len(columns)} and {len(numbers)}", field="chunks"
        )
    return rows, columns, numbers


def _known(ids: IdMap, chunk: Any, name: str) -> Any:
    indices = ids.indices_of(chunk)
    if (indices < 0).any():
        raise InvalidArgumentError(
            f"{name}: expected ids of the map, got {int((indices < 0).sum())} of {len(indices)} others", field=name
        )
    return indices


def _spool(path: Path, entries: Entries) -> Path:
    with path.open("wb") as file:
        for array in entries:
            file.write(array.data)
    return path


def _read(path: Path) -> Entries:
    words = np.fromfile(path, np.int32).reshape(3, -1)
    return words[0], words[1], words[2].view(np.float32)


def _transposed(matrix: Csr) -> Iterator[Entries]:
    """The entries of a matrix by pieces, rows and columns exchanged."""
    for begin in range(0, matrix.nnz, _ENTRIES_AT_A_TIME):
        end = min(begin + _ENTRIES_AT_A_TIME, matrix.nnz)
        rows = np.searchsorted(matrix.indptr, np.arange(begin, end), side="right") - 1
        yield np.asarray(matrix.indices[begin:end]), rows.astype(np.int32), np.asarray(matrix.values[begin:end])


def _csr(arrays: Mapping[str, AnyArray], side: str, shape: tuple[int, int]) -> Csr:
    indptr, indices, values = (_sequential(arrays[f"{side}_{part}"]) for part in ("indptr", "indices", "values"))
    return Csr(indptr, indices, values, shape)


def _sequential(array: AnyArray) -> AnyArray:
    """Tell the system that a mapped array is read from front to back, so that it reads ahead and forgets behind."""
    mapped = getattr(array if isinstance(array, np.memmap) else array.base, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_SEQUENTIAL"):
        mapped.madvise(mmap.MADV_SEQUENTIAL)
    return array
