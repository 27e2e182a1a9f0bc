"""The versions that one process has loaded, and the aliases and variants that lead to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recocore.service.hosting.experiment import Split
from recocore.service.hosting.host import Hosted, not_loaded, unknown_alias, unknown_variant

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from recocore.service.engine import Engine
    from recocore.service.hosting.choice import ModelChoice
    from recocore.service.hosting.config import ExperimentConfig
    from recocore.service.hosting.shadow import Shadow


@dataclass(frozen=True, slots=True)
class _Routes:
    """Everything that `pick` looks at; replaced whole, so that a call sees all of a change or nothing of it."""

    generation: int = 0
    aliases: Mapping[str, Hosted] = field(default_factory=dict)
    versions: Mapping[str, Hosted] = field(default_factory=dict)
    variants: Mapping[str, Hosted] = field(default_factory=dict)


class RegistryModels:
    """Several versions at once. Told what to hold by one thread; picked from by any.

    Args:
        alias: whom everybody is served from who names no model.
        experiment: who is served from another alias instead.
        shadow: what ranks along; None for nothing.
    """

    def __init__(self, alias: str, experiment: ExperimentConfig, shadow: Shadow | None = None) -> None:
        self._alias = alias
        self._experiment = experiment
        self._split = Split(experiment) if experiment.variants else None
        self._shadow = shadow
        self._engines: dict[str, Engine] = {}
        self._routes = _Routes()

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that are held, routed or not."""
        return tuple(self._engines)

    @property
    def generation(self) -> int:
        """How often routes were changed."""
        return self._routes.generation

    def hold(self, version: str, engine: Engine) -> None:
        """Keep a version that is warm, for `route` to lead to."""
        self._engines[version] = engine

    def route(self, aliases: Mapping[str, str], kept: Collection[str]) -> list[Engine]:
        """Lead each alias to its version from the next call on, in one step, and let go of versions that are not needed.

        Args:
            aliases: the version of each; all of them are held.
            kept: versions that stay for callers that name them.

        Returns:
            What was let go of. Its memory is unmapped where the last of it is dropped, which takes a while.
        """
        needed = {*aliases.values(), *kept}
        dropped = [engine for version, engine in self._engines.items() if version not in needed]
        self._engines = {version: engine for version, engine in self._engines.items() if version in needed}
        by_alias = {name: Hosted(self._engines[version], version, name) for name, version in aliases.items()}
        self._routes = _Routes(
            generation=self._routes.generation + 1,
            aliases=by_alias,
            versions={version: Hosted(engine, version) for version, engine in self._engines.items()},
            variants={
                name: Hosted(
                    by_alias[arm.alias].engine, by_alias[arm.alias].version, arm.alias, self._experiment.id, name
                )
                for name, arm in self._experiment.variants.items()
                if arm.alias in by_alias
            },
        )
        return dropped

    def pick(self, choice: ModelChoice, user_id: str | None) -> Hosted:
        """What answers: see `Models.pick`. A user whose variant has no model is served from the default alias."""
        routes = self._routes
        if choice.version:
            hosted = routes.versions.get(choice.version)
            if hosted is None:
                raise not_loaded(choice.version)
            return hosted
        if choice.variant:
            hosted = routes.variants.get(choice.variant)
            if hosted is None:
                raise unknown_variant(choice.variant, tuple(routes.variants))
            return hosted
        if not choice.alias and self._split is not None and user_id is not None:
            hosted = routes.variants.get(self._split.variant_of(user_id))
            if hosted is not None:
                return hosted
        alias = choice.alias or self._alias
        hosted = routes.aliases.get(alias)
        if hosted is None:
            raise unknown_alias(alias, sorted(routes.aliases))
        return hosted

    @property
    def shadows(self) -> bool:
        """Whether there is a shadow."""
        return self._shadow is not None

    def shadow(self, hosted: Hosted, query: Any) -> None:
        """Hand a share of the calls to the shadow, if there is one and its alias has another model."""
        if self._shadow is None:
            return
        other = self._routes.aliases.get(self._shadow.alias)
        if other is not None and other.version != hosted.version:
            self._shadow.offer(hosted, other, query)
