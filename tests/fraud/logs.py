"""A made-up shop's orders, some of them card testing from shared devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from recocore.data import EventBatch

if TYPE_CHECKING:
    from recocore.types import Float64Array

SPECS = (
    "count by user_id over 1d",
    "count by device over 1h",
    "distinct user_id by device over 1d",
    "sum value by user_id over 7d",
    "ratio value by user_id over 7d",
    "count by device over 4w of fraud",
)
RULES = """
[[rules]]
name = "shared_device"
when = "distinct_user_id_by_device_1d >= 4"
outcome = "review"
score = 500

[[rules]]
name = "known_bad_device"
when = "count_by_device_4w_fraud > 0"
outcome = "decline"
score = 700
penalty = "freeze"

[[rules]]
name = "odd_ratio"
when = "ratio_value_by_user_id_1w > 20 and anomaly > 0.5"
score = 100

[[rules]]
name = "trial"
when = "country != 'TW' and hour < 6"
outcome = "challenge"
shadow = true
"""
US = 1_000_000


def orders(count: int = 3000, seed: int = 0) -> tuple[list[dict[str, Any]], Float64Array]:
    """Events (orders, and frauds as they become known a day later) and, for each, 1, 0 or NaN for what is no order."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, 30 * 86400, count)) * US
    events: list[tuple[int, dict[str, Any], float]] = []
    for number, time in enumerate(times.tolist()):
        fraud = rng.random() < 0.04
        device = f"bad{rng.integers(4)}" if fraud else f"d{rng.integers(400)}"
        event = {
            "event_id": f"e{number}",
            "event_time": time,
            "user_id": f"{'f' if fraud else 'u'}{rng.integers(500)}",
            "item_id": f"i{rng.integers(50)}",
            "type": "buy",
            "value": round(float(rng.lognormal(1 if fraud else 3, 1)), 2) if rng.random() < 0.98 else None,
            "device": device if rng.random() < 0.95 else None,
            "country": ["TW", "HK", None][rng.integers(3)],
        }
        events.append((time, event, float(fraud)))
        if fraud:
            known = {**event, "event_id": f"r{number}", "event_time": time + 86400 * US, "type": "fraud"}
            events.append((time + 86400 * US, known, float("nan")))
    events.sort(key=lambda each: each[0])
    return [event for _, event, _ in events], np.array([label for _, _, label in events])


def batch(events: list[dict[str, Any]]) -> EventBatch:
    """The same as a batch."""
    return EventBatch.from_arrow(pa.Table.from_pylist(events), time_unit="us")
