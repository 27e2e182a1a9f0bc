"""Reading an LMDB file with a strict reader before liblmdb follows its pointers: a damaged one is refused, not crashed on.

liblmdb trusts its file. This walk trusts nothing: every page that the newest meta page leads to is in the file, of the right
kind, and once; every node lies in its page; the free pages are none of those. It visits a level of the tree at a time, in
arrays. The layout is that of `mdb.c` (LMDB 0.9, data version 1), of a table with one unnamed database.

What the tree says is summed up as the owner sums it up while it writes (`entry_sum`), which tells of keys and values that are
changed, lost or from another time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.errors import CorruptError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_META = struct.Struct("<IIQQ")
_DB = struct.Struct("<IHHQQQQQ")
_END = struct.Struct("<QQ")
_MAGIC, _VERSION = 0xBEEFC0DE, 1
_HEADER, _NODE = 16, 8
_BRANCH, _LEAF, _OVERFLOW, _META_PAGE = 1, 2, 4, 8
# Marks of pages in memory, which mean nothing in a file.
_PASSING = 0x8000 | 0x4000 | 0x10
_BIG = 1
_NO_PAGE = 2**64 - 1
_MOST_LEVELS = 32
_MASK = 2**64 - 1
_PRIMES = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)

_Numbers = Any  # arrays of u16, i64 or u64, one-dimensional


@dataclass(frozen=True, slots=True)
class Tree:
    """What a sound table holds: entries with a key of 16 bytes, and the sum of their `entry_sum`."""

    entries: int
    total: int


def check_table(path: Path) -> Tree:
    """Walk an LMDB file that nobody writes. O(pages + entries).

    Raises:
        CorruptError: liblmdb might read outside of it, or loop, or overwrite what is in use.
    """
    size = path.stat().st_size
    if size < 2 * 4096:
        raise CorruptError(f"{path}: {size} bytes are no table")
    try:
        return _Walk(np.memmap(path, np.uint8, "r", shape=(size & ~4095,))).tree()
    except CorruptError as error:
        raise CorruptError(f"{path}: {error}") from None


class _Walk:
    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data = data
        metas = [self._meta(0, 4096)]
        self._page = metas[0][2][0][0]
        _expect(self._page in (4096, 8192, 16384, 32768, 65536) and len(data) >= 2 * self._page, "page size")
        metas.append(self._meta(1, self._page))
        self._meta_page = max(metas, key=lambda meta: meta[4])
        self._count = len(data) // self._page
        self._data = data[: self._count * self._page]
        self._words = self._data.view("<u2")
        self._used = np.zeros(self._count, bool)
        self._used[:2] = True

    def _meta(self, number: int, page: int) -> tuple[int, int, tuple[tuple[int, ...], ...], int, int]:
        start = number * page
        _expect(len(self._data) >= start + 256, "meta page")
        head = self._data[start : start + 256].tobytes()
        magic, version, _, _ = _META.unpack_from(head, _HEADER)
        kind = int.from_bytes(head[10:12], "little") & ~_PASSING
        _expect((magic, version, kind) == (_MAGIC, _VERSION, _META_PAGE), f"meta page {number}")
        at = _HEADER + _META.size
        databases = tuple(_DB.unpack_from(head, at + i * _DB.size) for i in range(2))
        last, transaction = _END.unpack_from(head, at + 2 * _DB.size)
        return magic, version, databases, last, transaction

    def tree(self) -> Tree:
        _, _, (free, main), last, _ = self._meta_page
        # The last pages that a transaction took and gave back are never written.
        _expect(last < self._count + 2**16, "last page")
        entries, total = 0, 0
        # pad, flags, depth, branch pages, leaf pages, overflow pages, entries, root
        _expect(main[1] & ~0x8000 == 0 and free[1] & ~0x8000 == 0x08, "kind of database")
        count = 0
        for nodes in self._leaves(main[7], main[2]):
            count += len(nodes.at)
            ours = nodes.key_size == 16
            _expect(
                bool(((nodes.key_size == 4) | ours).all()) and bool((nodes.value_size[ours] >= 20).all()),
                "key or value size",
            )
            entries += int(ours.sum())
            total += self._sum(nodes, ours)
        _expect(count == main[6], "number of entries")
        spare: list[NDArray[np.int64]] = []
        count = 0
        for nodes in self._leaves(free[7], free[2]):
            count += len(nodes.at)
            for at, room in zip(nodes.value.tolist(), nodes.value_size.tolist(), strict=True):
                _expect(room >= 8 and room % 8 == 0, "list of free pages")
                numbers = np.frombuffer(self._data[at : at + room].tobytes(), "<u8")
                _expect(int(numbers[0]) <= len(numbers) - 1, "list of free pages")
                spare.append(numbers[1 : 1 + int(numbers[0])].astype(np.int64))
        _expect(count == free[6], "number of free lists")
        if spare:
            pages = np.concatenate(spare)
            _expect(bool(((pages >= 2) & (pages <= last)).all()), "free page")
            inside = pages[pages < self._count]
            _expect(not self._used[inside].any() and len(np.unique(pages)) == len(pages), "free page in use")
        return Tree(entries, total & _MASK)

    def _leaves(self, root: int, depth: int) -> Any:
        if root == _NO_PAGE:
            _expect(depth == 0, "depth")
            return
        _expect(0 < depth <= _MOST_LEVELS, "depth")
        level = np.array([root & (2**63 - 1)], np.int64)
        for above in range(depth - 1):
            level = np.concatenate([self._children(part) for part in _parts(level)])
            _expect(above < _MOST_LEVELS and len(level) <= self._count, "tree")
        for part in _parts(level):
            yield self._leaf_nodes(part)

    def _take(self, pages: _Numbers, kind: int) -> None:
        """Note that pages are in use, of which each is there, once, and of a kind."""
        _expect(bool(((pages >= 2) & (pages < self._count)).all()), "page number")
        _expect(not self._used[pages].any() and len(np.unique(pages)) == len(pages), "page in use twice")
        self._used[pages] = True
        at = pages * (self._page // 2)
        _expect(bool(((self._words[at + 5] & (0xFFFF ^ _PASSING)) == kind).all()), "kind of page")
        number = self._data.view("<u8")[pages * (self._page // 8)]
        _expect(bool((number == pages.astype(np.uint64)).all()), "page's own number")

    def _nodes(self, pages: _Numbers) -> tuple[_Numbers, _Numbers]:
        """Where each node of the pages begins, in 16-bit words, and how many bytes there are from there to its page's end."""
        start = pages * (self._page // 2)
        lower, upper = self._words[start + 6].astype(np.int64), self._words[start + 7].astype(np.int64)
        count = (lower - _HEADER) >> 1
        sound = (lower % 2 == 0) & (lower > _HEADER) & (lower <= upper) & (upper <= self._page)
        _expect(bool(sound.all()), "bounds of a page")
        columns = np.arange(int(count.max()))
        inside = columns < count[:, None]
        pointer = self._words[np.where(inside, start[:, None] + _HEADER // 2 + columns, 0)][inside].astype(np.int64)
        _expect(
            bool(((pointer >= np.repeat(upper, count)) & (pointer % 2 == 0) & (pointer + _NODE <= self._page)).all()),
            "pointer",
        )
        return np.repeat(start, count) + (pointer >> 1), self._page - pointer

    def _children(self, pages: _Numbers) -> _Numbers:
        self._take(pages, _BRANCH)
        at, room = self._nodes(pages)
        low, high, top, key = (self._words[at + i].astype(np.int64) for i in range(4))
        _expect(bool((_NODE + key <= room).all()), "key")
        return low | high << 16 | top << 32

    def _leaf_nodes(self, pages: _Numbers) -> _Leaves:
        self._take(pages, _LEAF)
        at, room = self._nodes(pages)
        low, high, flags, key = (self._words[at + i].astype(np.int64) for i in range(4))
        size, big = low | high << 16, flags == _BIG
        _expect(
            bool(((flags == 0) | big).all()) and bool((_NODE + key + np.where(big, 8, size) <= room).all()), "value"
        )
        value = at * 2 + _NODE + key
        if big.any():
            pointers = self._data[value[big][:, None] + np.arange(8)].copy().view("<u8")[:, 0]
            _expect(bool((pointers < self._count).all()), "page number")
            first = pointers.astype(np.int64)
            self._take(first, _OVERFLOW)
            words = first * (self._page // 2)
            length = self._words[words + 6].astype(np.int64) | self._words[words + 7].astype(np.int64) << 16
            fits = (length >= 1) & (first + length <= self._count) & (_HEADER + size[big] <= length * self._page)
            _expect(bool(fits.all()), "pages of a long value")
            for start, pages_of in zip(first.tolist(), length.tolist(), strict=True):
                _expect(not self._used[start + 1 : start + pages_of].any(), "page in use twice")
                self._used[start + 1 : start + pages_of] = True
            value[big] = first * self._page + _HEADER
        return _Leaves(at, key, value, size)

    def _sum(self, nodes: _Leaves, ours: NDArray[np.bool_]) -> int:
        keys = self._data[(nodes.at[ours] * 2 + _NODE)[:, None] + np.arange(16)].copy().view(">u8").astype(np.uint64)
        tags = (
            self._data[(nodes.value + nodes.value_size)[ours][:, None] + np.arange(-8, 0)]
            .copy()
            .view(">u8")
            .astype(np.uint64)
        )
        first, second, third = (np.uint64(prime) for prime in _PRIMES)
        return int(((keys[:, 0] * first ^ tags[:, 0]) * second + keys[:, 1] * third).sum(dtype=np.uint64))


@dataclass(frozen=True, slots=True)
class _Leaves:
    """Nodes of leaves: where they begin, in 16-bit words; sizes of keys; where values begin, in bytes; sizes of values."""

    at: _Numbers
    key_size: _Numbers
    value: _Numbers
    value_size: _Numbers


def _parts(pages: _Numbers) -> list[_Numbers]:
    """Pieces of which the arrays of each stay below some 10 MB."""
    return [pages[start : start + 4096] for start in range(0, len(pages), 4096)]


def _expect(sound: bool, what: str) -> None:
    if not sound:
        raise CorruptError(f"damaged: {what}")
