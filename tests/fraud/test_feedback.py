"""Outcomes: what was known when, across restarts and a crash in the middle of a line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from recocore.errors import CorruptError, InvalidArgumentError
from recocore.fraud import FeedbackStore, OutcomeReport

if TYPE_CHECKING:
    from pathlib import Path


def test_only_what_was_known_by_the_cut_counts(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path / "feedback.jsonl")
    store.report(OutcomeReport("a", 0, "review", 10, 0.7))
    store.report(OutcomeReport("a", 1, "chargeback", 50))
    store.report(OutcomeReport("b", 1, "customer", 20, 0.3))
    store.report(OutcomeReport("b", 0, "customer", 30, 0.3))
    assert [store.labels(["a"], by=t)[0] for t in (10, 49, 50)] == [0, 0, 1]
    assert math.isnan(store.labels(["a"], by=9)[0])
    assert math.isnan(store.labels(["b"], by=99)[0])
    assert store.labels(["b", "c"], by=99, min_confidence=0.2).tolist()[0] == 0
    again = FeedbackStore(tmp_path / "feedback.jsonl")
    assert again.known("a", 99) == OutcomeReport("a", 1, "chargeback", 50)
    again.report(OutcomeReport("a", 1, "chargeback", 50))
    assert len(FeedbackStore(tmp_path / "feedback.jsonl")) == 4


def test_a_line_that_a_crash_cut_off_is_left_out_and_a_broken_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    FeedbackStore(path).report(OutcomeReport("a", 1, "x", 1)).report(OutcomeReport("b", 1, "x", 1))
    path.write_bytes(path.read_bytes()[:-9])
    store = FeedbackStore(path)
    assert len(store) == 1
    store.report(OutcomeReport("c", 0, "x", 2))
    assert len(FeedbackStore(path)) == 2
    path.write_text('{"decision_id": "a", "y": 3, "source": "x", "ts": 1}\n')
    with pytest.raises(CorruptError, match="line 1"):
        FeedbackStore(path)


@pytest.mark.parametrize(
    ("field", "value"), [("y", 2), ("y", True), ("source", ""), ("ts", 1.5), ("ts", 2**63), ("confidence", 2)]
)
def test_a_report_is_checked(field: str, value: object) -> None:
    given = {"decision_id": "a", "y": 1, "source": "x", "ts": 1, field: value}
    with pytest.raises(InvalidArgumentError, match=field):
        OutcomeReport(**given)  # type: ignore[arg-type]
