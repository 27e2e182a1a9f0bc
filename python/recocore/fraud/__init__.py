"""Fraud and cheating: scores with reasons.

    ECOD, IsolationForest, MCD, HBOS, HalfSpaceTrees    detectors of anomalies, fitted on rows of features
    load_detector                                       any of them from the folder that `save` wrote
    find_rings, connected_components, RingWatch         groups of accounts that share devices, addresses, payments
    Velocity, VelocitySpec                              windowed counters by user, device, ip, ... updated by events
    Rule, RuleSet, LiveRules, backtest                  rules over the features of an event
    FraudModel, FraudEngine, Decision, Costs, ...       score, probability, reasons and what to do, in batch and live
    FraudDesk                                           decisions, outcomes and rules in a log that survives the process
    BoostedTrees                                        gradient boosting that is served from flat arrays
    seasonal_alarms, change_points                      alarms on series of business metrics

A name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recocore.fraud.alarms import Alarm, change_points, metric_series, seasonal_alarms
    from recocore.fraud.decision import (
        Costs,
        Decision,
        Exploration,
        FeedbackStore,
        FraudEngine,
        FraudModel,
        KnownRings,
        Reason,
        fit_model,
        rule_columns,
    )
    from recocore.fraud.detectors import ECOD, HBOS, MCD, Detector, HalfSpaceTrees, IsolationForest, load_detector
    from recocore.fraud.ledger import FraudDesk
    from recocore.fraud.outcomes import OutcomeReport
    from recocore.fraud.rings import Component, Ring, RingFlag, RingWatch, connected_components, find_rings
    from recocore.fraud.rules import LiveRules, Rule, RuleSet, RuleStatus, backtest
    from recocore.fraud.supervised import BoostedTrees
    from recocore.fraud.synthetic import synthetic_orders
    from recocore.fraud.velocity import Velocity, VelocitySpec

_DETECTORS = ("ECOD", "HBOS", "MCD", "Detector", "HalfSpaceTrees", "IsolationForest", "load_detector")
_RINGS = ("Component", "Ring", "RingFlag", "RingWatch", "connected_components", "find_rings")
_ALARMS = ("Alarm", "change_points", "metric_series", "seasonal_alarms")
_DECISION = (
    "Costs",
    "Decision",
    "Exploration",
    "FeedbackStore",
    "FraudEngine",
    "FraudModel",
    "KnownRings",
    "Reason",
    "fit_model",
    "rule_columns",
)
_RULES = ("LiveRules", "Rule", "RuleSet", "RuleStatus", "backtest")
_VELOCITY = ("Velocity", "VelocitySpec")
_ROOM_OF = {
    "BoostedTrees": "recocore.fraud.supervised",
    "FraudDesk": "recocore.fraud.ledger",
    "OutcomeReport": "recocore.fraud.outcomes",
    "synthetic_orders": "recocore.fraud.synthetic",
    **dict.fromkeys(_ALARMS, "recocore.fraud.alarms"),
    **dict.fromkeys(_DECISION, "recocore.fraud.decision"),
    **dict.fromkeys(_RULES, "recocore.fraud.rules"),
    **dict.fromkeys(_VELOCITY, "recocore.fraud.velocity"),
    **dict.fromkeys(_DETECTORS, "recocore.fraud.detectors"),
    **dict.fromkeys(_RINGS, "recocore.fraud.rings"),
}

__all__ = [
    "ECOD",
    "HBOS",
    "MCD",
    "Alarm",
    "BoostedTrees",
    "Component",
    "Costs",
    "Decision",
    "Detector",
    "Exploration",
    "FeedbackStore",
    "FraudDesk",
    "FraudEngine",
    "FraudModel",
    "HalfSpaceTrees",
    "IsolationForest",
    "KnownRings",
    "LiveRules",
    "OutcomeReport",
    "Reason",
    "Ring",
    "RingFlag",
    "RingWatch",
    "Rule",
    "RuleSet",
    "RuleStatus",
    "Velocity",
    "VelocitySpec",
    "backtest",
    "change_points",
    "connected_components",
    "find_rings",
    "fit_model",
    "load_detector",
    "metric_series",
    "rule_columns",
    "seasonal_alarms",
    "synthetic_orders",
]


def __getattr__(name: str) -> Any:
    if name in _ROOM_OF:
        return getattr(importlib.import_module(_ROOM_OF[name]), name)
    raise AttributeError(f"module 'recocore.fraud' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
