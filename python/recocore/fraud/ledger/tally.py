"""RuleTally: how often each rule of a set hit, did not, or had no result, and what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recocore.fraud.rules import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.fraud.rules import Outcome, RuleSet


class RuleTally:
    """Counts for one rule set. Adding takes a microsecond, more for each rule that hit.

    Args:
        rules: the set.

    Attributes:
        rules: the set.
        decided: decisions by outcome.
    """

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self.decided: dict[Outcome, int] = dict.fromkeys(OUTCOMES, 0)
        # By rule and status; what did not hit is what is left of all decisions.
        self._counts = [[0, 0, 0, 0] for _ in rules.rules]

    def add(self, outcome: Outcome, went: Sequence[tuple[int, int]]) -> None:
        """Count a decision, and the rules that did other than not hit for it, by place, with their status."""
        self.decided[outcome] += 1
        for place, status in went:
            self._counts[place][status] += 1

    def of(self, place: int) -> tuple[int, int, int]:
        """Of the rule at a place: how often it hit, did not hit, and had no result."""
        _, hits, errors, snoozed = self._counts[place]
        return hits, sum(self.decided.values()) - hits - errors - snoozed, errors
