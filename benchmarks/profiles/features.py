"""The feature set that all compute, in the form in which it is compared, and the same by plain Python."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.harness.scenario import WrongResultError
from benchmarks.profiles.log import HALF_LIFE_DAYS, TOP, TYPES, WEIGHTS

if TYPE_CHECKING:
    from datetime import datetime

WHOLE = [
    "n_events", *(f"count_{name}" for name in TYPES), "n_items", "active_days", "n_orders", "n_sessions",
    "spend_gross", "spend_refunded", "spend_min", "spend_max", "rfm_r", "rfm_f", "rfm_m",
]  # fmt: skip
REAL = ["spend_decayed", "gap_median"]
LISTS = ["categories", "category_weights", "brands", "brand_weights", "hours", "hour_counts"]
COLUMNS = ["user_id", "first_event", "last_event", *WHOLE, *REAL, *LISTS]

# Peers sum in their own order.
TOLERANCE = 1e-9


def of_users(log: pa.Table, users: list[str], as_of: datetime) -> dict[str, dict[str, Any]]:
    """The features of some users but the scores, by plain Python."""
    rows = log.filter(pc.is_in(log.column("user_id"), pa.array(users))).to_pylist()
    by_user: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["event_time"]):
        by_user[row["user_id"]].append(row)
    return {user: _features(events, as_of) for user, events in by_user.items()}


def _features(events: list[dict[str, Any]], as_of: datetime) -> dict[str, Any]:
    times = [event["event_time"] for event in events]
    bought = [event for event in events if event["type"] == "buy"]
    back = [event for event in events if event["type"] == "refund"]
    paid = [round(event["value"] * 100) for event in bought]
    given = [round(event["value"] * 100) for event in back]
    orders = sorted({event["event_time"] for event in bought})
    gaps = sorted((after - before) / timedelta(days=1) for before, after in itertools.pairwise(orders))
    middle = len(gaps) // 2
    hours = Counter(time.weekday() * 24 + time.hour for time in times)
    found: dict[str, Any] = {
        "n_events": len(events),
        **{f"count_{name}": sum(event["type"] == name for event in events) for name in TYPES},
        "n_items": len({event["item_id"] for event in events} - {None}),
        "active_days": len({time.date() for time in times}),
        "n_orders": len(orders),
        "n_sessions": len({event["session_id"] for event in events}),
        "first_event": times[0],
        "last_event": times[-1],
        "spend_gross": sum(paid),
        "spend_refunded": sum(given),
        "spend_min": min(paid, default=None),
        "spend_max": max(paid, default=None),
        "spend_decayed": sum(a * _decay(e, as_of) for a, e in zip(paid, bought, strict=True))
        - sum(a * _decay(e, as_of) for a, e in zip(given, back, strict=True)),
        "gap_median": None if not gaps else (gaps[middle] + gaps[-1 - middle]) / 2,
        "hours": sorted(hours),
        "hour_counts": [hours[hour] for hour in sorted(hours)],
    }
    for plural, name in (("categories", "category"), ("brands", "brand")):
        sums: dict[str, float] = defaultdict(float)
        for event in events:
            if event[name] is not None:
                sums[event[name]] += WEIGHTS.get(event["type"], 0.0) * _decay(event, as_of)
        best = sorted(((key, weight) for key, weight in sums.items() if weight > 0), key=lambda e: (-e[1], e[0]))[:TOP]
        found[plural] = [key for key, _ in best]
        found[f"{name}_weights"] = [weight for _, weight in best]
    return found


def _decay(event: dict[str, Any], as_of: datetime) -> float:
    return float(2.0 ** -((as_of - event["event_time"]) / timedelta(days=HALF_LIFE_DAYS)))


def compare(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Whole numbers exactly, real ones to a relative 1e-9; names of equal weights in any order.

    Raises:
        WrongResultError: they differ.
    """
    for name, value in expected.items():
        got = found[name]
        if name in {"categories", "brands"}:
            continue  # nearly equal weights may change places; the weights are compared
        if name.endswith("_weights"):
            right = len(got) == len(value) and all(map(_near, got, value))
        else:
            right = _near(got, value) if isinstance(value, float) else got == value
        if not right:
            raise WrongResultError(f"user {found.get('user_id')}: expected {name} {value!r}, got {got!r}")
    for name, weights in (("categories", "category_weights"), ("brands", "brand_weights")):
        gaps = [a - b for a, b in zip(expected[weights], expected[weights][1:], strict=False)]
        if all(gap > TOLERANCE for gap in gaps) and len(gaps) + 1 < TOP and found[name] != expected[name]:
            raise WrongResultError(f"user {found.get('user_id')}: expected {name} {expected[name]}, got {found[name]}")


def _near(found: Any, expected: Any) -> bool:
    return found is not None and math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
