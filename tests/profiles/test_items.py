"""Profiles of items."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest
from tests.profiles import reference
from tests.profiles.logs import START, as_batch, made_up

from recocore.errors import InvalidArgumentError
from recocore.profiles import build_items

AS_OF = START + timedelta(days=150)


def test_features_are_what_their_formulas_say() -> None:
    events = made_up(25, 2000, seed=6)
    rows = {row["item_id"]: row for row in build_items(as_batch(events), AS_OF).to_pylist()}
    by_item: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in reference.visible(events, AS_OF):
        if event["item_id"] is not None:
            by_item[event["item_id"]].append(event)
    assert list(rows) == sorted(by_item)
    for item, seen in by_item.items():
        row = rows[item]
        bought = [event for event in seen if reference.is_purchase(event)]
        back = [event for event in seen if reference.is_refund(event)]
        paid = sum(reference.minor(event["value"]) or 0 for event in bought)
        given_back = sum(abs(reference.minor(event["value"]) or 0) for event in back)
        assert row["n_events"] == len(seen)
        assert row["n_users"] == len({event["user_id"] for event in seen})
        assert row["n_buyers"] == len({event["user_id"] for event in bought})
        assert (row["n_purchases"], row["n_refunds"]) == (len(bought), len(back))
        assert row["revenue"] == paid - given_back
        assert row["score"] == pytest.approx(
            sum(reference.WEIGHTS.get(event["type"], 0.0) * reference.decay(event, AS_OF) for event in seen), abs=1e-9
        )
        assert (row["first_event"], row["last_event"]) == (seen[0]["event_time"], seen[-1]["event_time"])
        assert row["category"] == seen[-1]["category"]
        assert row["price"] == reference.minor(seen[-1]["price"])
        places = [rows[other]["price"] for other in rows if rows[other]["category"] == row["category"]]
        assert row["price_percentile"] == pytest.approx(reference.place(row["price"], places))
        assert row["discounted_share"] == pytest.approx(reference.money_features(seen, AS_OF)["discount_affinity"])
    random.Random(1).shuffle(events)
    again = build_items(as_batch([*events, *(event for event in events if event["event_id"] is not None)]), AS_OF)
    assert again.to_pylist() == list(rows.values())


def test_labels() -> None:
    def event(item: str, kind: str, days: int, price: float, **more: Any) -> dict[str, Any]:
        paid = price if kind == "buy" else None
        return {"user_id": f"u{days}", "item_id": item, "type": kind, "value": paid, "price": price, "category": "c",
                "event_time": AS_OF - timedelta(days=days), **more}  # fmt: skip

    events = [
        *(event("bestseller", "buy", days, 50.0) for days in range(1, 60)),
        *(event("fresh", "view", days, 5.0) for days in range(1, 9)),
        *(event("bargain", "buy", days, 5.0, coupon_id="TEN") for days in range(40, 50)),
        *(event("jewel", "view", days, 900.0) for days in range(40, 45)),
        *(event("plain", "view", days, 5.0) for days in range(40, 45)),
    ]
    labels = {row["item_id"]: row["labels"] for row in build_items(as_batch(events), AS_OF).to_pylist()}
    assert labels == {
        "bestseller": ["hot", "star"],
        "fresh": ["new"],
        "bargain": ["promoted"],
        "jewel": ["premium"],
        "plain": ["regular"],
    }
    with pytest.raises(InvalidArgumentError, match="star_share"):
        build_items(as_batch(events), AS_OF, star_share=1.5)


def test_no_events() -> None:
    assert build_items(as_batch([]), AS_OF).num_rows == 0
    assert build_items(as_batch(made_up(3, 20, seed=1)), START - timedelta(days=1)).num_rows == 0
