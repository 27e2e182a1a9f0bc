"""The synthetic shop: repeatable, sound, and with something to find."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from recocore.data import CleaningRules, EventBatch, Interactions, Reason, Shop, clean, split_by_time, synthetic_shop
from recocore.data.synthetic import DAYS, START
from recocore.errors import InvalidArgumentError


@pytest.fixture(scope="module")
def shop() -> Shop:
    return synthetic_shop(n_users=600, n_items=300, n_events=15_000, seed=5)


def test_the_same_seed_gives_the_same_shop_and_another_another() -> None:
    shops = [synthetic_shop(40, 30, 500, seed=seed, dirt=0.1) for seed in (1, 1, 2)]
    for part in ("users", "items"):
        assert getattr(shops[0], part).equals(getattr(shops[1], part))
    assert shops[0].events.table.equals(shops[1].events.table)
    assert not shops[0].events.table.equals(shops[2].events.table)


def test_the_log_is_in_order_and_knows_its_users_and_items(shop: Shop) -> None:
    table = shop.events.table
    assert len(shop.events) == 15_000
    times = table.column("event_time").to_numpy()
    assert (np.diff(times) >= np.timedelta64(0)).all()
    start = np.datetime64(START.replace(tzinfo=None))
    assert start <= times[0] <= times[-1] < start + np.timedelta64(DAYS, "D")
    assert pc.count_distinct(table.column("event_id")).as_py() == 15_000
    assert set(table.column("user_id").to_pylist()) <= set(shop.users.column("user_id").to_pylist())
    assert set(table.column("item_id").to_pylist()) - {None} <= set(shop.items.column("item_id").to_pylist())
    assert shop.items.column("item_id")[17].as_py() == "p00017"
    assert pc.min(shop.items.column("price")).as_py() > 0


def test_sessions_search_view_cart_buy_and_refund(shop: Shop) -> None:
    rows = shop.events.table.to_pylist()
    counts = {kind: sum(row["type"] == kind for row in rows) for kind in ("view", "search", "cart", "buy", "refund")}
    assert sum(counts.values()) == len(rows)
    assert counts["view"] > counts["cart"] > counts["buy"] > counts["refund"] > 0
    assert counts["search"] > 0
    stages: dict[tuple[str, str | None], set[str]] = {}
    for row in rows:
        key = (row["session_id"], row["item_id"])
        stages.setdefault(key, set()).add(row["type"])
        assert (row["item_id"] is None) == (row["type"] == "search") == (row["query"] is not None)
        assert (row["value"] is not None) == (row["type"] in {"cart", "buy", "refund"})
    assert all("view" in stage for (_, item), stage in stages.items() if item is not None)
    assert all("buy" in stage for stage in stages.values() if "refund" in stage)
    assert len({row["user_id"] for row in rows if row["session_id"] == rows[0]["session_id"]}) == 1
    assert any(row["coupon_id"] for row in rows)


def test_popularity_and_activity_are_uneven(shop: Shop) -> None:
    for name in ("item_id", "user_id"):
        counts = np.sort(pc.value_counts(shop.events.column(name).drop_null()).field("counts").to_numpy())[::-1]
        assert counts[: len(counts) // 10].sum() > 0.2 * counts.sum()


def recall_at_20(scores: Any, train: Any, test: Any) -> float:
    fresh = (test > 0) & ~(train > 0)
    users = fresh.any(axis=1)
    top = np.argsort(np.where(train > 0, -np.inf, scores), axis=1)[:, -20:]
    hits = np.take_along_axis(fresh, top, axis=1).sum(axis=1)[users]
    return float((hits / np.minimum(20, fresh.sum(axis=1)[users])).mean())


def test_a_neighbourhood_model_clearly_beats_popularity_on_a_time_split(shop: Shop) -> None:
    split = split_by_time(shop.events, fraction=0.2)
    train, test = split.train.matrix.to_scipy().toarray(), split.test.matrix.to_scipy().toarray()
    met = (train > 0).astype(np.float64)
    norms = np.sqrt(np.maximum(met.sum(axis=0), 1))
    cosine = met.T @ met / np.outer(norms, norms)
    np.fill_diagonal(cosine, 0)
    popular = recall_at_20(np.broadcast_to(met.sum(axis=0), met.shape), train, test)
    assert recall_at_20(met @ cosine, train, test) > 1.5 * popular > 0


def test_a_clean_shop_is_clean(shop: Shop) -> None:
    cleaned = clean(shop.events, CleaningRules(now=START + dt.timedelta(days=DAYS), not_before=START))
    assert cleaned.report.rows_quarantined == 0
    assert Interactions.from_events(cleaned.events).nnz > 0


def test_dirt_is_found_by_cleaning_and_nothing_else_is() -> None:
    dirty = synthetic_shop(n_users=100, n_items=60, n_events=4_000, seed=3, dirt=0.05)
    report = clean(dirty.events, CleaningRules(now=START + dt.timedelta(days=DAYS))).report
    assert report.rows_in == 4_000 + 40
    found = {reason: count for reason, count in report.counts.items() if count}
    expected = {"duplicate_event_id", "missing_user_id", "missing_item_id", "future_time", "negative_value"}
    assert found == {Reason(name): 40 for name in expected}


@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 1, 50), (500, 3, 7), (3, 500, 100)])
def test_small_shops(sizes: tuple[int, int, int]) -> None:
    shop = synthetic_shop(*sizes, dirt=0.5)
    assert (shop.users.num_rows, shop.items.num_rows) == sizes[:2]
    assert len(shop.events) >= sizes[2]
    assert isinstance(shop.events, EventBatch)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_users": 0}, "n_users: expected an integer of at least 1, got 0"),
        ({"n_items": 2.5}, "n_items: expected an integer"),
        ({"n_events": True}, "n_events: expected an integer"),
        ({"dirt": 1.0}, r"dirt: expected a share in \[0, 1\), got 1.0"),
        ({"dirt": float("nan")}, r"dirt: expected a share"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        synthetic_shop(**arguments)
