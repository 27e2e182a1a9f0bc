"""The tags of one user at a time, for a server: those that `TagSet.apply` gives, with their reasons."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from recocore.expressions import Compiled, Expression, RowError
from recocore.profiles.tags.definitions import spell
from recocore.profiles.tags.tag import Tag
from recocore.profiles.tags.tag_set import Explanation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from recocore.profiles.tags.definitions import TagDefinition
    from recocore.profiles.tags.tag_set import TagSet

    Giver = Callable[[tuple[Any, ...]], object]


class GivenTag(NamedTuple):
    """A tag that a user has, and why."""

    tag: Tag
    why: str


class RowTags:
    """Rules compiled for rows.

    Args:
        tags: the definitions.

    Example:
        >>> from datetime import UTC, datetime
        >>> from recocore.profiles.tags import TagSet
        >>> tags = TagSet.parse({"tags": [{"name": "loyal", "when": "n_orders >= 3"}]}, {"n_orders": "number"})
        >>> [given] = RowTags(tags).of({"n_orders": 4.0}, datetime(2026, 3, 1, tzinfo=UTC))
        >>> given.tag.name, given.why.split(": ")[1]
        ('loyal', 'n_orders >= 3 (4)')
    """

    def __init__(self, tags: TagSet) -> None:
        self._rules = [_Rule(tag) for tag in tags.definitions]

    def of(self, features: Mapping[str, object], at: datetime, withdrawn: Collection[str] = ()) -> list[GivenTag]:
        """The tags of a user in the order of the definitions; none for a purpose that is withdrawn.

        Args:
            features: every feature that a rule reads, None where it is missing: `row_features` of a profile.
            at: the time of the tags.
            withdrawn: purposes that the user no longer allows.
        """
        given = (rule.apply(features, at) for rule in self._rules if rule.tag.purpose not in withdrawn)
        return [one for one in given if one is not None]


class _Rule:
    def __init__(self, tag: TagDefinition) -> None:
        self.tag = tag
        parts = [part for part in (tag.when, tag.value, tag.weight) if isinstance(part, (Expression, Compiled))]
        self._names = tuple(sorted({name for part in parts for name in part.names}))
        self._when, self._value, self._weight = (self._giver(part) for part in (tag.when, tag.value, tag.weight))

    def _giver(self, part: str | float | Expression | Compiled) -> Giver:
        if isinstance(part, (Expression, Compiled)):
            return part.row_function(self._names)
        return lambda _: part

    def apply(self, features: Mapping[str, object], at: datetime) -> GivenTag | None:
        row = tuple(features.get(name) for name in self._names)
        try:
            if not self._when(row):
                return None
            value, weight = self._value(row), float(self._weight(row))  # type: ignore[arg-type]  # of numbers
        except RowError:
            return None
        if not (math.isfinite(weight) and weight >= 0):
            return None
        tag = self.tag
        observed = {name: features.get(name) for name in tag.when.names}
        why = str(Explanation(tag, True, observed, tag.when.explain(observed)))
        return GivenTag(Tag(tag.name, spell(value), weight, "rule", at, tag.version), why)
