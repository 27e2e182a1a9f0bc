"""Restoring a backup."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os


def restore(backup: str | os.PathLike[str], dest: str | os.PathLike[str]) -> None:
    """Restore a backup of a state or of a registry to `dest`, which must not be there."""
    raise NotImplementedError
