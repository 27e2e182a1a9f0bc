from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.service.small_index import small_index
from tests.service.watched import WatchedProcess

from recocore.models import ItemKNN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small index."""
    path = tmp_path_factory.mktemp("saved") / "index"
    small_index(ItemKNN(k=10)).save(path)
    return path


@pytest.fixture(scope="session")
def watched(saved: Path) -> Iterator[WatchedProcess]:
    """One watched server of two workers for every test that leaves it as it is."""
    with WatchedProcess.watch(saved, workers=2) as server:
        yield server
