"""One event's numbers become a decision: the same steps for a batch's rows and for an event that comes live."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from recocore.fraud.decision.decision import Decision, Reason, decision_id
from recocore.fraud.rules import OUTCOMES, PENALTIES, RuleStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recocore.expressions import Comparison
    from recocore.fraud.decision.model import FraudModel
    from recocore.fraud.decision.rings import KnownRings
    from recocore.fraud.rules import Outcome, Rule, RuleSet
    from recocore.types import Float64Array

_HIT: Final = int(RuleStatus.HIT)
_ERROR: Final = int(RuleStatus.ERROR)

# An event less unusual than this gets no reason for it.
_UNUSUAL: Final = 0.99
_SHOWN_FEATURES: Final = 3


class Assembler:
    """What a model, a rule set and the known rings say of one event, put together."""

    def __init__(self, model: FraudModel, rules: RuleSet, rings: KnownRings | None = None) -> None:
        self._model = model
        self._rings = rings
        self._rings_version = "" if rings is None else rings.version
        self._rules = rules.rules
        self._ruleset_version = rules.version
        self._model_version = model.version
        self._windows = {spec.name: spec.span for spec in model.specs}

    def decision(
        self,
        event: Mapping[str, Any],
        time: int,
        row: Mapping[str, Any],
        features: Float64Array,
        statuses: Sequence[int],
        anomaly: float,
        base: float,
        risk: float,
        probability: float,
    ) -> Decision:
        """The decision; `row` holds the names that the rules read and `value`, `features` is `[1, f]`."""
        hits: list[Rule] = []
        errors: list[str] = []
        shadow: list[Mapping[str, object]] = []
        for place, status in enumerate(statuses):
            if status in (_HIT, _ERROR):
                rule = self._rules[place]
                if rule.shadow:
                    name = "hit" if status == _HIT else "error"
                    shadow.append({"rule": rule.name, "status": name, "outcome": rule.outcome, "score": rule.score})
                elif status == _HIT:
                    hits.append(rule)
                else:
                    errors.append(rule.name)
        value = math.nan if row["value"] is None else row["value"]
        cheapest, costs = self._model.costs.choose(probability, value)
        policy = _policy(cheapest, hits)
        penalties = tuple(penalty for penalty in PENALTIES if any(rule.penalty == penalty for rule in hits))
        identifier = decision_id(event, self._ruleset_version, self._model_version)
        outcome, propensity = self._model.exploration.apply(policy, identifier, value, punished=bool(penalties))
        reasons = [self._rule_reason(rule, hits, base, row) for rule in hits]
        reasons += self._risk_reasons(features, anomaly, base, risk)
        if self._rings is not None:
            reasons += [
                Reason("RING", "ring", known["density"], None, "", 0.0, (known,)) for known in self._rings.of(event)
            ]
        reasons.sort(key=lambda reason: -reason.contribution)  # stable: equal ones stay in the order of the rules
        if outcome != policy:
            rate = self._model.exploration.rate
            reasons.append(Reason("RANDOM_APPROVAL", "exploration", policy, rate, "", 0.0, ()))
        chosen = OUTCOMES.index(cheapest)
        next_best = min(cost for place, cost in enumerate(costs) if place != chosen)
        evidence: Mapping[str, object] = {name: round(cost, 6) for name, cost in zip(OUTCOMES, costs, strict=True)}
        reasons.append(
            Reason("EXPECTED_COST", "cost", round(costs[chosen], 6), round(next_best, 6), "", 0.0, (evidence,))
        )
        return Decision(
            identifier,
            str(event.get("event_id") or ""),
            outcome,
            policy,
            propensity,
            round(1000 * risk),
            probability,
            penalties,
            tuple(reasons),
            tuple(errors),
            tuple(shadow),
            self._ruleset_version,
            self._model_version,
            time,
            self._rings_version,
        )

    def _rule_reason(self, rule: Rule, hits: Sequence[Rule], base: float, row: Mapping[str, Any]) -> Reason:
        others = 1.0
        for other in hits:
            if other is not rule:
                others *= 1 - other.score / 1000
        comparisons = [comparison for comparison in rule.when.explain(row) if comparison.held]
        first = comparisons[0] if comparisons else None
        windows = [self._windows[name] for name in rule.when.names if name in self._windows and _in(name, first)]
        return Reason(
            rule.name,
            "rule",
            first.observed if first else None,
            _as_list(first.threshold) if first else None,
            windows[0] if windows else "",
            round((1 - base) * others * rule.score, 6),
            tuple(_shown(comparison) for comparison in comparisons),
        )

    def _risk_reasons(self, features: Float64Array, anomaly: float, base: float, risk: float) -> list[Reason]:
        model = self._model
        if base == 0:
            return []
        points = round(1000 * base * (1 - risk) / (1 - base), 6) if base < 1 else 1000.0
        if model.trees is not None:
            parts = model.trees.explain(model.tree_rows(features, np.array([anomaly])), num_threads=1)[0]
            names = (*model.features, "anomaly")
            seen = (*features[0].tolist(), anomaly)
            return [Reason("MODEL", "model", round(base, 9), None, "", points, self._top(names, seen, parts))]
        if model.detector is None or not anomaly >= _UNUSUAL:
            return []
        parts = model.detector.explain(features)[0]
        evidence = self._top(model.features, features[0].tolist(), parts)
        return [Reason("ANOMALY", "anomaly", round(anomaly, 9), _UNUSUAL, "", points, evidence)]

    def _top(
        self, names: Sequence[str], seen: Sequence[float], parts: Float64Array
    ) -> tuple[Mapping[str, object], ...]:
        """The features that add most, with what is typical of them."""
        typical = (*self._model.typical.tolist(), None)
        best = np.argsort(-parts, kind="stable")[:_SHOWN_FEATURES].tolist()
        return tuple(
            {
                "feature": names[place],
                "observed": None if math.isnan(seen[place]) else seen[place],
                "typical": typical[place],
                "window": self._windows.get(names[place], ""),
                "contribution": round(float(parts[place]), 6),
            }
            for place in best
            if parts[place] > 0
        )


def _policy(cheapest: Outcome, hits: Sequence[Rule]) -> Outcome:
    """The strictest of costs and hits, unless the hit of the highest priority approves and none stands beside it."""
    asking = [rule for rule in hits if rule.outcome is not None]
    if asking:
        highest = max(rule.priority for rule in asking)
        if all(rule.outcome == "approve" for rule in asking if rule.priority == highest):
            return "approve"
    return max([cheapest, *(rule.outcome for rule in asking if rule.outcome)], key=OUTCOMES.index)


def _in(name: str, comparison: Comparison | None) -> bool:
    return comparison is None or name in comparison.text


def _shown(comparison: Comparison) -> Mapping[str, object]:
    return {
        "text": comparison.text,
        "observed": comparison.observed,
        "operator": comparison.operator,
        "threshold": _as_list(comparison.threshold),
    }


def _as_list(threshold: object) -> object:
    """A tuple as the list that JSON gives back."""
    return list(threshold) if isinstance(threshold, tuple) else threshold
