"""What profiles of a service are made by, read from the files that the settings name."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.profiles.config import ProfileConfig
from recocore.profiles.row_features import feature_kinds
from recocore.profiles.segment_popular import SegmentPopular
from recocore.profiles.table import ProfileTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.expressions import Kind
    from recocore.profiles.lifetime import LifetimeModels
    from recocore.profiles.segments import Segmentation, SegmentRule
    from recocore.profiles.tags import TagSet
    from recocore.service.profiles.config import ProfilesConfig

_RULE_KEYS = {"name", "when", "about"}


@dataclass(frozen=True, slots=True, eq=False)
class Definitions:
    """What a profile says beside its features.

    Attributes:
        config: of the features.
        tags: rules by which users get tags; None for none.
        segmentation: groups of users who are alike; None for none.
        models: by which it is said whether users are still customers, and what is expected of them; None for none.
        rules: groups of users of whom a rule holds.
        popular: segment → items, the most popular first; empty where nothing says so.
    """

    config: ProfileConfig
    tags: TagSet | None = None
    segmentation: Segmentation | None = None
    models: LifetimeModels | None = None
    rules: tuple[SegmentRule, ...] = ()
    popular: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def load(cls, config: ProfilesConfig) -> Self:
        """Read them.

        Raises:
            NotFoundError: a file is not there.
            CorruptError: a file is damaged.
            InvalidArgumentError: a rule is wrong, or reads a feature that there is not.
        """
        made_by = ProfileConfig()
        if config.population:
            table = ProfileTable.load(config.population)
            made_by = table.config.with_cuts(table.cuts)
        kinds = feature_kinds(made_by)
        tags = segmentation = models = None
        # Their libraries are for those who have such files.
        if config.models:
            from recocore.profiles.lifetime import LIFETIME_FEATURES, LifetimeModels  # noqa: PLC0415

            try:
                models = LifetimeModels.load(config.models)
            except FileNotFoundError as error:
                raise NotFoundError(
                    f"{config.models}: expected purchase models, and {error.filename} is not there; make them with "
                    "`recocore profiles build --models`, see profiles.models"
                ) from None
            kinds = {**kinds, **dict.fromkeys(LIFETIME_FEATURES, "number")}
        if config.tags:
            from recocore.profiles.tags import TagSet  # noqa: PLC0415

            tags = TagSet.read(config.tags, kinds)
        if config.segments:
            from recocore.profiles.segments import Segmentation  # noqa: PLC0415

            try:
                segmentation = Segmentation.load(config.segments)
            except FileNotFoundError:
                raise NotFoundError(f"{config.segments}: there is no such file; see profiles.segments") from None
            if unknown := sorted(set(segmentation.scale.features) - set(kinds)):
                raise InvalidArgumentError(
                    f"{config.segments}: these profiles have no {', '.join(unknown)}; segment by other features",
                    field="profiles.segments",
                )
        popular: Mapping[str, tuple[str, ...]] = {}
        if config.segment_popular:
            try:
                popular = SegmentPopular.load(config.segment_popular).items
            except FileNotFoundError:
                raise NotFoundError(
                    f"{config.segment_popular}: there is no such file; see profiles.segment_popular"
                ) from None
        return cls(made_by, tags, segmentation, models, _rules(config.segment_rules, kinds), popular)


def _rules(path: str, kinds: Mapping[str, Kind]) -> tuple[SegmentRule, ...]:
    if not path:
        return ()
    from recocore.profiles.segments import SegmentRule  # noqa: PLC0415

    try:
        tables: dict[str, Any] = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"{path}: there is no such file; see profiles.segment_rules") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refused(path, f"expected TOML: {error}") from None
    listed = tables.pop("segments", [])
    if tables or not isinstance(listed, list):
        raise _refused(path, "expected a list of [[segments]] and nothing else")
    rules = []
    for place, given in enumerate(listed):
        if not isinstance(given, dict) or not {"name", "when"} <= given.keys() <= _RULE_KEYS:
            raise _refused(path, f"segments[{place}]: expected name, when and perhaps about")
        if not all(isinstance(value, str) for value in given.values()):
            raise _refused(path, f"segments[{place}]: expected texts")
        try:
            rules.append(SegmentRule.parse(given["name"], given["when"], kinds, given.get("about", "")))
        except InvalidArgumentError as error:
            raise _refused(path, f"segments[{place}]: {error}") from None
    if len({rule.name for rule in rules}) < len(rules):
        raise _refused(path, "expected each name once")
    return tuple(rules)


def _refused(path: str, what: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{path}: {what}", field="profiles.segment_rules")
