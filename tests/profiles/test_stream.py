"""Batch and stream give the same profile, whatever order, repeats, delays and splits events come in."""

from __future__ import annotations

import os
import random
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.profiles.logs import START, as_batch, made_up

from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.profiles import ProfileConfig, Updater, build

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

EXAMPLES = int(os.environ.get("RECOCORE_PROFILE_EXAMPLES", "40"))


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Events of few users and times, so that everything meets: ties, repeats, refunds, late and early knowledge."""
    events = []
    for number in range(draw(st.integers(1, 25))):
        time = START + timedelta(hours=draw(st.integers(-30, 24 * 120)))
        kind = draw(st.sampled_from(["view", "cart", "buy", "refund", "search", "impression", "strange"]))
        price = draw(st.sampled_from([None, 1.25, 9.99, 100.0]))
        events.append(
            {
                "event_id": draw(st.sampled_from([None, f"e{number}", f"e{number}", f"e{number // 2}"])),
                "event_time": time,
                "known_time": draw(st.sampled_from([None, time, time + timedelta(days=40)])),
                "user_id": draw(st.sampled_from(["ann", "bob", "çelik", "x" * 40])),
                "item_id": draw(st.sampled_from(["mug", "pen", None])),
                "type": kind,
                "value": draw(st.sampled_from([None, 5.0, 0.01, -3.5])) if kind in {"buy", "refund"} else None,
                "quantity": draw(st.sampled_from([None, 1, 3])),
                "session_id": draw(st.sampled_from([None, "s1", "s2"])),
                "channel": draw(st.sampled_from([None, "web", "app"])),
                "query": draw(st.sampled_from([None, "mug", " MUG "])),
                "dwell_ms": draw(st.sampled_from([None, 0, 5000])),
                "category": draw(st.sampled_from([None, "home", "office"])),
                "brand": draw(st.sampled_from([None, "acme", "zeta"])),
                "price": price,
                "currency": "EUR",
                "order_id": draw(st.sampled_from([None, "o1", "o2"])),
                "coupon_id": draw(st.sampled_from([None, "TEN"])),
            }
        )
    return events


def same(first: pa.Table, second: pa.Table) -> bool:
    """Equal to the bit, decayed values too."""
    return bool(first.equals(second))


@given(history=histories(), seed=st.integers(0, 2**32), days=st.integers(-2, 130))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_order_split_and_repetition_gives_the_batch_profile(
    history: list[dict[str, Any]], seed: int, days: int
) -> None:
    as_of = START + timedelta(days=days)
    expected = build(as_batch(history), as_of)
    rng = random.Random(seed)
    # Events without an id cannot be told from their repeats, so only the others are sent again.
    arrived = [*history, *(event for event in history if event["event_id"] is not None and rng.random() < 0.5)]
    rng.shuffle(arrived)
    assert same(build(as_batch(arrived), as_of).table, expected.table)
    updater, other = Updater(), Updater()
    while arrived:
        size = rng.randrange(1, 8)
        rng.choice([updater, other]).update(as_batch(arrived[:size]))
        del arrived[:size]
    updater.merge(other)
    table = updater.table(as_of)
    assert same(table.table, expected.table)
    assert table.cuts == expected.cuts
    frozen = Updater(ProfileConfig(cuts=expected.cuts))
    for event in rng.sample(history, len(history)):  # one at a time
        frozen.record(event)
    for row in expected.table.to_pylist():
        assert frozen.row(row["user_id"], as_of) == row


@pytest.mark.parametrize("config", [ProfileConfig(), ProfileConfig(dimensions=("query", "category"), path="channel")])
def test_plain_and_other_values_are_recorded_alike(config: ProfileConfig) -> None:
    events = made_up(20, 600, seed=4)
    plain, other = Updater(config), Updater(config)
    for event in events:
        plain.record(event)
        other.record(MappingProxyType(event))  # no dict is read at leisure
    as_of = START + timedelta(days=200)
    assert same(plain.table(as_of).table, other.table(as_of).table)
    assert same(plain.table(as_of).table, build(as_batch(events), as_of, config).table)
    assert plain.n_bytes == other.n_bytes


def test_values_that_are_not_plain_are_recorded() -> None:
    event = {"user_id": np.int64(7), "item_id": np.int32(3), "type": "search", "query": " Č ", "quantity": np.int8(2),
             "value": np.float64(2.5), "event_time": np.datetime64("2025-01-01")}  # fmt: skip
    updater = Updater()
    updater.record(event)
    row = updater.row(7, START + timedelta(days=400))
    assert (row["n_searches"], row["search_terms"][0]["term"]) == (1, "č")
    for changes in ({"value": True}, {"dwell_ms": -1}, {"quantity": 2**31}, {"brand": 5}, {"event_time": 2**60},
                    {"colour": "red"}, {"value": 0.001}, {"query": 3}, {"item_id": 1.5}):  # fmt: skip
        with pytest.raises(InvalidArgumentError):
            updater.record(
                {**event, "user_id": 7, "query": "tea", "item_id": 3, "quantity": 1, "value": 1.0, **changes}
            )
    assert updater.n_events == 1


def test_a_long_stream_equals_the_batch_at_every_moment(tmp_path: Path) -> None:
    events = made_up(40, 4000, seed=9)
    rng = random.Random(1)
    arrived = [*events, *(event for event in events if event["event_id"] is not None and rng.random() < 0.3)]
    rng.shuffle(arrived)
    updater = Updater()
    seen: list[dict[str, Any]] = []
    for begin in range(0, len(arrived), 700):
        part = arrived[begin : begin + 700]
        seen += part
        assert updater.update(as_batch(part)) == len(part)
        for as_of in (START + timedelta(days=100), START + timedelta(days=rng.randrange(30, 300))):
            assert same(updater.table(as_of).table, build(as_batch(seen), as_of).table)
    assert updater.n_events < len(arrived)  # repeats were dropped on the way
    updater.save(tmp_path / "state")
    loaded = Updater.load(tmp_path / "state")
    as_of = START + timedelta(days=150)
    assert same(loaded.table(as_of).table, updater.table(as_of).table)
    loaded.update(as_batch(made_up(3, 50, seed=2)))
    assert not same(loaded.table(as_of).table, updater.table(as_of).table)
    assert updater.config == loaded.config


def test_threads_do_not_show() -> None:
    events = as_batch(made_up(3000, 9000, seed=3, integer_users=True))
    as_of = START + timedelta(days=150)
    alone = build(events, as_of, num_threads=1)
    updater = Updater()
    updater.update(events)
    for threads in (2, 7):
        assert same(build(events, as_of, num_threads=threads).table, alone.table)
        assert same(updater.table(as_of, num_threads=threads).table, alone.table)


def test_the_first_known_of_one_id_counts() -> None:
    def event(value: float, known_days: int) -> dict[str, Any]:
        known = START + timedelta(days=known_days)
        return {"event_id": "e", "event_time": START, "known_time": known, "user_id": "u", "item_id": "i", "type": "buy",
                "value": value}  # fmt: skip

    for events in ([event(1.0, 3), event(2.0, 5)], [event(2.0, 5), event(1.0, 3)]):
        assert build(as_batch(events), START + timedelta(days=9)).row("u")["spend_net"] == 100
        with pytest.raises(NotFoundError):
            build(as_batch(events), START + timedelta(days=2)).row("u")


def test_the_edge_of_as_of() -> None:
    times = {"before": -1, "at": 0}
    events = [
        {"event_time": START + timedelta(microseconds=us), "user_id": who, "item_id": "i", "type": "view"}
        for who, us in times.items()
    ]
    # An event at as_of does not count; one that was known at as_of does.
    events.append({"event_time": START - timedelta(days=1), "known_time": START, "user_id": "told", "item_id": "i",
                   "type": "view"})  # fmt: skip
    assert build(as_batch(events), START).table.column("user_id").to_pylist() == ["before", "told"]


def test_a_window_forgets_and_so_may_the_state() -> None:
    events = made_up(10, 600, seed=5)
    config = ProfileConfig(window=timedelta(days=50))
    as_of = START + timedelta(days=200)
    expected = build(as_batch(events), as_of, config).table
    assert same(
        expected,
        build(as_batch([e for e in events if e["event_time"] >= as_of - timedelta(days=50)]), as_of, config).table,
    )
    updater = Updater(config)
    updater.update(as_batch(events))
    assert updater.drop_before(as_of - timedelta(days=50)) > 300
    assert same(updater.table(as_of).table, expected)


def test_forgotten_users_are_gone_and_may_come_again() -> None:
    events = made_up(4, 200, seed=5)
    updater = Updater()
    updater.update(as_batch(events))
    as_of = START + timedelta(days=300)
    assert updater.forget("u1")
    assert not updater.forget("u1")
    assert not updater.forget("nobody")
    with pytest.raises(NotFoundError):
        updater.row("u1", as_of)
    others = as_batch([event for event in events if event["user_id"] != "u1"])
    assert same(updater.table(as_of).table, build(others, as_of).table)
    updater.update(as_batch([event for event in events if event["user_id"] == "u1"]))
    assert same(updater.table(as_of).table, build(as_batch(events), as_of).table)


def test_nothing_is_taken_of_a_batch_that_is_refused() -> None:
    updater = Updater()
    good = made_up(3, 30, seed=1)
    updater.update(as_batch(good))
    before = updater.n_events
    bad = [{**event, "currency": "USD"} for event in good]
    with pytest.raises(InvalidArgumentError, match=r"one currency \(EUR\), got EUR, USD"):
        updater.update(as_batch(bad))
    with pytest.raises(InvalidArgumentError, match="user_id of string as before, got int64"):
        updater.update(as_batch(made_up(3, 30, seed=1, integer_users=True)))
    with pytest.raises(InvalidArgumentError, match="dwell_ms"):
        updater.update(as_batch([{**good[0], "dwell_ms": -4}]))
    assert updater.n_events == before
    with pytest.raises(InvalidArgumentError, match="equal configuration"):
        updater.merge(Updater(ProfileConfig(top=3)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"user_id": None}, "expected a user_id"),
        ({"user_id": 1.5}, "user_id: expected a string or an integer"),
        ({"user_id": 2**80}, "integer of 64 bits"),
        ({"user_id": 7}, "user_id of string as before, got int64"),
        ({"event_time": None}, "event_time: expected a datetime"),
        ({"value": float("nan")}, "value: expected amounts"),
        ({"value": 0.001}, "value: expected amounts"),
        ({"currency": "USD"}, "one currency"),
        ({"dwell_ms": -1}, "dwell_ms: expected numbers"),
        ({"quantity": 1.5}, "quantity: expected an integer"),
        ({"session_id": 5}, "session_id: expected a string"),
        ({"colour": "red"}, "'colour' not in the event schema"),
    ],
)
def test_one_event_that_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    updater = Updater()
    event = {"user_id": "u", "item_id": 5, "type": "buy", "value": 2.5, "currency": "EUR", "event_time": START}
    updater.record(event)
    with pytest.raises(InvalidArgumentError, match=message):
        updater.record({**event, **changes})
    assert updater.n_events == 1
    assert updater.row("u", START + timedelta(days=1))["spend_net"] == 250


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    updater = Updater()
    updater.update(as_batch(made_up(3, 30, seed=1)))
    updater.save(tmp_path / "state")
    packed = tmp_path / "state" / "packed.npy"
    data = bytearray(packed.read_bytes())
    data[-1] ^= 255
    packed.write_bytes(bytes(data))
    with pytest.raises(CorruptError, match=r"packed\.npy"):
        Updater.load(tmp_path / "state")
    with pytest.raises(NotFoundError):
        Updater.load(tmp_path / "absent")


def test_an_empty_updater(tmp_path: Path) -> None:
    updater = Updater()
    assert len(updater.table(START)) == 0
    with pytest.raises(NotFoundError):
        updater.row("u", START)
    updater.save(tmp_path / "state")
    assert len(Updater.load(tmp_path / "state")) == 0
    nothing = as_batch([])
    assert updater.update(nothing) == 0
    assert len(build(nothing, START)) == 0
