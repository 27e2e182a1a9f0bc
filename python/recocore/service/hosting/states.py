"""How a version of the registry is, and how an alias: what ModelService tells and what processes tell each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class ModelState(StrEnum):
    """Where a version is on its way; the protos say what each means."""

    LOADING = "loading"
    WARMING = "warming"
    READY = "ready"
    DRAINING = "draining"
    UNLOADED = "unloaded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a version could not be loaded.

    Attributes:
        status: name of a gRPC status code.
        message: what is wrong.
    """

    status: str
    message: str


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A version.

    Attributes:
        version: twelve hexadecimal digits.
        state: of the worker that is furthest behind.
        failure: set in the state FAILED only.
        aliases: that point to it in the registry, in order.
        pinned: whether it stays loaded without an alias.
        algorithm: the name of the model's class; empty where the manifest does not read.
        created: when the index was built, seconds since 1970; None where the manifest does not read.
        counts: users, items and interactions.
        bytes: of its files.
        metrics: measured quality by name.
        load_seconds: how long the last loading took; None before.
    """

    version: str
    state: ModelState
    failure: Failure | None = None
    aliases: tuple[str, ...] = ()
    pinned: bool = False
    algorithm: str = ""
    created: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    bytes: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    load_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class AliasInfo:
    """An alias.

    Attributes:
        name: the alias.
        version: what it points to in the registry.
        generation: changes with every move.
        served_version: what the workers answer from under this name; empty where they have nothing yet.
    """

    name: str
    version: str
    generation: int
    served_version: str = ""


class ModelControl(Protocol):
    """Acts on the models of the whole service."""

    async def list(self) -> tuple[tuple[ModelInfo, ...], tuple[AliasInfo, ...]]:
        """Every version in the registry, the newest first, and every alias by name."""
        ...

    async def get(self, name: str) -> ModelInfo:
        """A version, or the one that an alias points to; raises NotFoundError."""
        ...

    async def load(self, version: str) -> ModelInfo:
        """Have every worker hold a version; raises NotFoundError or ModelFailedError."""
        ...

    async def unload(self, version: str) -> ModelInfo:
        """Let go of a version; raises NotFoundError, or InUseError where an alias points to it."""
        ...

    async def set_alias(self, alias: str, version: str, expected: int | None) -> AliasInfo:
        """Load, then move an alias; raises NotFoundError, ModelFailedError or ConflictError."""
        ...

    async def rollback(self, alias: str, expected: int | None) -> AliasInfo:
        """Load, then move an alias back; raises as `set_alias`."""
        ...

    async def remove_alias(self, alias: str, expected: int | None) -> None:
        """Remove an alias; raises NotFoundError, ConflictError, or InUseError for the default one."""
        ...
