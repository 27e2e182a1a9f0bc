"""A sparse matrix as files, from more entries than fit into memory."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from recocore.csr import Csr
from recocore.storage import GrowingArray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from recocore.types import AnyArray, Float32Array, Int32Array, Int64Array

    Entries: TypeAlias = tuple[Int32Array, Int32Array, Float32Array]

# An entry on its way: 12 bytes in a file. Sorting takes about 64 bytes for each.
_ENTRY = np.dtype([("row", "<i4"), ("column", "<i4"), ("value", "<f4")])
_SORTING_BYTES = 64
# So many files are open at once at most; beyond that a part takes more memory than was asked for.
_MOST_PARTS = 512


def sort_to_files(
    scan: Callable[[], Iterator[Entries]],
    shape: tuple[int, int],
    folder: Path,
    prefix: str,
    *,
    duplicates: str,
    memory: int,
) -> None:
    """Write canonical CSR as `PREFIX_indptr.npy`, `PREFIX_indices.npy` and `PREFIX_values.npy`, as `Csr.from_coo` makes it.

    Entries are dealt out to files by ranges of rows, each small enough to be sorted in memory, and these are sorted in turn.

    Args:
        scan: gives all entries, in pieces of (rows, columns, values), each time that it is called; it is called twice.
        shape: (rows, columns).
        folder: where the files go, and meanwhile 12 bytes an entry.
        prefix: of their names.
        duplicates: sum, last or max.
        memory: bytes to work with, beside 8 for each row and column. A row with more entries than that holds takes more.
    """
    counts = np.zeros(shape[0], np.int64)
    for rows, _, _ in scan():
        np.add.at(counts, rows, 1)
    bounds = _bounds(counts, max(1, memory // _SORTING_BYTES))
    del counts
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        parts = [work / str(number) for number in range(len(bounds) - 1)]
        _deal(scan, bounds, parts)
        indptr, indices, values = (
            stack.enter_context(GrowingArray(folder / f"{prefix}_{name}.npy", dtype))
            for name, dtype in (("indptr", np.int64), ("indices", np.int32), ("values", np.float32))
        )
        before = 0
        indptr.append(np.zeros(1, np.int64))
        for part, first, last in zip(parts, bounds[:-1], bounds[1:], strict=True):
            entries = np.fromfile(part, _ENTRY)
            part.unlink()
            sorted_part = Csr.from_coo(
                entries["row"] - np.int32(first),
                entries["column"],
                entries["value"],
                (int(last - first), shape[1]),
                duplicates,
            )
            del entries
            indptr.append(sorted_part.indptr[1:] + before)
            indices.append(sorted_part.indices)
            values.append(sorted_part.values)
            before += sorted_part.nnz


def _bounds(counts: Int64Array, most: int) -> Int64Array:
    """First rows of consecutive parts with at most so many entries, and the number of rows at the end."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    most = max(most, -(-total // _MOST_PARTS))
    bounds = [0]
    while bounds[-1] < len(counts):
        before = int(ends[bounds[-1] - 1]) if bounds[-1] else 0
        last = int(np.searchsorted(ends, before + most, side="right"))
        bounds.append(max(last, bounds[-1] + 1))
    return np.array(bounds)


def _deal(scan: Callable[[], Iterator[Entries]], bounds: AnyArray, parts: list[Path]) -> None:
    with ExitStack() as stack:
        files = [stack.enter_context(part.open("wb")) for part in parts]
        for rows, columns, values in scan():
            number = np.searchsorted(bounds, rows, side="right") - 1
            order = np.argsort(number, kind="stable")
            entries = np.empty(len(rows), _ENTRY)
            entries["row"], entries["column"], entries["value"] = rows[order], columns[order], values[order]
            ends = np.searchsorted(number[order], np.arange(len(parts)), side="right")
            for file, begin, end in zip(files, [0, *ends[:-1]], ends, strict=True):
                file.write(entries[begin:end].data)
