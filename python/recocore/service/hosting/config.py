"""The settings of models, experiments and shadow scoring: sections of the configuration."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recocore.errors import InvalidArgumentError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ALIAS = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
# Shares are written as decimals, whose sum is off by a few units in the last place.
_SHARES_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class ModelsConfig:
    """Where the models come from and how they come and go: section `[models]`.

    Attributes:
        registry: the registry folder that is followed; empty where a fixed index is served.
        alias: whom everybody is served from who names no model.
        keep_seconds: how long a version that its last alias has left stays loaded, for page tokens and requests that name it.
        poll_seconds: between two looks at the registry.
        warm_up: how many of the most active users, and of the most popular items, a version answers for before it serves.
        recorded: a file of requests to replay as well, a line of JSON each:
            `{"method": "Recommend", "request": {"user_id": "ann"}}`; empty for none.
        control: whether ModelService is served, which loads versions and moves aliases; beyond loopback it needs
            `auth.enabled`.

    Raises:
        InvalidArgumentError: a setting is out of range; `field` names it as section and key.
    """

    registry: str = ""
    alias: str = "stable"
    keep_seconds: float = 600.0
    poll_seconds: float = 1.0
    warm_up: int = 2
    recorded: str = ""
    control: bool = False

    def __post_init__(self) -> None:
        if not _ALIAS.fullmatch(self.alias):
            raise _refuse("models.alias", "1 to 64 of a-z, 0-9, - and _", self.alias)
        _in_range("models.keep_seconds", self.keep_seconds, 0, 7 * 86_400)
        _in_range("models.poll_seconds", self.poll_seconds, 0.01, 3_600)
        _in_range("models.warm_up", self.warm_up, 0, 10_000)


@dataclass(frozen=True, slots=True)
class Variant:
    """One arm of an experiment.

    Attributes:
        alias: the model that its users are served from.
        share: of the users, above 0 and up to 1.
    """

    alias: str
    share: float


@dataclass(frozen=True, slots=True)
class ExperimentConfig:
    """Users split between aliases: section `[experiment]`.

    A user's place in [0, 1) is fixed by the salt; the variants take pieces of it in the order in which they stand. So a change
    of shares moves only the users between the borders that moved. With two variants, and with three whose middle one gives or
    takes (the control), that is as few as can be.

    Attributes:
        id: names the experiment in answers and attribution tokens; empty for none.
        salt: mixed into the hash; another salt draws all users anew.
        variants: by name, each with alias and share (a mapping such as TOML gives is taken too); the shares sum to 1.

    Raises:
        InvalidArgumentError: a setting is out of range; `field` names it as section and key.
    """

    id: str = ""
    salt: str = ""
    variants: Mapping[str, Variant] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "variants", {name: _variant(name, value) for name, value in self.variants.items()})
        if not self.id and not self.variants:
            return
        if not _NAME.fullmatch(self.id):
            raise _refuse("experiment.id", "1 to 64 of A-Z, a-z, 0-9, ., - and _", self.id)
        if not self.variants:
            raise _refuse("experiment.variants", "at least one variant with alias and share", {})
        total = math.fsum(variant.share for variant in self.variants.values())
        if abs(total - 1) > _SHARES_TOLERANCE:
            raise _refuse("experiment.variants", "shares that sum to 1", total)


@dataclass(frozen=True, slots=True)
class ShadowConfig:
    """A model that ranks along without answering: section `[shadow]`.

    Attributes:
        alias: the model; empty for none.
        share: of the calls, from 0 to 1.
        queue: calls that may wait; more are dropped.

    Raises:
        InvalidArgumentError: a setting is out of range; `field` names it as section and key.
    """

    alias: str = ""
    share: float = 0.1
    queue: int = 64

    def __post_init__(self) -> None:
        if self.alias and not _ALIAS.fullmatch(self.alias):
            raise _refuse("shadow.alias", "1 to 64 of a-z, 0-9, - and _", self.alias)
        _in_range("shadow.share", self.share, 0, 1)
        _in_range("shadow.queue", self.queue, 1, 100_000)


def _variant(name: str, value: Any) -> Variant:
    if not _NAME.fullmatch(name):
        raise _refuse("experiment.variants", "names of 1 to 64 of A-Z, a-z, 0-9, ., - and _", name)
    where = f"experiment.variants.{name}"
    if isinstance(value, Mapping):
        if value.keys() != {"alias", "share"}:
            raise _refuse(where, "alias and share", sorted(value))
        value = Variant(value["alias"], value["share"])
    if not isinstance(value, Variant):
        raise _refuse(where, "alias and share", value)
    alias: Any = value.alias  # types are the file's, not yet ours
    share: Any = value.share
    if not isinstance(alias, str) or not _ALIAS.fullmatch(alias):
        raise _refuse(f"{where}.alias", "1 to 64 of a-z, 0-9, - and _", alias)
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share <= 1:
        raise _refuse(f"{where}.share", "a share above 0 and up to 1", share)
    return value


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise _refuse(name, f"{low} to {high}", value)


def _refuse(name: str, expected: str, got: object) -> InvalidArgumentError:
    return InvalidArgumentError(f"{name}: expected {expected}, got {got!r:.80}", field=name)
