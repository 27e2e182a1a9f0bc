"""Back-test: what a rule set would have done on a log whose outcomes are known by now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recocore.errors import InvalidArgumentError
from recocore.fraud.rules.ruleset import RuleStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.fraud.rules.ruleset import RuleSet
    from recocore.types import AnyArray, BoolArray, Float64Array, Int64Array


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What one rule, or all of them together, would have done.

    Attributes:
        name: the rule's; "together" for a hit of any rule that is not in shadow.
        hits: events that it hit.
        errors: events in which it had no result.
        known: hits whose outcome is known.
        fraud: of those, fraud.
        alone: frauds that no other rule outside of the shadow hit.
        precision: fraud / known; NaN without a known hit.
        recall: fraud / all known fraud; NaN without any.
        blocked_value: the money in the frauds that it hit.
        harmed_value: the money in the good events that it hit.
    """

    name: str
    hits: int
    errors: int
    known: int
    fraud: int
    alone: int
    precision: float
    recall: float
    blocked_value: float
    harmed_value: float


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """A rule set on a log.

    Attributes:
        version: the rule set's.
        events: in the log.
        known: events whose outcome is known.
        prevalence: the share of fraud among those: what a rule that hits at random has as precision.
        rules: a report a rule, in the order of the set; shadowed ones too.
        together: any rule that is not in shadow.
    """

    version: str
    events: int
    known: int
    prevalence: float
    rules: tuple[RuleReport, ...]
    together: RuleReport


def backtest(
    rules: RuleSet, table: Mapping[str, AnyArray], times: Int64Array, labels: Float64Array, values: Float64Array
) -> BacktestReport:
    r"""Run a rule set over a log. O(rows x parts of the rules).

    Args:
        rules: the rule set.
        table: features by name, as of each event.
        times: event times, int64 microseconds `[rows]`.
        labels: 1 for fraud, 0 for good, NaN where nobody knows, float64 `[rows]`.
        values: the money of each event, float64 `[rows]`; NaN counts as nothing.

    Raises:
        InvalidArgumentError: arrays do not fit.

    Example:
        >>> from recocore.fraud.rules import RuleSet
        >>> rules = RuleSet.from_toml('[[rules]]\nname = "large"\nwhen = "value > 50"', {"value": "number"})
        >>> value = np.array([90.0, 80, 10, 20])
        >>> report = backtest(rules, {"value": value}, np.zeros(4, np.int64), np.array([1.0, 0, 1, 0]), value)
        >>> report.together.precision, report.together.recall, report.together.blocked_value
        (0.5, 0.5, 90.0)
    """
    rows = len(times)
    for name, array in (("labels", labels), ("values", values)):
        if array.shape != (rows,):
            raise InvalidArgumentError(f"{name}: expected {rows} of them, got shape {array.shape}", field=name)
    known = ~np.isnan(labels)
    if not np.isin(labels[known], (0, 1)).all():
        raise InvalidArgumentError("labels: expected 0, 1 or NaN, got another number", field="labels")
    money = np.nan_to_num(values)
    results = rules.evaluate(table, times)
    live = results.hits()
    count = live.sum(axis=1)

    def report(name: str, hits: BoolArray, errors: int, others: AnyArray) -> RuleReport:
        fraud, good = hits & (labels == 1), hits & (labels == 0)
        return RuleReport(
            name,
            int(hits.sum()),
            errors,
            int((hits & known).sum()),
            int(fraud.sum()),
            int((fraud & (others == 0)).sum()),
            _share(fraud.sum(), (hits & known).sum()),
            _share(fraud.sum(), (labels == 1).sum()),
            float(money[fraud].sum()),
            float(money[good].sum()),
        )

    reports = tuple(
        report(
            rule.name,
            results.statuses[:, place] == RuleStatus.HIT,
            int((results.statuses[:, place] == RuleStatus.ERROR).sum()),
            count - live[:, place],
        )
        for place, rule in enumerate(results.rules)
    )
    errors = int((results.statuses == RuleStatus.ERROR).any(axis=1).sum())
    return BacktestReport(
        rules.version,
        rows,
        int(known.sum()),
        _share((labels == 1).sum(), known.sum()),
        reports,
        report("together", count > 0, errors, np.zeros(rows)),
    )


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
