"""A store on an empty folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recocore.state import StateStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "state"


@pytest.fixture
def store(path: Path) -> Iterator[StateStore]:
    """An empty store."""
    with StateStore.open(path) as opened:
        yield opened
