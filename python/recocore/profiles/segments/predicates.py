"""Segments by rule: predicates over any feature, named and versioned."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa

from recocore.errors import InvalidArgumentError
from recocore.expressions import Expression

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recocore.expressions import Kind
    from recocore.profiles.features import Features
    from recocore.types import BoolArray

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class SegmentRule:
    """A named predicate; make one with `SegmentRule.parse`.

    Attributes:
        name: lower-case letters, digits and _.
        when: who belongs to it.
        about: a sentence for people.
    """

    name: str
    when: Expression
    about: str = ""

    @classmethod
    def parse(cls, name: str, when: str, kinds: Mapping[str, Kind], about: str = "") -> Self:
        """Check a predicate.

        Raises:
            InvalidArgumentError: a name of other letters, or no condition over features that there are.

        Example:
            >>> rule = SegmentRule.parse("sleeping", "lifecycle in ('dormant', 'lost')", {"lifecycle": "text"})
            >>> rule.version == SegmentRule.parse("asleep", "lifecycle in ('dormant','lost')", {"lifecycle": "text"}).version
            True
        """
        if not _NAME.fullmatch(name):
            raise InvalidArgumentError(
                f"name: expected lower-case letters, digits and _, a letter first, at most 64, got {name!r}",
                field="name",
            )
        expression = Expression.parse(when, kinds, argument="when")
        if expression.kind != "flag":
            raise InvalidArgumentError(f"when: expected a condition, such as level >= 90, got {when!r}", field="when")
        return cls(name, expression, about)

    @property
    def version(self) -> str:
        """The expression's version: two spellings of one predicate share it."""
        return self.when.version

    def holds(self, features: Features) -> BoolArray:
        """Who belongs to it, bool `[n]`; nobody for whom a value that it looks at is missing."""
        held, errors = self.when.evaluate(features)
        return np.asarray(held, np.bool_) & ~np.asarray(errors, np.bool_)


def members(rules: Sequence[SegmentRule], features: Features) -> pa.Table:
    """Everybody's segments: `user_id`, `segment`, `version`, by user, then in the order of the rules.

    Example:
        >>> from recocore.profiles.features import Features
        >>> features = Features(pa.table({"user_id": ["ann", "bob"], "level": [95, 40]}))
        >>> wanted = {"top": "level >= 90", "all": "level > 0"}
        >>> rules = [SegmentRule.parse(name, when, features.kinds) for name, when in wanted.items()]
        >>> members(rules, features).select(["user_id", "segment"]).to_pylist()
        [{'user_id': 'ann', 'segment': 'top'}, {'user_id': 'ann', 'segment': 'all'}, {'user_id': 'bob', 'segment': 'all'}]
    """
    held = (
        np.column_stack([rule.holds(features) for rule in rules]) if rules else np.zeros((features.rows, 0), np.bool_)
    )
    rows, places = np.nonzero(held)
    at = pa.array(places)
    return pa.table(
        {
            "user_id": features.users.take(pa.array(rows)),
            "segment": pa.array([rule.name for rule in rules], pa.string()).take(at),
            "version": pa.array([rule.version for rule in rules], pa.string()).take(at),
        }
    )
