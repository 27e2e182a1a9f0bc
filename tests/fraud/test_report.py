"""The figures of the report against the decisions that they count."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from tests.fraud.logs import batch
from tests.fraud.test_decision import fitted

from recocore.data import EventBatch
from recocore.fraud import RuleSet, fit_model, rule_columns
from recocore.fraud.report import fraud_report

# Of logs as long as this every other decision was counted once.
MANY, DECIDED = 50_001, 100


def test_outcomes_and_reasons_are_those_of_every_decision() -> None:
    model, events = fitted()
    log = batch(events)
    report = fraud_report(model, log)
    decisions = list(model.decisions(log))
    # Unary plus leaves out outcomes that nobody had.
    assert +Counter(report.outcomes) == Counter(each.decision for each in decisions)
    codes = Counter(reason.code for each in decisions for reason in each.reasons)
    codes.pop("EXPECTED_COST", None)
    assert report.reasons == codes


def test_every_decision_of_a_long_log_is_counted() -> None:
    log = EventBatch.from_arrow(
        {
            "user_id": pa.array(["ann"] * MANY),
            "item_id": pa.array(["tea"] * MANY),
            "type": pa.array(["buy"] * DECIDED + ["view"] * (MANY - DECIDED)),
            "value": pa.array(np.ones(MANY)),
            "event_time": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * MANY),
        }
    )
    rules = RuleSet.from_toml('[[rules]]\nname = "all"\nwhen = "value > 0"\nscore = 100\n', rule_columns([]))
    model, _ = fit_model(log, ("count by user_id over 1h",), rules, decide=("buy",))
    report = fraud_report(model, log)
    assert sum(report.outcomes.values()) == report.summary["events"] == DECIDED
    assert report.reasons["all"] == DECIDED
