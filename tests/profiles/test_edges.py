"""What does not fit is refused by name, and what fits at the edge is right."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from tests.profiles.logs import START, as_batch

from recocore.data import EventBatch
from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.profiles import CutPoints, ProfileConfig, Updater, build

DAY = timedelta(days=1)


def purchase(**changes: Any) -> dict[str, Any]:
    return {"user_id": "u", "item_id": "i", "type": "buy", "value": 1.0, "event_time": START, **changes}


def row(*events: dict[str, Any], config: ProfileConfig | None = None, as_of: datetime = START + DAY) -> dict[str, Any]:
    return build(as_batch(list(events)), as_of, config).row(events[0]["user_id"])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.001, 1.005, 1e12, 2.0**60])
def test_money_that_is_no_number_of_minor_units_is_refused(value: float) -> None:
    for name in ("value", "price"):
        with pytest.raises(InvalidArgumentError, match=f"{name}: expected amounts with at most 2 decimals"):
            row(purchase(), purchase(**{name: value}))


@pytest.mark.parametrize(
    ("currency", "digits", "value", "units"),
    [
        ("EUR", None, 0.29, 29),
        ("EUR", None, 3 * 5.1, 1530),  # 15.299999999999999
        ("EUR", None, 80_000_000_000.01, 8_000_000_000_001),
        ("JPY", None, 1200.0, 1200),
        ("KWD", None, 1.005, 1005),
        (None, None, 0.07, 7),
        ("EUR", 4, 0.0001, 1),
    ],
)
def test_minor_units_are_the_currencys(currency: str | None, digits: int | None, value: float, units: int) -> None:
    found = row(purchase(value=value, currency=currency), config=ProfileConfig(money_digits=digits))
    assert found["spend_gross"] == units


def test_currencies_are_not_added_up() -> None:
    with pytest.raises(InvalidArgumentError, match="money of one currency, got EUR, USD"):
        row(purchase(currency="EUR"), purchase(currency="USD"))
    with pytest.raises(InvalidArgumentError, match="got EUR, USD"):
        row(purchase(currency="USD"), config=ProfileConfig(currency="EUR"))
    # A view without money may be in a shop of another country.
    view = {"user_id": "u", "item_id": "i", "type": "view", "event_time": START, "currency": "USD"}
    assert build(as_batch([purchase(currency="EUR"), view]), START + DAY).currency == "EUR"
    # Yen after money that named no currency was counted in hundredths.
    updater = Updater()
    updater.update(as_batch([purchase()]))
    with pytest.raises(InvalidArgumentError, match="set currency in the configuration"):
        updater.update(as_batch([purchase(currency="JPY")]))


def test_the_largest_sums_are_exact_and_larger_ones_refused() -> None:
    most = float(2**43)
    config = ProfileConfig(money_digits=0)
    events = [purchase(value=most, event_time=START + timedelta(seconds=i)) for i in range(1000)]
    assert row(*events, config=config)["spend_gross"] == 1000 * 2**43
    with pytest.raises(InvalidArgumentError, match="below 2\\*\\*63 minor units"):
        row(purchase(price=most, quantity=2**31 - 1), config=config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"event_time": None}, "event_time in each of 2 events, got 1 missing"),
        ({"user_id": None}, "user_id in each of 2 events, got 1 missing"),
        ({"user_id": ""}, "user_id in each of 2 events, got 1 missing"),
        ({"dwell_ms": -1}, "dwell_ms: expected numbers from 0"),
        ({"dwell_ms": 2**40}, "dwell_ms: expected numbers from 0 to 2147483647"),
        ({"quantity": 2**40}, "quantity: expected numbers from"),
    ],
)
def test_events_that_cannot_be_read_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        build(as_batch([purchase(), purchase(**changes)]), START)


def test_what_is_no_batch_of_events_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="expected a pyarrow"):
        build([1, 2], START)
    with pytest.raises(InvalidArgumentError, match="expected a column event_time"):
        build(pa.table({"user_id": ["u"], "item_id": ["i"]}), START)
    with pytest.raises(InvalidArgumentError, match="datetime with a zone"):
        build(as_batch([purchase()]), datetime(2026, 1, 1))
    with pytest.raises(InvalidArgumentError, match="num_threads"):
        build(as_batch([purchase()]), START, num_threads=-1)


def test_times_beyond_the_calendar_are_refused() -> None:
    events = EventBatch.from_arrow(
        pa.table({"user_id": ["u"], "item_id": ["i"], "event_time": pa.array([2**62], pa.timestamp("us", "UTC"))})
    )
    with pytest.raises(InvalidArgumentError, match="event_time"):
        build(events, START)
    with pytest.raises(InvalidArgumentError, match="plan"):
        build(as_batch([purchase()]), 2**62)


def test_as_of_in_every_form() -> None:
    events = as_batch([purchase()])
    moment = START + DAY
    us = int(moment.timestamp()) * 1_000_000
    forms: list[Any] = [moment, us, np.datetime64(us, "us"), np.int64(us)]
    tables = [build(events, form) for form in forms]
    assert all(table.table.equals(tables[0].table) for table in tables)
    assert tables[0].as_of_time == moment


def test_a_user_with_one_event() -> None:
    found = row(purchase(type="view", value=None))
    nothing = {name for name, value in found.items() if value is None}
    assert {
        "first_purchase",
        "rfm_r",
        "gap_median",
        "regularity",
        "btyd_t",
        "refund_rate",
        "price_percentile",
    } <= nothing
    assert (found["n_events"], found["n_sessions"], found["bounce_rate"], found["session_seconds"]) == (1, 1, 1.0, 0.0)
    found = row(purchase())
    assert (found["btyd_frequency"], found["btyd_recency"], found["btyd_t"], found["btyd_mean_spend"]) == (
        0,
        0,
        0,
        None,
    )
    assert (found["gap_median"], found["spend_min"], found["spend_max"]) == (None, 100, 100)


def test_ids_of_billions_and_of_both_ends() -> None:
    ids = [2**63 - 1, 10**9, 0, -1, -(2**63)]
    events = as_batch([purchase(user_id=user) for user in ids])
    table = build(events, START + DAY)
    assert table.column("user_id").to_pylist() == sorted(ids)
    updater = Updater()
    updater.update(events)
    assert updater.table(START + DAY).table.equals(table.table)
    for user in ids:
        assert updater.row(user, START + DAY)["n_orders"] == table.row(user)["n_orders"] == 1
    with pytest.raises(NotFoundError):
        updater.row(2**80, START + DAY)
    with pytest.raises(InvalidArgumentError, match="user_id: expected one of int64, got 'u'"):
        updater.row("u", START + DAY)
    with pytest.raises(NotFoundError):
        table.row(17)


def test_events_before_the_epoch_and_of_other_centuries() -> None:
    early = datetime(1969, 7, 20, 20, 17, 40, 1, tzinfo=UTC)  # a Sunday
    found = row(purchase(event_time=early), as_of=early + timedelta(microseconds=1))
    assert (found["first_event"], found["active_hours"]) == (early, [{"hour": 6 * 24 + 20, "count": 1}])
    for year in (1, 1583, 9998):
        time = datetime(year, 3, 1, 12, tzinfo=UTC)
        found = row(purchase(event_time=time), as_of=time + 400 * DAY)
        assert found["active_hours"] == [{"hour": time.weekday() * 24 + 12, "count": 1}]
        assert (found["lifecycle"], found["btyd_t"]) == ("lost", 400.0 - (time.hour == 0))


@pytest.mark.parametrize(
    ("zone", "utc", "hour"),
    [
        # Berlin: 2:00 becomes 3:00 on 30 March 2025, and 3:00 becomes 2:00 on 26 October; both are Sundays.
        ("Europe/Berlin", datetime(2025, 3, 30, 0, 59, 59, 999_999, tzinfo=UTC), 144 + 1),
        ("Europe/Berlin", datetime(2025, 3, 30, 1, 0, tzinfo=UTC), 144 + 3),
        ("Europe/Berlin", datetime(2025, 10, 26, 0, 59, tzinfo=UTC), 144 + 2),
        ("Europe/Berlin", datetime(2025, 10, 26, 1, 0, tzinfo=UTC), 144 + 2),
        ("Australia/Lord_Howe", datetime(2025, 7, 1, 0, 0, tzinfo=UTC), 24 + 10),  # half an hour of summer time
        ("Pacific/Apia", datetime(2011, 12, 30, 10, 0, tzinfo=UTC), 5 * 24),  # Friday the 30th was left out
        ("America/Los_Angeles", datetime(2025, 1, 6, 7, 59, tzinfo=UTC), 6 * 24 + 23),
    ],
)
def test_local_hours_know_daylight_saving(zone: str, utc: datetime, hour: int) -> None:
    events = as_batch([purchase(event_time=utc)])
    as_of = utc + DAY
    expected = [{"hour": hour, "count": 1}]
    assert build(events, as_of, ProfileConfig(timezone=zone)).row("u")["active_hours"] == expected
    # The user's own zone, in batch and in the stream.
    assert build(events, as_of, timezones={"u": zone, "other": "Asia/Tokyo"}).row("u")["active_hours"] == expected
    updater = Updater()
    updater.update(events)
    assert updater.table(as_of, timezones={"u": zone}).row("u")["active_hours"] == expected
    assert updater.row("u", as_of, timezone=zone)["active_hours"] == expected


def test_a_day_that_clocks_bring_back_is_one_day_with_its_own_money() -> None:
    # In St. John's, until 2011, a minute after midnight it was 23:01 again: the 7th for a minute, then the 6th, then the 7th.
    moments = [(2, 30, 30), (3, 0, 0), (3, 30, 0)]
    times = [datetime(2010, 11, 7, hour, minute, second, tzinfo=UTC) for hour, minute, second in moments]
    zone = ZoneInfo("America/St_Johns")
    assert [time.astimezone(zone).day for time in times] == [7, 6, 7]
    config = ProfileConfig(timezone=zone.key)
    for count, spent_on_the_7th in ((2, 100), (3, 1_700)):
        events = [purchase(event_time=time, value=4.0**place) for place, time in enumerate(times[:count])]
        found = build(as_batch(events), times[-1] + 10 * DAY, config).row("u")
        assert (found["active_days"], found["btyd_frequency"], found["btyd_recency"]) == (2, 1, 1.0)
        assert found["btyd_mean_spend"] == spent_on_the_7th


def test_an_unknown_zone_is_refused() -> None:
    for call in (
        lambda: row(purchase(), config=ProfileConfig(timezone="Mars/Olympus")),
        lambda: build(as_batch([purchase()]), START, timezones={"u": "../etc/passwd"}),
    ):
        with pytest.raises(InvalidArgumentError, match="IANA name"):
            call()


def test_quiet_hours() -> None:
    night = [purchase(event_time=START.replace(hour=3, minute=minute)) for minute in range(50)]
    assert row(*night)["send_hour"] % 24 >= 8
    awake = row(*night, config=ProfileConfig(quiet_hours=(0, 0)))
    assert awake["send_hour"] == START.weekday() * 24 + 2  # 2:00 to 5:00, around three
    nowhere = row(*night, config=ProfileConfig(quiet_hours=(1, 0)))
    assert (nowhere["send_hour"], nowhere["send_share"]) == (None, None)
    # Across the end of the week, and across midnight.
    sunday = [purchase(event_time=datetime(2025, 9, 21, 23, 59, tzinfo=UTC))] * 9
    late = row(*sunday, config=ProfileConfig(quiet_hours=(4, 8), hour_kernel=(1, 1, 1)), as_of=START + 9 * DAY)
    assert late["send_hour"] == 6 * 24 + 22


def test_top_entries_and_what_is_cut_off() -> None:
    events = [
        purchase(event_time=START + timedelta(minutes=i), category=f"c{i % 9}", type="view", value=None)
        for i in range(30)
    ]
    found = row(*events, config=ProfileConfig(top=2))
    whole = row(*events, config=ProfileConfig(top=20))
    weights = [entry["weight"] for entry in whole["interest_category"]]
    assert found["interest_category"] == whole["interest_category"][:2]
    assert found["interest_category_truncated"] == pytest.approx(sum(weights[2:]), rel=1e-12)
    assert whole["interest_category_truncated"] == 0.0


def test_half_lives_of_their_own() -> None:
    config = ProfileConfig(half_lives={"brand": DAY, "spend": 2 * DAY}, half_life=4 * DAY, weights={"buy": 1.0})
    found = row(purchase(brand="b", category="c"), config=config, as_of=START + 4 * DAY)
    assert found["interest_brand"][0]["weight"] == 2.0**-4
    assert found["interest_category"][0]["weight"] == 2.0**-1
    assert found["spend_decayed"] == 25.0
    # So old that nothing is left, and no error.
    assert row(purchase(brand="b"), config=config, as_of=START + 400_000 * DAY)["interest_brand"] == []


def test_other_columns_may_be_interests_and_paths() -> None:
    config = ProfileConfig(dimensions=("country", "device"), path="page")
    events = [
        {"user_id": "u", "item_id": "i", "type": "view", "event_time": START + timedelta(minutes=i), "page": page,
         "country": "DE", "device": None}
        for i, page in enumerate(["home", "list", None, "home", "list"])
    ]  # fmt: skip
    found = build(pa.Table.from_pylist(events), START + DAY, config).row("u")
    assert [(step["from"], step["to"], step["count"]) for step in found["paths"]] == [
        ("home", "list", 2),
        ("list", "home", 1),
    ]
    assert [entry["name"] for entry in found["interest_country"]] == ["DE"]
    assert found["interest_device"] == []
    assert "interest_price_band" not in found  # there is no category to place a price in


@pytest.mark.parametrize(
    "changes",
    [
        {"dimensions": ("category", "nonsense")},
        {"dimensions": ("category",) * 2},
        {"dimensions": ("category", "brand", "channel", "country", "device")},
        {"half_life": timedelta(0)},
        {"half_lives": {"nonsense": DAY}},
        {"weights": {"buy": math.nan}},
        {"purchase_types": ("buy",), "refund_types": ("buy",)},
        {"top": 0},
        {"quiet_hours": (8, 24)},
        {"send_window": 25},
        {"hour_kernel": (1.0, 1.0)},
        {"hour_prior": -1.0},
        {"dormant_after": DAY},
        {"money_digits": 10},
        {"types": ("a", "a")},
        {"path": "price"},
        {"rfm_bins": 0},
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{next(reversed(changes))}|path|{next(iter(changes))}"):
        ProfileConfig(**changes)


def test_configurations_travel_as_json() -> None:
    cuts = CutPoints(recency=(1.0, math.inf), frequency=(2.0,), offers={"c": ((1, 5), (2, 1))})
    config = ProfileConfig(window=9 * DAY, half_lives={"brand": DAY}, cuts=cuts, timezone="Asia/Shanghai")
    again = ProfileConfig.from_json(config.to_json())
    assert again == config
    assert again.cuts is not None
    assert again.cuts.version == cuts.version
