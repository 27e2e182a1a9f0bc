"""A registry of small models for the tests of a service that follows one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.registry.damages import damage
from tests.service.small_index import small_index

from recocore.models import ItemKNN, Popularity
from recocore.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path


def made_registry(path: Path) -> tuple[Registry, list[str]]:
    """A registry of three versions, whose stable alias points to the first."""
    registry = Registry(path, who="ann")
    models = (Popularity(), ItemKNN(k=5), ItemKNN(k=5, shrinkage=3))
    versions = [registry.publish(small_index(model)).version for model in models]
    registry.set_alias("stable", versions[0])
    return registry, versions


def damage_version(registry: Registry, version: str) -> None:
    """Turn one bit of a version's matrix."""
    damage(registry.path / "versions" / version / "interactions.values.npy")
