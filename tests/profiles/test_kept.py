"""Profiles of packed events: those of the stream, whatever was kept, and features of a row as those of a table."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles.logs import made_up

from recocore import _native
from recocore.data import EVENT_SCHEMA, EventBatch
from recocore.data.times import to_us
from recocore.errors import CorruptError, InvalidArgumentError
from recocore.profiles import Features, KeptProfiles, ProfileConfig, Segmentation, TagSet, Updater, build
from recocore.profiles.row_features import feature_kinds, row_features
from recocore.profiles.tags.row_tags import RowTags

AS_OF = 1_790_000_000_000_000
FACTS = ("type", "item_id", "session_id", "order_id", "value", "price", "currency", "quantity", "dwell_ms", "query",
         "coupon_id", "category", "brand", "channel", "tags")  # fmt: skip
TAGS = {
    "dimensions": {"money": 2.0},
    "tags": [
        {
            "name": "spender",
            "when": "spend_net >= 1000",
            "weight_of": "spend_net / (spend_gross + 1)",
            "dimension": "money",
        },
        {"name": "fan", "when": "top_category_share > 0.2", "value_of": "top_category", "purpose": "personalisation"},
        {"name": "asleep", "when": "days_since_last_purchase > 100 or lifecycle == 'lost'"},
        {"name": "odd", "when": "n_orders >= 0", "weight_of": "1 - n_orders"},
    ],
}


def packed(events: list[dict[str, Any]], limit: int = 60_000, pieces: int = 3) -> bytes:
    """Events as a record keeps them, taken in by turns."""
    rows = [(to_us(event["event_time"], "event_time"), *(event.get(name) for name in FACTS)) for event in events]
    data = b""
    for begin in range(pieces):
        data = _native.kept_events_add(data, rows[begin::pieces], limit, 0)
    return data


def of(events: list[dict[str, Any]], user: str) -> list[dict[str, Any]]:
    # The log has an event once, and of two at one moment it tells which came first.
    return [{**event, "event_id": None, "known_time": None} for event in events if event["user_id"] == user]


def _arrow(events: list[dict[str, Any]]) -> EventBatch:
    ids = ("user_id", "item_id")
    fields = [pa.field(name, pa.string()) if name in ids else EVENT_SCHEMA.field(name) for name in events[0]]
    return EventBatch.from_arrow(pa.Table.from_pylist(events, pa.schema(fields)))


@pytest.mark.parametrize("path", ["type", "channel"])
def test_packed_events_give_the_profile_of_the_stream(path: str) -> None:
    events = [{**event, "event_id": None, "known_time": None} for event in made_up(8, 900, seed=2)]
    base = ProfileConfig(path=path, timezone="Europe/Berlin", search_types=("search",))
    table = build(_arrow(events), AS_OF, base)
    config = base.with_cuts(table.cuts)
    stream = Updater(config)
    stream.update(_arrow(events))
    kept = KeptProfiles(config)
    for user in table.column("user_id").to_pylist():
        found = kept.row([packed(of(events, user))], user, AS_OF)
        assert found is not None
        assert found.row == stream.row(user, AS_OF) == table.row(user)
        assert (found.currency, found.money_digits, found.complete_since) == ("EUR", 2, None)


# What purchases that were left out change, and nothing else of them does.
OF_ALL = ("first_purchase", "btyd_frequency", "btyd_recency", "btyd_t")
LEFT_OUT = {*OF_ALL, "btyd_mean_spend"}


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    limit=st.integers(100, 3_000),
    pieces=st.integers(1, 9),
    zone=st.sampled_from(["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati", "Europe/Berlin"]),
)
def test_what_is_kept_is_the_newest_that_fits(seed: int, limit: int, pieces: int, zone: str) -> None:
    events = of(made_up(1, 60, seed=seed), "u0")
    data = packed(events, limit, pieces)
    assert len(data) <= limit
    config = ProfileConfig(timezone=zone)
    found = KeptProfiles(config).row([data], "u0", AS_OF)
    if found is None:
        return
    ordered = sorted(events, key=lambda event: event["event_time"])
    newest, older = ordered[-found.row["n_events"] :], ordered[: -found.row["n_events"]]
    stream, whole = Updater(config), Updater(config)
    stream.update(_arrow(newest))
    whole.update(_arrow(events))
    row, of_kept, of_all = found.row, stream.row("u0", AS_OF), whole.row("u0", AS_OF)
    assert {**row, **dict.fromkeys(LEFT_OUT)} == {**of_kept, **dict.fromkeys(LEFT_OUT)}
    bought = [event for event in older if event["type"] == "buy" and (event["value"] or 0) >= 0]
    if not bought or limit < 256:
        assert row == of_kept
    elif 10 + 3 * len(bought) <= min(limit // 8, 128):
        assert {name: row[name] for name in OF_ALL} == {name: of_all[name] for name in OF_ALL}
        assert data == packed(events, limit, 1)
    else:
        # The first is always kept, and the days of the newest.
        assert (row["first_purchase"], row["btyd_t"]) == (of_all["first_purchase"], of_all["btyd_t"])
        assert 0 <= row["btyd_frequency"] <= of_all["btyd_frequency"]
    if found.complete_since is None:
        assert len(newest) == len(events)
    else:
        assert found.complete_since <= to_us(newest[0]["event_time"], "event_time")


def _purchases(days: list[float], **more: Any) -> list[dict[str, Any]]:
    start = AS_OF - 800 * 86_400_000_000
    return [
        {"user_id": "u0", "item_id": f"i{place}", "type": "buy", "value": 10.0, "currency": "EUR",
         "event_time": start + round(day * 86_400_000_000), **more}
        for place, day in enumerate(days)
    ]  # fmt: skip


def test_recency_frequency_and_age_are_those_of_all_purchases() -> None:
    """A customer of three years whose record has room for a tenth of the events."""
    views = [{**event, "type": "view", "value": None} for event in _purchases([700 + hour / 24 for hour in range(400)])]
    events = _purchases([0.4, 0.5, 30.9, 31.1, 200, 365.2, 710, 716]) + views
    late = _purchases([100.3, 30.95])
    data = packed(events, 1_024, 7)
    rows = [(to_us(event["event_time"], "event_time"), *(event.get(name) for name in FACTS)) for event in late]
    data = _native.kept_events_add(data, rows, 1_024, 0)
    assert len(data) <= 1_024
    for zone in ("UTC", "Asia/Kathmandu", "America/Los_Angeles"):
        config = ProfileConfig(timezone=zone)
        found = KeptProfiles(config).row([data], "u0", AS_OF)
        assert found is not None
        assert found.row["n_purchases"] < 8
        assert found.complete_since is not None
        whole = Updater(config)
        for event in events + late:
            whole.record(event)
        expected = whole.row("u0", AS_OF)
        assert {name: found.row[name] for name in OF_ALL} == {name: expected[name] for name in OF_ALL}
        # Every purchase is of 10.00, so days of one purchase have that mean.
        assert found.row["btyd_mean_spend"] is not None


def test_purchases_that_no_record_has_room_for_leave_the_first_and_the_newest() -> None:
    events = _purchases([float(day) for day in range(700)])
    found = KeptProfiles().row([packed(events, 1_024, 1)], "u0", AS_OF)
    whole = Updater()
    for event in events:
        whole.record(event)
    expected = whole.row("u0", AS_OF)
    assert found is not None
    assert expected is not None
    for name in ("first_purchase", "last_purchase", "btyd_recency", "btyd_t"):
        assert found.row[name] == expected[name]
    assert found.row["n_purchases"] < found.row["btyd_frequency"] < expected["btyd_frequency"]
    # Of each day one purchase: what is known of the mean holds for all.
    assert found.row["btyd_mean_spend"] == expected["btyd_mean_spend"] == 1_000


def test_purchases_are_forgotten_with_what_is_no_longer_kept() -> None:
    events = _purchases([float(day) for day in range(0, 700, 5)])
    data = packed(events, 1_024, 1)
    cutoff = to_us(events[80]["event_time"], "event_time") - 1
    row = (to_us(events[-1]["event_time"], "event_time") + 1, "view", *[None] * 14)
    found = KeptProfiles().row([_native.kept_events_add(data, [row], 1_024, cutoff)], "u0", AS_OF)
    assert found is not None
    first = to_us(found.row["first_purchase"], "event_time")
    # To a quarter of an hour, or to the next one that is kept.
    assert cutoff <= first
    assert KeptProfiles().row([data], "u0", AS_OF).row["first_purchase"] < found.row["first_purchase"]  # type: ignore[union-attr]


def test_other_purchase_types_and_windows_count_what_they_count() -> None:
    events = _purchases([1, 50, 300, 600, 700, 701, 702]) + [
        {**event, "type": "view", "value": None} for event in _purchases([703 + hour / 24 for hour in range(300)])
    ]
    data = packed(events, 512, 1)
    order = KeptProfiles(ProfileConfig(purchase_types=("order",))).row([data], "u0", AS_OF)
    assert order is not None
    assert order.row["btyd_frequency"] is None
    window = ProfileConfig(window=timedelta(days=250))
    found, whole = KeptProfiles(window).row([data], "u0", AS_OF), Updater(window)
    for event in events:
        whole.record(event)
    expected = whole.row("u0", AS_OF)
    assert found is not None
    assert expected is not None
    assert [found.row[name] for name in OF_ALL[1:]] == [expected[name] for name in OF_ALL[1:]]


def test_a_user_of_a_usual_shop_takes_no_more_than_a_kilobyte() -> None:
    events = of(made_up(1, 400, seed=1), "u0")
    data = packed(events, 1_024, 20)
    found = KeptProfiles().row([data], "u0", AS_OF)
    assert found is not None
    assert 20 <= found.row["n_events"] <= 60
    assert len(data) <= 1_024


def test_several_parts_are_one_person() -> None:
    events = of(made_up(1, 80, seed=4), "u0")
    kept = KeptProfiles()
    apart = kept.row([packed(events[::2]), packed(events[1::2])], "u0", AS_OF)
    whole = kept.row([packed(events)], "u0", AS_OF)
    assert apart is not None
    assert whole is not None
    assert apart.row == whole.row


def test_money_that_no_profile_can_have_counts_as_absent() -> None:
    at = 1_700_000_000_000_000
    event = {"event_time": at, "type": "buy", "item_id": "a", "currency": "EUR"}
    events = [
        {**event, "value": 1.25},
        {**event, "value": 0.333, "event_time": at + 1},
        {**event, "value": 9.0, "currency": "USD", "event_time": at + 2},
        {**event, "value": 2.0, "event_time": at + 3},
    ]
    found = KeptProfiles().row([packed(events)], "u0", AS_OF)
    assert found is not None
    assert (found.row["n_purchases"], found.row["spend_net"], found.currency) == (4, 325, "EUR")
    dollars = KeptProfiles(ProfileConfig(currency="USD")).row([packed(events)], "u0", AS_OF)
    assert dollars is not None
    assert (dollars.row["spend_net"], dollars.currency) == (900, "USD")


def test_nothing_is_no_profile_and_other_bytes_are_refused() -> None:
    kept = KeptProfiles()
    data = packed(of(made_up(1, 9, seed=4), "u0"))
    assert kept.row([], "u0", AS_OF) is None
    assert kept.row([data], "u0", 0) is None
    with pytest.raises(CorruptError, match="kept events"):
        kept.row([b"\x07" + data[1:]], "u0", AS_OF)
    with pytest.raises(InvalidArgumentError, match="which records keep, got 'device'"):
        KeptProfiles(ProfileConfig(dimensions=("category", "device")))


def test_features_and_words_of_a_row_are_those_of_the_table() -> None:
    events = [{**event, "event_id": None} for event in made_up(9, 400, seed=6)]
    table = build(_arrow(events), AS_OF)
    whole = Features(table)
    assert feature_kinds(table.config) == whole.kinds
    tags = TagSet.parse(TAGS, whole.kinds)
    given, rows = tags.apply(whole), RowTags(tags)
    segmentation = Segmentation.fit(table, features=("n_events", "spend_net", "days_since_last_event"), k=3)
    numbers = segmentation.assign(whole)
    for place, user in enumerate(table.column("user_id").to_pylist()):
        features = row_features(table.row(user), AS_OF)
        assert features == whole.row(user)
        found = rows.of(features, table.as_of_time)
        assert [tag for tag, _ in found] == given.of(user)
        assert [why for _, why in found] == [str(tags.explain(whole, user, tag.name)) for tag, _ in found]
        assert [tag.name for tag, _ in rows.of(features, table.as_of_time, {"personalisation"})] == [
            tag.name for tag in given.of(user) if tag.name != "fan"
        ]
        assert segmentation.assign_row(features) == numbers[place]
