"""One event's numbers become a decision: the same steps for a batch's rows and for an event that comes live."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from recocore.expressions import Expression, held_comparisons
from recocore.fraud.decision.decision import Decision, Reason, decision_id
from recocore.fraud.rules import OUTCOMES, PENALTIES, RuleStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from recocore.fraud.decision.model import FraudModel
    from recocore.fraud.decision.rings import Rings
    from recocore.fraud.rules import Outcome, Rule, RuleSet
    from recocore.types import Float64Array

_HIT: Final = int(RuleStatus.HIT)
_ERROR: Final = int(RuleStatus.ERROR)

# An event less unusual than this gets no reason for it.
_UNUSUAL: Final = 0.99
_SHOWN_FEATURES: Final = 3


class Assembler:
    """What a model, a rule set and the known rings say of one event, put together.

    Args:
        model: fitted.
        rules: that decide.
        rings: that are known.
        order: the names of the values in a row; those that the rules read are among them, and `value`.
    """

    def __init__(self, model: FraudModel, rules: RuleSet, rings: Rings | None, order: Sequence[str]) -> None:
        self._model = model
        self._value = list(order).index("value")
        self._rings = rings
        self._rings_version = "" if rings is None else rings.version
        self._rules = rules.rules
        self._ruleset_version = rules.version
        self._model_version = model.version
        self._windows = {spec.name: spec.span for spec in model.specs}
        self._explainers = [_Explainer(rule, order, self._windows) for rule in rules.rules]
        self._keeps = [1 - rule.score / 1000 for rule in rules.rules]

    def decision(
        self,
        event: Mapping[str, Any],
        time: int,
        row: Sequence[Any],
        features: Float64Array,
        went: Sequence[tuple[int, int]],
        anomaly: float,
        base: float,
        risk: float,
        probability: float,
    ) -> Decision:
        """The decision.

        Args:
            event: columns by name.
            time: when it counts.
            row: values in the given order.
            features: `[1, f]`.
            went: the rules that did other than not hit, by place, with their status.
            anomaly: 0 to 1, or NaN.
            base: risk before rules.
            risk: with them.
            probability: calibrated.
        """
        places: list[int] = []
        errors: list[str] = []
        shadow: list[Mapping[str, object]] = []
        for place, status in went:
            if status in (_HIT, _ERROR):
                rule = self._rules[place]
                if rule.shadow:
                    name = "hit" if status == _HIT else "error"
                    shadow.append({"rule": rule.name, "status": name, "outcome": rule.outcome, "score": rule.score})
                elif status == _HIT:
                    places.append(place)
                else:
                    errors.append(rule.name)
        hits = [self._rules[place] for place in places]
        value = math.nan if row[self._value] is None else row[self._value]
        cheapest, costs = self._model.costs.choose(probability, value)
        policy = _policy(cheapest, hits)
        asked = {rule.penalty for rule in hits}
        penalties = tuple([penalty for penalty in PENALTIES if penalty in asked])
        identifier = decision_id(event, self._ruleset_version, self._model_version)
        outcome, propensity = self._model.exploration.apply(policy, identifier, value, punished=bool(penalties))
        reasons = [self._rule_reason(place, places, base, row) for place in places]
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

    def _rule_reason(self, place: int, hits: Sequence[int], base: float, row: Sequence[Any]) -> Reason:
        others = 1.0
        for other in hits:
            if other != place:
                others *= self._keeps[other]
        rule = self._rules[place]
        explainer = self._explainers[place]
        observed, threshold, window = None, None, explainer.window
        evidence: tuple[Mapping[str, object], ...] = ()
        if held := explainer.held(row):
            first, observed, threshold = held[0]
            window = explainer.windows[first]
            said = explainer.comparisons
            evidence = tuple(
                [
                    {"text": said[at][0], "observed": seen, "operator": said[at][1], "threshold": limit}
                    for at, seen, limit in held
                ]
            )
        points = round((1 - base) * others * rule.score, 6)
        return Reason(rule.name, "rule", observed, threshold, window, points, evidence)

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


class _Explainer:
    """Says of a rule that hit what of it held; what a function compares is not known outside of it.

    Attributes:
        comparisons: text and operator of each comparison.
        held: of a row, the comparisons that hold, by place, with both sides.
        windows: of the counter in each comparison; empty without one.
        window: of the first counter that the rule reads.
    """

    def __init__(self, rule: Rule, order: Sequence[str], windows: Mapping[str, str]) -> None:
        self.comparisons: tuple[tuple[str, str], ...] = ()
        self.held: Callable[[Sequence[object]], list[tuple[int, object, object]]] = lambda _: []
        if isinstance(rule.when, Expression):
            self.comparisons, self.held = held_comparisons(rule.when, order)
        counters = [name for name in rule.when.names if name in windows]
        self.windows = [next((windows[name] for name in counters if name in text), "") for text, _ in self.comparisons]
        self.window = windows[counters[0]] if counters else ""
