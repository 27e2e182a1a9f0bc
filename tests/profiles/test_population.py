"""From log to segments, tags and report on real and made-up logs, through the package and the command line."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recocore.data import EventBatch, synthetic_shop
from recocore.profiles import ProfileConfig, build
from recocore.profiles.features import Features
from recocore.profiles.identity import Identities
from recocore.profiles.lifetime import LifetimeModels, lifetime_features
from recocore.profiles.report import render
from recocore.profiles.segments import Segmentation, drift, retention
from recocore.profiles.tags import TagSet

if TYPE_CHECKING:
    from pathlib import Path

TAGS = {
    "dimensions": {"money": 2, "loyalty": 1},
    "tags": [
        {"name": "big_spender", "when": "level >= 90", "weight_of": "level / 100", "dimension": "money"},
        {"name": "leaving", "when": "p_alive_mbg < 0.5 and n_orders >= 2", "dimension": "loyalty"},
        {"name": "returns_a_lot", "when": "refund_share > 0.2", "purpose": "analytics"},
    ],
}


def online_retail(data: Path) -> tuple[EventBatch, ProfileConfig]:
    lines = pq.read_table(data / "online-retail" / "lines.parquet")
    frame = lines.filter(pc.is_valid(lines.column("CustomerID")))
    table = pa.table(
        {
            "user_id": frame.column("CustomerID"),
            "item_id": frame.column("StockCode"),
            "type": pa.repeat("buy", frame.num_rows),
            "order_id": frame.column("InvoiceNo"),
            "event_time": frame.column("InvoiceDate"),
            "value": pc.multiply(frame.column("Quantity").cast(pa.float64()), frame.column("UnitPrice")),
            "price": frame.column("UnitPrice"),
            "quantity": frame.column("Quantity"),
        }
    )
    config = ProfileConfig(currency="GBP", money_digits=3, timezone="Europe/London")  # some lines cost 0.001
    return EventBatch.from_arrow(table, timezone="Europe/London"), config


def test_online_retail_whole(data: Path) -> None:
    events, config = online_retail(data)
    until = pc.max(events.column("event_time")).as_py() + timedelta(days=1)
    profiles = build(events, until, config)
    models = LifetimeModels.fit(profiles)
    columns = models.features(profiles)
    features = Features(profiles, columns)
    known = np.isfinite(features.numbers("btyd_frequency"))
    for name, low, high in (("p_alive", 0, 1), ("p_alive_mbg", 0, 1), ("expected_purchases", 0, 90), ("clv", 0, 1e12)):
        values = features.numbers(name)
        assert np.isfinite(values[known]).all(), name
        assert ((values[known] >= low) & (values[known] <= high)).all(), name
        assert np.isnan(values[~known]).all(), name
    # The models foresee: fitted to the first nine months, they rank who buys in the three that follow.
    middle = until - timedelta(days=90)
    early = build(events, middle, config)
    told = lifetime_features(early)
    later = events.filter(
        np.asarray(pc.greater_equal(events.column("event_time"), pa.scalar(middle, events.column("event_time").type)))
    )
    bought = pc.is_in(early.column("user_id"), value_set=later.column("user_id").combine_chunks()).to_numpy()
    alive, frequency = (np.nan_to_num(table.to_numpy()) for table in (told.column("expected_purchases_mbg"),
                                                                      early.column("btyd_frequency")))  # fmt: skip
    assert auc(alive, bought) > max(0.7, auc(frequency, bought))
    segments = Segmentation.fit(features, k=4)
    again = Segmentation.fit(Features(early), k=5, previous=segments)
    assert (segments.numbers, again.numbers) == ((1, 2, 3, 4), (1, 2, 3, 4, 5))
    tags = TagSet.parse(TAGS, features.kinds)
    given = tags.apply(features)
    level = features.numbers("level")
    assert given.counts()["big_spender"] == int((level >= 90).sum())
    kept = retention(events, until, "month", config.timezone)
    assert int(kept.sizes.sum()) == len(profiles)
    assert kept.cohorts[0] == "2010-12-01"
    moved = drift(early, profiles)
    assert (np.asarray(moved.column("psi")) >= 0).all()
    page = render(profiles, retention=kept, segments=segments, tags=tags, before=early)
    assert "GBP" in page
    assert "2010-12" in page


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """The probability that a positive scores above a negative, ties a half."""
    ranks = np.searchsorted(np.sort(scores), scores, "left") + np.searchsorted(np.sort(scores), scores, "right")
    n = positive.sum()
    return float((ranks[positive].sum() / 2 - n * n / 2) / (n * (len(scores) - n)))


def test_retailrocket_whole(data: Path) -> None:
    """No money and no orders: what needs them is left out, and nothing fails."""
    source = pq.read_table(data / "retailrocket" / "events.parquet")
    events = EventBatch.from_arrow(
        source, {"user_id": "user", "item_id": "item", "type": "event", "event_time": "timestamp"}, time_unit="s"
    )
    until = pc.max(events.column("event_time")).as_py() + timedelta(seconds=1)
    profiles = build(events, until)
    assert len(profiles) == 2_174
    features = Features(profiles, lifetime_features(profiles))
    assert np.isnan(features.numbers("clv")).all()
    segments = Segmentation.fit(features, ("n_events", "active_days", "count_buy", "days_since_last_event"), k=3)
    assert sum(segments.sizes) == 2_174
    kept = retention(events, until, "week")
    assert int(kept.sizes.sum()) == 2_174
    assert "Retention" in render(profiles, segments=segments, retention=kept)


def test_a_merge_moves_the_events_and_its_undoing_moves_them_back() -> None:
    events = synthetic_shop(n_users=30, n_items=20, n_events=600, seed=4).events
    until = pc.max(events.column("event_time")).as_py() + timedelta(seconds=1)
    users = pc.unique(events.column("user_id")).to_pylist()
    known = Identities()
    number = known.merge_users(users[0], users[1], at=until - timedelta(days=10))
    apart, together = build(events, until), build(known.apply(events), until)
    assert len(together) == len(apart) - 1
    for name in ("n_events", "n_orders", "spend_net"):
        both = sum(apart.row(user)[name] for user in users[:2])
        assert together.row(users[1])[name] == both, name
    known.unmerge(number, at=until)
    assert build(known.apply(events), until).table.equals(apart.table)
    # As of a moment before the merge was known, there is none.
    past = until - timedelta(days=20)
    assert build(known.apply(events, past), past).table.equals(build(events, past).table)


def test_profiles_of_a_made_up_shop_go_all_the_way() -> None:
    events = synthetic_shop(n_users=150, n_items=60, n_events=4_000, seed=1).events
    until = pc.max(events.column("event_time")).as_py() + timedelta(seconds=1)
    profiles = build(events, until)
    columns = lifetime_features(profiles)
    features = Features(profiles, columns)
    given = TagSet.parse(TAGS, features.kinds).apply(features)
    assert set(given.counts()) <= {tag["name"] for tag in TAGS["tags"]}  # type: ignore[index]
    assert "<h2>Segments</h2>" in render(profiles, segments=Segmentation.fit(features, most=4))


def test_profiles_of_many_events_are_those_of_each_user_s_own() -> None:
    """Logs of more than 131,072 events are laid out in parts, here of users in the order of their ids."""
    log = synthetic_shop(n_users=3000, n_items=200, n_events=150_000, seed=5).events.table
    as_of = pc.max(log.column("event_time")).as_py() + timedelta(seconds=1)
    whole = build(EventBatch(log), as_of)
    users = whole.table.column("user_id")
    config = whole.config.with_cuts(whole.cuts)
    bounds = [users[0], users[len(users) // 3], users[2 * len(users) // 3], pa.scalar("v")]
    parts = []
    for low, high in pairwise(bounds):
        ours = pc.and_(pc.greater_equal(log.column("user_id"), low), pc.less(log.column("user_id"), high))
        assert 20_000 < pc.sum(ours).as_py() < 131_072
        parts.append(build(EventBatch(log.filter(ours)), as_of, config).table)
    assert pa.concat_tables(parts).equals(whole.table)
