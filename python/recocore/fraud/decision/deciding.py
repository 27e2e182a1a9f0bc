"""Decider: one event and its counters become a decision; model, rules and rings are compiled once for all events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from recocore.data.times import to_us
from recocore.fraud.decision.assembling import Assembler
from recocore.fraud.decision.rows import ANOMALY, RowReader
from recocore.fraud.rules import RuleStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recocore.fraud.decision.decision import Decision
    from recocore.fraud.decision.model import FraudModel
    from recocore.fraud.decision.rings import Rings
    from recocore.fraud.rules import RuleSet

_HIT: Final = int(RuleStatus.HIT)


class Decider:
    """Decides on events whose counters are known; it keeps nothing of them, so the same gives the same.

    Args:
        model: fitted.
        rules: in place of the model's own.
        rings: that are known; None for none.
        skew_us: how much later than it was known an event may claim to be, microseconds.

    Attributes:
        rules: the rule set that decides.
        rings: the rings that are known.
        went: the rules that hit, had an error or were snoozed for the event of the last decision, by place, with their status.
    """

    def __init__(
        self, model: FraudModel, rules: RuleSet | None = None, rings: Rings | None = None, *, skew_us: int
    ) -> None:
        self.model = model
        self.rules = rules = model.rules if rules is None else rules
        self.rings = rings
        self._skew_us = skew_us
        names = [*dict.fromkeys([*(name for name in rules.names if name != ANOMALY), *model.features, "value"])]
        self._reader = RowReader(names, [spec.name for spec in model.specs])
        self._names = (*names, ANOMALY)
        self._statuses = rules.row_function(self._names)
        self._keeps = [1.0 if rule.shadow else 1 - rule.score / 1000 for rule in rules.rules]
        self._places = [names.index(name) for name in model.features]
        self._assembler = Assembler(model, rules, rings, self._names)
        self.went: list[tuple[int, int]] = []

    def time(self, event: Mapping[str, Any]) -> int:
        """When an event counts, microseconds since 1970.

        Raises:
            InvalidArgumentError: it has no time.
        """
        time = to_us(event.get("event_time"), "event_time")
        known = event.get("known_time")
        return time if known is None else min(time, to_us(known, "known_time") + self._skew_us)

    def given(self, event: Mapping[str, Any], time: int) -> list[Any]:
        """What of an event does not come from counters, for `decide`: called first, so that nothing wrong is counted.

        Raises:
            InvalidArgumentError: a value is of another kind than its column.
        """
        return self._reader.given(event, time)

    def decide(self, event: Mapping[str, Any], time: int, row: list[Any], counters: Sequence[float]) -> Decision:
        """The decision on an event.

        Args:
            event: columns of the event schema by name.
            time: when it counts.
            row: what `given` gave; it is filled.
            counters: as of the event, in the model's order.
        """
        self._reader.count(row, counters)
        model = self.model
        features = np.array([[row[place] for place in self._places]], np.float64)
        anomaly = float(model.anomaly_of(features)[0])
        base = model.base_of_one(features, anomaly)
        row.append(anomaly)
        self.went = went = [(place, status) for place, status in enumerate(self._statuses(row, time)) if status]
        kept = 1.0
        for place, status in went:
            if status == _HIT:
                kept *= self._keeps[place]
        risk = 1 - (1 - base) * (1 - (1 - kept))
        return self._assembler.decision(
            event,
            time,
            row,
            features,
            went,
            anomaly,
            base,
            risk,
            float(model.calibrator(np.array([risk]))[0]),
        )
