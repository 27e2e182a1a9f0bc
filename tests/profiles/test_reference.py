"""Every feature against formulas written out in plain Python."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.profiles import reference
from tests.profiles.logs import START, as_batch, made_up

from recocore.profiles import ProfileConfig, build


def same(name: str, found: Any, expected: Any) -> bool:
    if name.startswith("interest_") and isinstance(expected, list):
        return [entry["name"] for entry in found] == [name for name, _ in expected] and all(
            math.isclose(entry["weight"], weight, rel_tol=1e-12)
            for entry, (_, weight) in zip(found, expected, strict=True)
        )
    if isinstance(expected, list):  # lists of counts
        return [tuple(entry.values()) for entry in found] == expected
    if isinstance(expected, float) and isinstance(found, (int, float)):
        # What interests cancel out is as exact as what they are made of, which is at most some tens.
        return math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-10)
    return bool(found == expected)


@pytest.mark.parametrize(
    ("timezone", "as_of"),
    [
        ("UTC", START + timedelta(days=150)),
        ("America/New_York", START + timedelta(days=75)),  # beyond the change to winter time
        ("Asia/Kathmandu", START + timedelta(days=400)),  # everybody has gone; 5:45 from Greenwich
        ("Europe/Berlin", START + timedelta(days=37, hours=3, microseconds=1)),
    ],
)
@pytest.mark.parametrize("integer_users", [False, True])
def test_all_features_are_what_their_formulas_say(timezone: str, as_of: datetime, integer_users: bool) -> None:
    events = made_up(25, 1500, seed=4, integer_users=integer_users)
    expected = reference.profiles(events, as_of, timezone)
    table = build(as_batch(events), as_of, ProfileConfig(timezone=timezone))
    rows = table.table.to_pylist()
    assert [row["user_id"] for row in rows] == sorted(expected)
    wrong = []
    compared = set()
    for row in rows:
        wanted = expected[row["user_id"]]
        wanted["count_other"] = wanted.pop("count_blink", 0)
        for name, value in wanted.items():
            compared.add(name)
            if not same(name, row[name], value):
                wrong.append((row["user_id"], name, row[name], value))
        for name in row:
            if name.startswith("count_") and name not in wanted:
                assert row[name] == 0
    assert not wrong, wrong[:10]
    # All but the paths, whose order among equal counts the test below looks at.
    assert set(table.table.column_names) - compared - {"user_id", "paths"} == {
        name for name in table.table.column_names if name.startswith("count_") and name not in compared
    }


def test_paths_are_the_steps_within_sessions() -> None:
    events = []
    for number, (session, kind) in enumerate(
        [("a", "view"), ("b", "view"), ("a", "cart"), ("a", "view"), ("b", "view"), ("a", "cart"), ("a", "buy")]
    ):
        time = START + timedelta(minutes=number)
        events.append({"user_id": "u", "item_id": "i", "type": kind, "session_id": session, "event_time": time})
    row = build(as_batch(events), START + timedelta(days=1)).row("u")
    assert [(path["from"], path["to"], path["count"]) for path in row["paths"]] == [
        ("view", "cart", 2),
        ("cart", "buy", 1),
        ("cart", "view", 1),
        ("view", "view", 1),
    ]
    assert row["n_transitions"] == 5


@pytest.mark.parametrize(
    ("days_ago", "stage"),
    [
        ([3], "new"),
        ([29, 2], "new"),
        ([40, 5], "active"),
        ([75, 5], "returning"),
        ([200, 5], "resurrected"),
        ([31], "at_risk"),
        ([200, 40], "at_risk"),
        ([91], "dormant"),
        ([366], "lost"),
    ],
)
def test_life_cycle(days_ago: list[int], stage: str) -> None:
    as_of = START + timedelta(days=500)
    events = [
        {"user_id": "u", "item_id": "i", "type": "view", "event_time": as_of - timedelta(days=days)}
        for days in days_ago
    ]
    assert build(as_batch(events), as_of).row("u")["lifecycle"] == stage


def test_a_buyer_later_than_usual_is_at_risk() -> None:
    as_of = START + timedelta(days=100)

    def stage(last_order: int) -> str:
        bought = [last_order + 2 * step for step in range(20)]
        events = [
            {"user_id": "u", "item_id": "i", "type": kind, "value": 1.0, "event_time": as_of - timedelta(days=days)}
            for kind, when in (("buy", bought), ("view", [1]))
            for days in when
        ]
        return str(build(as_batch(events), as_of).row("u")["lifecycle"])

    assert (stage(2), stage(3)) == ("active", "at_risk")  # the own q90 gap is two days
