"""Ways to change the bytes of a file."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def damage(file: Path) -> None:
    """Turn one bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def mutations(data: bytes, seed: str) -> Iterator[bytes]:
    """Bits turned, bytes cut, put in and doubled."""
    rng = random.Random(seed)
    for position in (0, len(data) - 1, *(rng.randrange(len(data)) for _ in range(60))):
        flipped = bytearray(data)
        flipped[position] ^= 1 << rng.randrange(8)
        yield bytes(flipped)
    for size in (0, 1, len(data) - 1, *(rng.randrange(len(data)) for _ in range(6))):
        yield data[:size]
    at = rng.randrange(len(data))
    yield data[:at] + rng.randbytes(5) + data[at:]
    yield rng.randbytes(len(data))
    yield b"\0" + data
