"""Interactions in files: the same bytes as in memory, whatever the pieces and the memory to sort with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from recocore.csr import Csr
from recocore.data import IdMap, Interactions, MappedInteractions
from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path


def entries(count: int, seed: int) -> tuple[Any, Any, Any]:
    """Many of them twice, one user with a third of all, the last user and item with none."""
    rng = np.random.default_rng(seed)
    users = np.where(rng.random(count) < 0.3, 7, rng.integers(0, 59, count)).astype(np.int32)
    return users, rng.integers(0, 39, count).astype(np.int32), rng.uniform(0.5, 3, count).astype(np.float32)


def in_chunks(columns: tuple[Any, Any, Any], size: int) -> list[tuple[Any, Any, Any]]:
    users, items, values = columns
    return [(users[b : b + size], items[b : b + size], values[b : b + size]) for b in range(0, len(users), size)]


def same(first: Csr, second: Csr) -> bool:
    return first.shape == second.shape and all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in zip(arrays(first), arrays(second), strict=True)
    )


def arrays(matrix: Csr) -> list[Any]:
    return [matrix.indptr, matrix.indices, matrix.values]


def lies_in_a_file(array: Any) -> bool:
    return isinstance(array, np.memmap) or isinstance(array.base, np.memmap)


@pytest.mark.parametrize("duplicates", ["sum", "last", "max"])
@pytest.mark.parametrize(("size", "memory"), [(5000, 1 << 28), (777, 64 * 300), (1, 64 * 100), (64, 1)])
def test_files_hold_what_memory_would(tmp_path: Path, duplicates: str, size: int, memory: int) -> None:
    columns = entries(5000 if size > 1 else 400, 3)
    mapped = MappedInteractions.write(
        tmp_path / "data", in_chunks(columns, size), 60, 40, duplicates=duplicates, memory=memory
    )
    expected = Csr.from_coo(*columns, (60, 40), duplicates)
    assert same(mapped.matrix, expected)
    assert same(mapped.by_item, expected.transpose())
    assert mapped.is_mapped
    assert all(lies_in_a_file(array) for side in (mapped.matrix, mapped.by_item) for array in arrays(side))
    again = MappedInteractions.open(tmp_path / "data", verify=True)
    assert same(again.matrix, expected)
    assert same(again.by_item, expected.transpose())
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_ids_are_found_in_the_maps(tmp_path: Path) -> None:
    users, items = IdMap.build(["cid", "ann", "bob"])[0], IdMap.build([30, 10])[0]
    chunks = [(["bob", "ann"], [10, 30], None), (["bob"], [30], [2.0])]
    mapped = MappedInteractions.write(tmp_path / "data", chunks, users, items)
    plain = Interactions.from_coo(["bob", "ann", "bob"], [10, 30, 30], [1, 1, 2])
    assert mapped.matrix.row(1)[0].tolist() == plain.matrix.row(1)[0].tolist() == [0, 1]
    assert mapped.users is users
    assert MappedInteractions.open(tmp_path / "data", users, items).items is items
    assert MappedInteractions.open(tmp_path / "data").users.kind == "range"


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([], "chunks: expected at least one, got none"),
        ([([0], [5], None)], r"items: expected indices in \[0, 5\), got 5 to 5"),
        ([([0, 1], [1], None)], "chunks: expected equal lengths, got 2, 1 and 2"),
        ([([0], [1], [np.nan])], "values: expected finite values, got"),
        ([([0], [1], [1e300])], "values: expected finite values, got inf"),
    ],
)
def test_bad_chunks_leave_nothing_behind(tmp_path: Path, chunks: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        MappedInteractions.write(tmp_path / "data", chunks, 3, 5)
    assert not list(tmp_path.iterdir())


def test_unknown_ids_are_counted(tmp_path: Path) -> None:
    users = IdMap.build(["ann", "bob"])[0]
    with pytest.raises(InvalidArgumentError, match="users: expected ids of the map, got 1 of 2 others"):
        MappedInteractions.write(tmp_path / "data", [(["ann", "eve"], [0, 1], None)], users, 2)


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    MappedInteractions.write(tmp_path / "data", [([0], [0], None)], 1, 1)
    with pytest.raises(InvalidArgumentError, match=r"folder: .*data is there already; choose another name"):
        MappedInteractions.write(tmp_path / "data", [([0], [0], None)], 1, 1)


def test_damage_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is nothing here"):
        MappedInteractions.open(tmp_path / "absent")
    folder = tmp_path / "data"
    MappedInteractions.write(folder, [([0, 1], [0, 1], None)], 2, 2)
    values = folder / "items_values.npy"
    content = values.read_bytes()
    values.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    MappedInteractions.open(folder)
    with pytest.raises(CorruptError, match=r"items_values\.npy: damaged"):
        MappedInteractions.open(folder, verify=True)
    values.write_bytes(content[:-4])
    with pytest.raises(CorruptError, match=r"items_values\.npy: expected \d+ bytes, got \d+"):
        MappedInteractions.open(folder)
