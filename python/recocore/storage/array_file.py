"""Arrays as `.npy` files: written plainly, read by a strict reader that maps and never evaluates anything.

NumPy's own reader takes pickles, Python 2 headers and Fortran order, and reads its header with a Python parser.
Nothing here is written so, and this reader takes exactly what its writer writes.
"""

from __future__ import annotations

import io
import math
import re
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from recocore.errors import CorruptError

if TYPE_CHECKING:
    from recocore.storage.file_entry import FileEntry
    from recocore.types import AnyArray

# Every dtype that is stored; little-endian, so that a file means the same everywhere.
DTYPES = ("<f4", "<f8", "<i4", "<i8", "|i1")

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(rb"\{'descr': '(.+)', 'fortran_order': False, 'shape': \((\d*)(?:,|, (\d+))\), \} *\n")
_CHUNK = 1 << 24


def write_array(sink: io.RawIOBase, array: AnyArray) -> None:
    """Write a C-contiguous array of one of `DTYPES`, one- or two-dimensional."""
    write_header(sink, array.dtype, array.shape)
    if array.size:
        data = array.data.cast("B")
        for start in range(0, len(data), _CHUNK):
            sink.write(data[start : start + _CHUNK])


def write_header(sink: io.RawIOBase, dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    """Write what comes before the elements: its length."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype.str, "fortran_order": False, "shape": shape})
    return sink.write(header.getvalue()) or 0


def map_array(source: IO[bytes], entry: FileEntry) -> AnyArray:
    """Map the array in an open file, read-only.

    Raises:
        CorruptError: not an array file, or not the array that the manifest names.
    """
    if entry.dtype not in DTYPES:
        raise CorruptError(f"dtype {entry.dtype!r:.40} is none that is stored: {', '.join(DTYPES)}")
    head = source.read(len(_MAGIC) + 2)
    if head[: len(_MAGIC)] != _MAGIC:
        raise CorruptError("not a version 1.0 .npy file: its first bytes differ")
    header = source.read(int.from_bytes(head[len(_MAGIC) :], "little"))
    match = _HEADER.fullmatch(header)
    if match is None:
        raise CorruptError(f"not the header of a plain array: {header[:80]!r}")
    dtype = match[1].decode("latin1")
    shape = tuple(int(n) for n in match.groups()[1:] if n)
    if (dtype, shape) != (entry.dtype, entry.shape):
        raise CorruptError(f"holds {dtype} {list(shape)}, but the manifest says {entry.dtype} {list(entry.shape)}")
    offset = len(head) + len(header)
    expected = offset + np.dtype(dtype).itemsize * math.prod(shape)
    if entry.size != expected:
        raise CorruptError(f"expected {expected} bytes for {dtype} {list(shape)}, got {entry.size}")
    # As a plain array: to take rows of an np.memmap costs 10 us more, each time.
    return np.memmap(source, dtype=dtype, mode="r", offset=offset, shape=shape).view(np.ndarray)
