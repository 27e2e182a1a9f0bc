"""Logs for the tests of profiles: small shops with everything in them that a profile reads."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from recocore.data import EVENT_SCHEMA, EventBatch

Event = dict[str, Any]

# Of items: several, one, in another order, twice, none.
TAG_LISTS = [
    ["gift", "cotton"],
    ["cotton"],
    ["cotton", "gift"],
    ["wool", "gift", "gift"],
    [],
    None,
    ["größe xl", "wool"],
]

START = datetime(2025, 9, 20, tzinfo=UTC)
NAMES = [
    "event_id", "event_time", "known_time", "user_id", "item_id", "type", "value", "quantity", "session_id", "channel",
    "query", "dwell_ms", "category", "brand", "tags", "price", "currency", "order_id", "coupon_id",
]  # fmt: skip


def made_up(n_users: int, n_events: int, seed: int, days: int = 200, *, integer_users: bool = False) -> list[Event]:
    """Events of every kind, in no order: views, searches, orders, refunds, events known late, unknown types."""
    rng = random.Random(seed)
    events = []
    for number in range(n_events):
        user = rng.randrange(n_users)
        item = rng.randrange(30)
        kind = rng.choice(["view", "view", "view", "cart", "buy", "buy", "refund", "search", "impression", "blink"])
        # Minutes, so that times meet, but one user's never do: what a reference does with ties is not asked here.
        time = START + timedelta(minutes=rng.randrange(days * 1440), microseconds=number)
        price = [999, 1250, 1250, 4999, 75][item % 5] / 100
        quantity = rng.choice([None, 1, 2, 3])
        paid = round(price * (quantity or 1) * rng.choice([1.0, 1.0, 0.9]), 2)
        event: Event = {
            "event_id": f"e{number}" if rng.random() < 0.9 else None,
            "event_time": time,
            "known_time": time + timedelta(days=rng.randrange(60)) if rng.random() < 0.2 else None,
            "user_id": 10**9 * user - 5 if integer_users else f"u{user}",
            "item_id": None if kind == "search" else f"i{item}",
            "type": kind,
            "value": paid if kind in {"buy", "refund"} and rng.random() < 0.95 else None,
            "quantity": quantity,
            "session_id": f"s{user}-{time.date()}" if rng.random() < 0.6 else None,
            "channel": rng.choice(["web", "app", "mail", None]),
            "query": rng.choice([" Blue Mug", "blue mug", "pen", "", None]) if kind == "search" else None,
            "dwell_ms": rng.randrange(100_000) if kind == "view" else None,
            "category": None if kind == "search" else f"c{item % 7}",
            "brand": None if kind == "search" else f"b{item % 11}",
            "tags": None if kind == "search" else TAG_LISTS[item % len(TAG_LISTS)],
            "price": None if kind == "search" else price,
            "currency": "EUR",
            "order_id": rng.choice([f"o{user}-{time.date()}", None]) if kind == "buy" else None,
            "coupon_id": rng.choice(["TEN", None, None]) if kind == "buy" else None,
        }
        if kind == "buy" and rng.random() < 0.05 and event["value"] is not None:
            event["value"] = -event["value"]
        events.append(event)
    return events


def as_batch(events: list[Event]) -> EventBatch:
    """The events as the package takes them."""
    columns = {}
    for name in NAMES:
        kind = EVENT_SCHEMA.field(name).type
        if name == "user_id" and any(isinstance(event["user_id"], int) for event in events):
            kind = pa.int64()
        columns[name] = pa.array([event.get(name) for event in events], kind)
    return EventBatch.from_arrow(pa.table(columns))
