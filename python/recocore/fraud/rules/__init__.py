"""Rules over the features of an event: named, versioned, with priority, outcome and score; shadowed, snoozed, back-tested."""

from recocore.fraud.rules.backtesting import BacktestReport, RuleReport, backtest
from recocore.fraud.rules.live import LiveRules
from recocore.fraud.rules.rule import OUTCOMES, PENALTIES, Outcome, Penalty, Rule
from recocore.fraud.rules.ruleset import RuleResults, RuleSet, RuleStatus

__all__ = [
    "OUTCOMES",
    "PENALTIES",
    "BacktestReport",
    "LiveRules",
    "Outcome",
    "Penalty",
    "Rule",
    "RuleReport",
    "RuleResults",
    "RuleSet",
    "RuleStatus",
    "backtest",
]
