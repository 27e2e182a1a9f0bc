"""An array file that grows at its end, so that the array need not fit into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from recocore.storage.array_file import write_header

if TYPE_CHECKING:
    import io
    from pathlib import Path

    from recocore.types import AnyArray


class GrowingArray:
    """Writes a one-dimensional array piece by piece; a context manager.

    Args:
        path: the file, which must not be there.
        dtype: of the elements.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "counts.npy"
        >>> with GrowingArray(path, np.int32) as array:
        ...     array.append(np.array([1, 2], np.int32))
        ...     array.append(np.array([3], np.int32))
        >>> np.load(path).tolist()
        [1, 2, 3]
    """

    def __init__(self, path: Path, dtype: Any) -> None:
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._sink: io.FileIO = path.open("xb", buffering=0)
        self._length = 0
        self._offset = write_header(self._sink, self._dtype, (0,))

    def append(self, piece: AnyArray) -> None:
        """Add elements at the end."""
        data = np.ascontiguousarray(piece, self._dtype)
        left = data.data.cast("B") if data.size else memoryview(b"")
        while left:  # one call writes 2 GiB at most
            left = left[self._sink.write(left) :]
        self._length += data.size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._sink:
            self._sink.seek(0)
            # NumPy leaves room in a header for any length.
            assert write_header(self._sink, self._dtype, (self._length,)) == self._offset
