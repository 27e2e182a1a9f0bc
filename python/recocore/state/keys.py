"""The master keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import os


class KeyFile:
    """The master keys in a file of mode 0600."""

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, create: bool = False) -> Self:
        """Read the keys; `create` makes a file with a new key where there is none."""
        raise NotImplementedError
