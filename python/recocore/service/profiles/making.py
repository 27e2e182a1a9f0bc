"""Profiles from records: whose they are, what consent leaves of them, tags and segments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from recocore.profiles.consent import purposes_of
from recocore.profiles.kept import KeptProfiles
from recocore.profiles.row_features import row_features
from recocore.state.merged import merged_records
from recocore.state.values import PROFILING

if TYPE_CHECKING:
    from collections.abc import Collection

    from recocore.profiles.kept import KeptRow
    from recocore.profiles.tags.row_tags import GivenTag
    from recocore.service.profiles.definitions import Definitions
    from recocore.state import UserRecord
    from recocore.state.merged import Look
    from recocore.state.values import Declared, Link

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The purposes of a state by their names among features.
PURPOSES = {"personalization": "personalisation", "marketing": "marketing", "analytics": "analytics"}


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Who is behind an id.

    Attributes:
        id: the user's, into whom everybody else was merged, or a visitor's.
        visitor: whether it is a visitor's.
        records: what is known of the person, under this id first, then under those that were merged into it.
    """

    id: str
    visitor: bool
    records: tuple[UserRecord, ...]

    @property
    def versions(self) -> tuple[int, ...]:
        """Change whenever something is recorded of the person."""
        return tuple(record.version for record in self.records)

    @property
    def record(self) -> UserRecord:
        """What is known under the person's id."""
        return self.records[0]

    @property
    def withdrawn(self) -> frozenset[str]:
        """The purposes of features that the person no longer allows, under any of their ids."""
        return frozenset(
            PURPOSES[name]
            for record in self.records
            for name, granted in record.consent.items()
            if not granted and name in PURPOSES
        )


@dataclass(frozen=True, slots=True, eq=False)
class MadeProfile:
    """A profile.

    Attributes:
        person: whose.
        as_of: microseconds since 1970.
        kept: features; None where there is no event.
        features: of them what consent leaves.
        lifetime: what is expected of the person, as `LifetimeModels.row` has it; nothing where consent does not allow it.
        declared: what the person said of themselves.
        tags: with their reasons.
        segments: names.
    """

    person: Person
    as_of: int
    kept: KeptRow | None
    features: dict[str, Any]
    lifetime: dict[str, float]
    declared: tuple[Declared, ...]
    tags: list[GivenTag]
    segments: list[str]

    @property
    def merges(self) -> tuple[Link, ...]:
        """The merges into the person's id that hold."""
        return tuple(link for link in self.person.record.links if not link.into and link.unmade is None)


class ProfileMaker:
    """Makes profiles; safe from any thread.

    Args:
        definitions: what profiles are made by.
        look: reads records.
    """

    def __init__(self, definitions: Definitions, look: Look) -> None:
        self._look = look
        self.definitions = definitions
        self._kept = KeptProfiles(definitions.config)
        self._tags = None
        if definitions.tags is not None:
            from recocore.profiles.tags.row_tags import RowTags  # noqa: PLC0415  # see Definitions

            self._tags = RowTags(definitions.tags)
        self._rules = [
            (rule.name, rule.when.names, rule.when.row_function(rule.when.names)) for rule in definitions.rules
        ]

    def person(self, id_: str, *, visitor: bool = False) -> Person | None:
        """Who is behind an id; None where nothing is known, or the person wants no profile."""
        record = self._look(id_, visitor)
        if record is None:
            return None
        found = merged_records(self._look, id_, visitor, record)
        if found.records[0].forgotten:
            return None
        records = tuple(each for each in found.records if not each.forgotten)
        if any(not each.consent.get(PROFILING, True) for each in records):
            return None
        return Person(found.id, found.visitor, records)

    def make(self, person: Person, as_of: int, *, needs_features: bool = True) -> MadeProfile | None:
        """The profile of a person; None where there is neither an event before `as_of` nor anything declared.

        Args:
            person: whose.
            as_of: microseconds since 1970.
            needs_features: whether features, tags and segments are wanted.
        """
        declared = person.record.declared
        parts = [record.profile for record in person.records if record.profile]
        if not needs_features:
            return MadeProfile(person, as_of, None, {}, {}, declared, [], []) if parts or declared else None
        kept = self._kept.row(parts, person.id, as_of) if parts else None
        if kept is None:
            return MadeProfile(person, as_of, None, {}, {}, declared, [], []) if declared else None
        withdrawn = person.withdrawn
        row = kept.row if not withdrawn else _without(kept.row, withdrawn)
        features = row.copy()
        del features["user_id"]
        lifetime = self._lifetime(row, withdrawn)
        tags, segments = self._words(row, lifetime, as_of, withdrawn)
        return MadeProfile(person, as_of, kept, features, lifetime, declared, tags, segments)

    def _lifetime(self, row: dict[str, Any], withdrawn: frozenset[str]) -> dict[str, float]:
        models = self.definitions.models
        # All of it is made for one purpose.
        if models is None or set(purposes_of("expected_purchases")) <= withdrawn:
            return {}
        return models.row(row)

    def _words(
        self, row: dict[str, Any], lifetime: dict[str, float], as_of: int, withdrawn: Collection[str]
    ) -> tuple[list[GivenTag], list[str]]:
        segmentation = self.definitions.segmentation
        if self._tags is None and segmentation is None and not self._rules:
            return [], []
        from recocore.expressions import RowError  # noqa: PLC0415  # see Definitions

        features = row_features(row, as_of) | lifetime
        tags = [] if self._tags is None else self._tags.of(features, _EPOCH + timedelta(microseconds=as_of), withdrawn)
        segments: list[str] = []
        if set(purposes_of("segment")) <= set(withdrawn):
            return tags, segments
        if segmentation is not None:
            segments.append(str(segmentation.assign_row(features)))
        for name, names, holds in self._rules:
            try:
                if holds(tuple(features.get(each) for each in names)):
                    segments.append(name)
            except RowError:
                continue
        return tags, segments


def _without(row: dict[str, Any], withdrawn: frozenset[str]) -> dict[str, Any]:
    """A row without what is made for withdrawn purposes alone."""
    return {
        name: None if name != "user_id" and set(purposes_of(name)) <= withdrawn else value
        for name, value in row.items()
    }
