"""What a manifest says of one file beside it."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from recocore.errors import CorruptError
from recocore.storage.document import count, take

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What the manifest says of one file.

    Attributes:
        size: bytes.
        sha256: hexadecimal digest of the bytes.
        dtype: NumPy's name of the array's type, such as `<f4`; for an id map its kind.
        shape: of the array; `[n]` for an id map.
    """

    size: int
    sha256: str
    dtype: str
    shape: tuple[int, ...]

    @classmethod
    def from_json(cls, name: str, entry: Any) -> Self:
        """The entry of file `name` out of a manifest.

        Raises:
            CorruptError: it is none.
        """
        if not isinstance(entry, dict):
            raise CorruptError(f"files: {name}: expected an object, got {type(entry).__name__}")
        shape = take(entry, "shape", list)
        if not all(type(n) is int and 0 <= n < 2**63 for n in shape):
            raise CorruptError(f"files: {name}: shape: expected whole numbers of at least 0, got {shape!r:.60}")
        return cls(count(entry, "size"), take(entry, "sha256", str), take(entry, "dtype", str), tuple(shape))

    def check(self, source: IO[bytes], *, verify: bool) -> None:
        """See that an open file has this size and, if `verify`, this digest; leaves it at its beginning.

        Raises:
            CorruptError: it has another.
        """
        size = source.seek(0, io.SEEK_END)
        if size != self.size:
            raise CorruptError(f"expected {self.size} bytes, got {size}")
        source.seek(0)
        if verify:
            digest = hashlib.file_digest(source, "sha256").hexdigest()  # type: ignore[arg-type]
            if digest != self.sha256:
                raise CorruptError(f"damaged: expected SHA-256 {self.sha256:.12}…, got {digest:.12}…")
            source.seek(0)
