"""What a profile changes in a recommendation: boosts for what somebody likes, and what is popular in their segment.

Interests are boosts: `interest_weight` · w / Σw is added to the model's score of an item whose category, brand or one of
whose tags is among the strongest interests, w its weight and Σw that of all of the dimension. Segment popularity is for
whom the model does not know: what is popular in the segment stands before what is popular with everybody, where that
fills the list.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from recocore.index.asking import Rule
from recocore.index.filters import In

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.service.engine import Engine
    from recocore.service.profiles.making import ProfileMaker
    from recocore.service.queries import Template
    from recocore.state import UserRecord

# Interests that are looked at, by the attribute of the model's items that they are in.
_DIMENSIONS = {"category": "category", "brand": "brand", "tags": "tag"}
# Users whose interests are kept as they were made: 1 KB each.
_MOST_KEPT = 4_096


class _Liking(NamedTuple):
    """Of one user: when it was made, the share of each strongest interest by attribute, and the segments."""

    made: int
    shares: Mapping[str, tuple[tuple[str, float], ...]]
    segments: tuple[str, ...]


class Blend:
    """Adds what a profile says to what is asked; safe from any thread.

    Args:
        maker: makes profiles.
        interest_weight: what the sum of all interests adds to a score, in the units of the model's scores; 0 leaves it.
        popular: segment → item ids, the most popular first; empty leaves it.
        keep_seconds: how old interests may be, as long as nothing was recorded of their user since.
    """

    def __init__(
        self, maker: ProfileMaker, interest_weight: float, popular: Mapping[str, tuple[str, ...]], keep_seconds: float
    ) -> None:
        self._maker, self._weight = maker, interest_weight
        self._popular = popular
        self._keep_us = round(keep_seconds * 1_000_000)
        self._kept: dict[tuple[str, tuple[int, ...]], _Liking] = {}

    def add(self, template: Template, record: UserRecord | None, user_id: str, engine: Engine) -> Template:
        """What to ask for a user; as it is where their record must not be used, or says nothing.

        Args:
            template: what is asked, with what the record itself adds.
            record: what is known of the user.
            user_id: whose.
            engine: of the model that answers.
        """
        ask = template.ask
        if record is None or template.as_unknown or ask.personalization != "full":
            return template
        is_cold = bool(self._popular) and not engine.knows(user_id)
        if not (self._weight or is_cold):
            return template
        liking = self._liking(user_id)
        if liking is None:
            return template
        rules: tuple[Rule, ...] = ()
        if self._weight:
            fields = engine.fields
            rules = tuple(
                Rule("boost", where=In(attribute, (name,)), weight=self._weight * share)
                for attribute, shares in liking.shares.items()
                if fields.get(attribute) in ("text", "texts")
                for name, share in shares
            )
        first: tuple[str, ...] = ()
        if is_cold:
            first = next((self._popular[name] for name in liking.segments if name in self._popular), ())
        if not (rules or first):
            return template
        blended = replace(ask, rules=(*ask.rules, *rules), popular_first=first)
        return replace(template, ask=blended, asked=template.named)

    @property
    def age(self) -> int:
        """Grows by one each time that what was added may have become too old."""
        now = time.time_ns() // 1_000
        return now // self._keep_us if self._keep_us else now

    def _liking(self, user_id: str) -> _Liking | None:
        person, now = self._maker.person(user_id), time.time_ns() // 1_000
        if person is None:
            return None
        key = (person.id, person.versions)
        kept = self._kept.get(key)
        if kept is not None and 0 <= now - kept.made < self._keep_us:
            return kept
        made = self._maker.make(person, now)
        if made is None or made.kept is None:
            return None
        shares = {attribute: _shares(made.features, dimension) for attribute, dimension in _DIMENSIONS.items()}
        liking = _Liking(now, shares, tuple(made.segments))
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = liking
        return liking


def _shares(features: Mapping[str, Any], dimension: str) -> tuple[tuple[str, float], ...]:
    total, listed = features.get(f"interest_{dimension}_total"), features.get(f"interest_{dimension}")
    if not total or not listed:
        return ()
    return tuple((entry["name"], entry["weight"] / total) for entry in listed)
