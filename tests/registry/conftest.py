from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.service.small_index import small_index

from recocore import Index
from recocore.models import ItemKNN, Popularity
from recocore.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

MODELS: list[Any] = [Popularity(), ItemKNN(k=5), ItemKNN(k=5, shrinkage=3), ItemKNN(k=4)]


@pytest.fixture(scope="session")
def indexes() -> list[Index]:
    """Four indexes in memory, each built a day after the one before."""
    return [
        Index(replace(small_index(model)._data, created=datetime(2026, 1, day, tzinfo=UTC)))
        for day, model in enumerate(MODELS, 1)
    ]


@pytest.fixture(scope="session")
def saved(indexes: list[Index], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same as folders, which tests leave as they are."""
    root = tmp_path_factory.mktemp("saved")
    for number, index in enumerate(indexes):
        index.save(root / str(number))
    return [root / str(number) for number in range(len(indexes))]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry that is not there yet."""
    return Registry(tmp_path / "models", who="ann")


@pytest.fixture(scope="session")
def template(saved: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A registry with the four indexes, which tests leave as it is."""
    made = Registry(tmp_path_factory.mktemp("template") / "models")
    for folder in saved:
        made.publish(folder)
    return made


@pytest.fixture
def versions(registry: Registry, template: Registry) -> list[str]:
    """The versions of the four indexes, published, oldest first; no alias is set."""
    shutil.copytree(template.path, registry.path)
    return [info.version for info in reversed(template.list())]
