"""clean: every row in one place, with the first reason in the documented order."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recocore.data import CleaningRules, EventBatch, OutlierRule, Reason, clean
from recocore.errors import InvalidArgumentError

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
BOUND = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def batch(**columns: Any) -> EventBatch:
    rows = len(next(iter(columns.values())))
    ids = {"user_id": ["u"] * rows, "item_id": ["i"] * rows}
    return EventBatch.from_arrow(pa.table(ids | columns))


def reasons(events: EventBatch, rules: CleaningRules | None = None) -> list[str | None]:
    """The reason of each row, found by a number that the rows carry."""
    numbered = EventBatch.from_arrow(events.table.append_column("page", pa.array(map(str, range(len(events))))))
    cleaned = clean(numbered, rules)
    quarantine = cleaned.quarantine
    found = dict(zip(quarantine.column("page").to_pylist(), quarantine.column("reason").to_pylist(), strict=True))
    assert cleaned.events.column("page").to_pylist() == [str(n) for n in range(len(events)) if str(n) not in found]
    return [found.get(str(n)) for n in range(len(events))]


def test_each_reason() -> None:
    time = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
    second = dt.timedelta(seconds=1)
    rows: list[tuple[str | None, dict[str, Any]]] = [
        (None, {}),
        ("missing_user_id", {"user_id": None}),
        ("missing_user_id", {"user_id": ""}),
        ("missing_item_id", {"item_id": None}),
        (None, {"item_id": None, "type": "search"}),
        ("missing_time", {"event_time": None}),
        (None, {"event_time": NOW}),
        ("future_time", {"event_time": NOW + second}),
        (None, {"event_time": BOUND}),
        ("before_bound", {"event_time": BOUND - second}),
        ("non_finite_value", {"value": float("nan")}),
        ("non_finite_value", {"price": float("inf")}),
        ("non_finite_value", {"value": float("-inf")}),
        ("negative_value", {"value": -0.01}),
        (None, {"value": -0.0}),
        (None, {"value": -5.0, "quantity": -1, "type": "refund"}),
        ("negative_value", {"dwell_ms": -1}),
        ("non_positive_quantity", {"quantity": 0}),
        ("non_positive_quantity", {"quantity": -3}),
        (None, {"event_id": "e1"}),
        ("duplicate_event_id", {"event_id": "e1"}),
        # The first reason in the order of the enumeration.
        ("missing_user_id", {"user_id": None, "item_id": None, "event_time": None, "value": -1.0, "event_id": "e1"}),
        ("non_finite_value", {"value": float("-inf"), "quantity": 0}),
    ]
    default = {"user_id": "u", "item_id": "i", "type": "buy", "event_time": time, "value": 1.0, "price": 1.0}
    default |= {"quantity": 1, "dwell_ms": 1, "event_id": None}
    columns = {name: [(default | row)[name] for _, row in rows] for name in default}
    events = EventBatch.from_arrow(pa.table(columns))
    assert reasons(events, CleaningRules(now=NOW, not_before=BOUND)) == [reason for reason, _ in rows]
    report = clean(events, CleaningRules(now=NOW, not_before=BOUND)).report
    assert list(report.counts) == list(Reason)
    assert report.rows_quarantined == sum(report.counts.values()) == sum(reason is not None for reason, _ in rows)
    assert "missing_user_id 3" in str(report)


def test_a_faulty_copy_does_not_take_the_place_of_a_sound_event() -> None:
    events = batch(event_id=["e", "e", "e"], value=[-1.0, 2.0, 2.0])
    assert reasons(events) == ["negative_value", None, "duplicate_event_id"]


def test_rules_can_be_switched_off_and_absent_columns_are_no_fault() -> None:
    lenient = CleaningRules(
        deduplicate=False,
        require_user=False,
        require_item=False,
        require_time=False,
        finite=(),
        non_negative=(),
        positive_quantity=False,
    )
    events = batch(
        event_id=["e", "e"],
        user_id=pa.array([None, None], pa.string()),
        item_id=["", ""],
        event_time=pa.array([None, None], pa.timestamp("us", "UTC")),
        value=[float("nan"), -1.0],
        quantity=[0, -1],
    )
    assert reasons(events, lenient) == [None, None]
    assert reasons(batch(user_id=["u"])) == [None]


def test_outliers_by_mad_and_iqr_equal_their_formulas() -> None:
    rng = np.random.default_rng(0)
    values = np.append(rng.lognormal(0, 1, 200), [500.0, 0.0])
    median = np.median(values)
    scores = 0.6745 * np.abs(values - median) / np.median(np.abs(values - median))
    expected = ["outlier_mad" if score > 3.5 else None for score in scores]
    assert reasons(batch(value=values), CleaningRules(outliers=(OutlierRule("value"),))) == expected
    first, third = np.percentile(values, [25, 75])
    outside = (values < first - 1.5 * (third - first)) | (values > third + 1.5 * (third - first))
    rule = OutlierRule("value", "iqr", 1.5)
    expected = ["outlier_iqr" if out else None for out in outside]
    assert reasons(batch(value=values), CleaningRules(outliers=(rule,))) == expected


def test_faulty_rows_and_a_spread_of_zero_do_not_make_outliers() -> None:
    rules = CleaningRules(outliers=(OutlierRule("quantity"), OutlierRule("quantity", "iqr", 1.5)))
    assert reasons(batch(quantity=[5, 5, 5, 5, 900]), rules) == [None] * 5
    huge = batch(value=[1e308, -1e308, 1e308, 0.0], type=["refund"] * 4)
    assert reasons(huge, CleaningRules(outliers=(OutlierRule("value"),))) == [None] * 4
    empty = batch(value=pa.array([None, None], pa.float64()))
    assert reasons(empty, CleaningRules(outliers=(OutlierRule("value"),))) == [None] * 2


ROW = st.fixed_dictionaries(
    {
        "event_id": st.sampled_from([None, "a", "b", "c", ""]),
        "event_time": st.sampled_from([None, BOUND - dt.timedelta(1), BOUND, NOW, NOW + dt.timedelta(1)]),
        "user_id": st.sampled_from([None, "", "u", "v"]),
        "item_id": st.sampled_from([None, "", "i", "j"]),
        "type": st.sampled_from([None, "view", "search", "refund"]),
        "value": st.sampled_from([None, float("nan"), float("inf"), -1.0, -0.0, 1.0, 2.0, 3.0, 99.0]),
        "quantity": st.sampled_from([None, -1, 0, 1, 2, 10**6]),
    }
)


@given(st.lists(ROW, max_size=30), st.booleans(), st.sampled_from([None, NOW]), st.sampled_from([None, BOUND]))
def test_input_is_clean_plus_quarantine(
    rows: list[dict[str, Any]], deduplicate: bool, now: dt.datetime | None, not_before: dt.datetime | None
) -> None:
    fields = [("event_id", pa.string()), ("event_time", pa.timestamp("us", "UTC")), ("user_id", pa.string())]
    fields += [("item_id", pa.string()), ("type", pa.string()), ("value", pa.float64()), ("quantity", pa.int64())]
    events = EventBatch.from_arrow(pa.Table.from_pylist(rows, pa.schema([*fields])))
    outliers = (OutlierRule("value"), OutlierRule("quantity", "iqr", 1.5))
    rules = CleaningRules(deduplicate=deduplicate, now=now, not_before=not_before, outliers=outliers)
    cleaned = clean(events, rules)
    assert cleaned.quarantine.column_names == [*events.table.column_names, "reason"]
    together = pa.concat_tables([cleaned.events.table, cleaned.quarantine.drop(["reason"])])
    assert sorted(map(repr, together.to_pylist())) == sorted(map(repr, events.table.to_pylist()))
    report = cleaned.report
    assert (report.rows_in, report.rows_clean) == (len(events), len(cleaned.events))
    found = cleaned.quarantine.column("reason").to_pylist()
    assert {reason: found.count(str(reason)) for reason in Reason} == report.counts
    # What is sound stays sound under the rules that look at no other row.
    again = clean(cleaned.events, CleaningRules(deduplicate=deduplicate, now=now, not_before=not_before))
    assert again.report.rows_quarantined == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OutlierRule("brand"), "column: expected a numeric column"),
        (lambda: OutlierRule("prize"), "column: expected a numeric column"),
        (
            lambda: OutlierRule("price", "sigma"),  # type: ignore[arg-type]
            "method: expected mad or iqr, got 'sigma'",
        ),
        (lambda: OutlierRule("price", threshold=0.0), "threshold: expected a number above 0"),
        (lambda: OutlierRule("price", threshold=float("nan")), "threshold: expected a number above 0"),
        (lambda: CleaningRules(finite=("prize",)), "finite: expected a numeric column .*got 'prize'"),
        (lambda: CleaningRules(non_negative=("brand",)), "non_negative: expected a numeric column"),
        (
            lambda: clean(batch(event_time=[NOW]), CleaningRules(now=dt.datetime(2024, 1, 1))),
            "now: expected a datetime with a zone",
        ),
    ],
)
def test_bad_rules_are_refused(make: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        make()
