"""Where versions come from: a registry folder that is followed, or the folder of one index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from recocore.errors import NotFoundError, UnsupportedError
from recocore.index import Index
from recocore.index.loading import read_manifest
from recocore.registry import Registry
from recocore.registry.journal import earlier_versions
from recocore.service.hosting.states import AliasInfo, ModelInfo, ModelState

if TYPE_CHECKING:
    from pathlib import Path

    from recocore.registry import VersionInfo


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a source says at one moment.

    Attributes:
        token: changes when anything else does.
        aliases: by name; `served_version` is empty.
    """

    token: str
    aliases: dict[str, AliasInfo]


class Source(Protocol):
    """Versions and aliases on disk. Every method may take as long as the disk does; call them off the event loop."""

    def snapshot(self) -> Snapshot:
        """The aliases as they are; raises NotFoundError or CorruptError."""
        ...

    def token(self) -> str:
        """The token that `snapshot` would have; cheap."""
        ...

    def locate(self, version: str) -> Path:
        """The folder of a version, unread; raises NotFoundError."""
        ...

    def verify(self, version: str) -> Path:
        """Read a version through: its folder. Raises NotFoundError or CorruptError."""
        ...

    def models(self) -> list[ModelInfo]:
        """Every version, the newest first, as unloaded."""
        ...

    def get(self, name: str) -> ModelInfo:
        """A version, or the one that an alias points to, as unloaded; raises NotFoundError."""
        ...

    def earlier(self, alias: str) -> str:
        """What rolling an alias back leads to; raises NotFoundError."""
        ...

    def set_alias(self, alias: str, version: str, expected: int | None) -> None:
        """Move an alias; raises as `Registry.set_alias`."""
        ...

    def rollback(self, alias: str, expected: int | None) -> None:
        """Move an alias back; raises as `Registry.rollback`."""
        ...

    def remove_alias(self, alias: str, expected: int | None) -> None:
        """Remove an alias; raises as `Registry.remove_alias`."""
        ...


class RegistrySource:
    """A registry folder.

    Args:
        path: it.
    """

    def __init__(self, path: str) -> None:
        self._registry = Registry(path)

    def snapshot(self) -> Snapshot:
        """The aliases. The token is read first: a change in between shows as one more change, never as none."""
        token = self._registry.watch_token()
        aliases = self._registry.aliases().values()
        return Snapshot(token, {one.name: AliasInfo(one.name, one.version, one.generation) for one in aliases})

    def token(self) -> str:
        """The registry's watch token."""
        return self._registry.watch_token()

    def locate(self, version: str) -> Path:
        """The folder of a version."""
        return self._registry.get(version).path

    def verify(self, version: str) -> Path:
        """Read a version through."""
        path = self.locate(version)
        self._registry.load(version, verify=True)
        return path

    def models(self) -> list[ModelInfo]:
        """Every version by its manifest."""
        return [_describe(info) for info in self._registry.list()]

    def get(self, name: str) -> ModelInfo:
        """One version by its manifest."""
        return _describe(self._registry.get(name))

    def earlier(self, alias: str) -> str:
        """The version that the registry would roll back to."""
        earlier = earlier_versions(self._registry.history(alias), alias)
        if not earlier:
            raise NotFoundError(
                f"alias: {alias} has pointed to no earlier version; set it to one that the registry lists"
            )
        return earlier[-1]

    def set_alias(self, alias: str, version: str, expected: int | None) -> None:
        """Move an alias."""
        self._registry.set_alias(alias, version, expected=expected)

    def rollback(self, alias: str, expected: int | None) -> None:
        """Move an alias back."""
        self._registry.rollback(alias, expected=expected)

    def remove_alias(self, alias: str, expected: int | None) -> None:
        """Remove an alias."""
        self._registry.remove_alias(alias, expected=expected)


class FixedSource:
    """The folder of one index, under one alias that never moves.

    Args:
        path: the folder.
        alias: the alias.
    """

    def __init__(self, path: Path, alias: str) -> None:
        self._path = path
        self._alias = alias

    def snapshot(self) -> Snapshot:
        """The one alias."""
        version = read_manifest(self._path).version
        return Snapshot("", {self._alias: AliasInfo(self._alias, version, 0)})

    def token(self) -> str:
        """Always the same."""
        return ""

    def locate(self, version: str) -> Path:
        """The folder."""
        return self._path

    def verify(self, version: str) -> Path:
        """Read the index through."""
        Index.load(self._path, verify=True)
        return self._path

    def models(self) -> list[ModelInfo]:
        """The one version."""
        manifest = read_manifest(self._path)
        return [
            ModelInfo(
                version=manifest.version,
                state=ModelState.UNLOADED,
                aliases=(self._alias,),
                algorithm=manifest.model,
                created=manifest.created.timestamp(),
                counts=dict(manifest.counts),
                bytes=sum(entry.size for entry in manifest.files.values()),
                metrics=dict(manifest.metrics),
            )
        ]

    def get(self, name: str) -> ModelInfo:
        """The one version."""
        (model,) = self.models()
        if name not in (model.version, self._alias):
            raise NotFoundError(f"name: expected {model.version}, which this service serves, got {name[:64]!r}")
        return model

    def earlier(self, alias: str) -> str:
        """Not of a fixed index."""
        raise _fixed()

    def set_alias(self, alias: str, version: str, expected: int | None) -> None:
        """Not of a fixed index."""
        raise _fixed()

    def rollback(self, alias: str, expected: int | None) -> None:
        """Not of a fixed index."""
        raise _fixed()

    def remove_alias(self, alias: str, expected: int | None) -> None:
        """Not of a fixed index."""
        raise _fixed()


def _fixed() -> UnsupportedError:
    return UnsupportedError("this service has one fixed index; serve a registry to move aliases")


def _describe(info: VersionInfo) -> ModelInfo:
    return ModelInfo(
        version=info.version,
        state=ModelState.UNLOADED,
        aliases=info.aliases,
        algorithm=info.model,
        created=info.created.timestamp() if info.created else None,
        counts=dict(info.counts),
        bytes=info.bytes,
        metrics=dict(info.metrics),
    )
