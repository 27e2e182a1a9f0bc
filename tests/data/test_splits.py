"""Splits: nothing lost, nothing on both sides, the same every time."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recocore.data import (
    EventBatch,
    Interactions,
    hold_out,
    leave_last_out,
    split_by_time,
    strong_generalisation,
)
from recocore.errors import InvalidArgumentError

PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=60, unique=True)


def timed(pairs: list[tuple[int, int]], seed: int = 0) -> Interactions:
    users, items = zip(*pairs, strict=True)
    times = np.random.default_rng(seed).integers(0, 20, len(pairs))
    return Interactions.from_coo(users, items, np.arange(1.0, len(pairs) + 1), times)


def entries(met: Interactions) -> set[tuple[int, int, float, int]]:
    assert met.timestamps is not None
    columns = (met.rows(), met.matrix.indices, met.matrix.values, met.timestamps)
    return set(zip(*(column.tolist() for column in columns), strict=True))


def check_parts(whole: Interactions, *parts: Interactions) -> None:
    assert all(part.users is whole.users and part.items is whole.items for part in parts)
    assert set().union(*map(entries, parts)) == entries(whole)
    assert sum(part.nnz for part in parts) == whole.nnz


@given(PAIRS, st.integers(1, 4))
def test_leave_last_out_holds_the_latest_of_each_user(pairs: list[tuple[int, int]], n: int) -> None:
    met = timed(pairs)
    split = leave_last_out(met, n)
    check_parts(met, split.train, split.test)
    for user in range(met.n_users):
        own = sorted((time, item) for u, item, _, time in entries(met) if u == user)
        expected = {item for _, item in own[-n:]} if len(own) > n else set()
        assert set(split.test.matrix.row(user)[0].tolist()) == expected


@given(PAIRS, st.sampled_from([0.1, 0.25, 0.5, 0.9]), st.integers(0, 3))
def test_hold_out_takes_a_share_of_each_user(pairs: list[tuple[int, int]], fraction: float, seed: int) -> None:
    met = timed(pairs)
    split = hold_out(met, fraction, seed)
    check_parts(met, split.train, split.test)
    counts = np.diff(met.matrix.indptr)
    expected = np.minimum(np.floor(counts * fraction + 0.5), counts - 1)
    assert np.diff(split.test.matrix.indptr).tolist() == expected.tolist()
    assert entries(hold_out(met, fraction, seed).test) == entries(split.test)


def test_hold_out_is_random_and_its_seed_decides() -> None:
    met = Interactions.from_coo(np.repeat(np.arange(200), 10), np.tile(np.arange(10), 200))
    tests = [hold_out(met, 0.3, seed).test.matrix.indices for seed in range(3)]
    assert not np.array_equal(tests[0], tests[1])
    # Every item is held out about as often as any other: 600 draws each over ten items.
    counts = np.bincount(np.concatenate(tests), minlength=10)
    assert np.abs(counts - 180).max() < 5 * np.sqrt(180)


@given(PAIRS, st.integers(1, 3), st.sampled_from([0.2, 0.5, 0.9]), st.integers(0, 3))
def test_strong_generalisation_leaks_no_user(
    pairs: list[tuple[int, int]], wanted: int, fraction: float, seed: int
) -> None:
    met = timed(pairs)
    counts = np.diff(met.matrix.indptr)
    if (counts >= 2).sum() < wanted:
        with pytest.raises(InvalidArgumentError, match="held_out_users"):
            strong_generalisation(met, wanted, fraction, seed)
        return
    split = strong_generalisation(met, wanted, fraction, seed)
    check_parts(met, split.train, split.fold_in, split.test)
    held = set(split.test.rows().tolist())
    assert len(held) == wanted
    assert set(split.fold_in.rows().tolist()) == held
    assert not held & set(split.train.rows().tolist())
    again = strong_generalisation(met, wanted, fraction, seed)
    assert (entries(again.test), entries(again.fold_in)) == (entries(split.test), entries(split.fold_in))


def test_strong_generalisation_of_a_share_of_users() -> None:
    met = Interactions.from_coo(np.repeat(np.arange(50), 10), np.tile(np.arange(10), 50))
    split = strong_generalisation(met, 0.2, 0.8)
    assert len(set(split.test.rows().tolist())) == 10
    assert (split.test.nnz, split.fold_in.nnz, split.train.nnz) == (20, 80, 400)


@given(PAIRS, st.sampled_from([0.1, 0.3, 0.6]))
def test_split_by_time_of_interactions(pairs: list[tuple[int, int]], fraction: float) -> None:
    met = timed(pairs)
    assert met.timestamps is not None
    held = max(1, int(np.floor(met.nnz * fraction + 0.5)))
    cutoff = int(np.sort(met.timestamps)[met.nnz - held])
    if cutoff == met.timestamps.min():
        with pytest.raises(InvalidArgumentError, match="got all after"):
            split_by_time(met, fraction=fraction)
        return
    split = split_by_time(met, fraction=fraction)
    check_parts(met, split.train, split.test)
    assert split.train.timestamps is not None
    assert split.test.timestamps is not None
    assert split.train.timestamps.max() < cutoff <= split.test.timestamps.min()
    assert entries(split_by_time(met, cutoff=cutoff).test) == entries(split.test)


def at(day: int) -> dt.datetime:
    return dt.datetime(2024, 1, day, tzinfo=dt.UTC)


def log(rows: list[tuple[str | None, str | None, str, dt.datetime | None]]) -> EventBatch:
    users, items, types, times = (list(column) for column in zip(*rows, strict=True))
    schema = {"user_id": pa.array(users, pa.string()), "item_id": pa.array(items, pa.string()), "type": types}
    return EventBatch.from_arrow(schema | {"event_time": pa.array(times, pa.timestamp("us", "UTC"))})


def test_split_by_time_of_events_weighs_each_side_alone() -> None:
    events = log(
        [
            ("u", "a", "view", at(1)),
            ("u", "a", "buy", at(5)),
            ("u", "b", "buy", at(2)),
            ("u", "b", "refund", at(6)),
            ("v", "c", "cart", at(5)),
            (None, None, "login", None),
            ("w", None, "search", at(9)),
        ]
    )
    split = split_by_time(events, cutoff=at(5))
    assert split.train.users is split.test.users
    assert split.train.users.ids_of([0, 1]) == ["u", "v"]
    assert split.train.matrix.to_scipy().toarray().tolist() == [[1, 5, 0], [0, 0, 0]]
    assert split.test.matrix.to_scipy().toarray().tolist() == [[5, 0, 0], [0, 0, 3]]
    for cutoff in (np.datetime64("2024-01-05"), int(at(5).timestamp()) * 1_000_000):
        same = split_by_time(events, cutoff=cutoff)
        assert same.test.matrix.values.tolist() == split.test.matrix.values.tolist()
    by_share = split_by_time(events, fraction=0.5)
    assert by_share.test.nnz == 2
    # The age of a training event is measured within the training side.
    aged = split_by_time(events, cutoff=at(5), half_life=dt.timedelta(days=1))
    assert aged.train.matrix.values.tolist() == [0.5, 5.0]


def test_a_side_whose_events_all_weigh_nothing_is_empty_but_keeps_the_maps() -> None:
    split = split_by_time(log([("u", "a", "view", at(1)), ("u", "a", "refund", at(3))]), cutoff=at(2))
    assert (split.train.nnz, split.test.nnz, split.test.matrix.shape) == (1, 0, (1, 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "expected one of them"),
        ({"cutoff": at(1), "fraction": 0.5}, "expected one of them"),
        ({"fraction": 0.0}, r"fraction: expected a number in \(0, 1\), got 0.0"),
        ({"fraction": 1}, r"fraction: expected a number in \(0, 1\), got 1"),
        ({"fraction": float("nan")}, r"fraction: expected a number in \(0, 1\), got nan"),
        ({"cutoff": at(1)}, "got all after; times run from 2024-01-01T00:00:00.000000 to 2024-01-03"),
        ({"cutoff": at(4)}, "got all before"),
        ({"cutoff": dt.datetime(2024, 1, 2)}, "cutoff: expected a datetime with a zone"),
        ({"cutoff": "2024-01-02"}, "cutoff: expected a datetime, a numpy.datetime64 or microseconds"),
    ],
)
def test_bad_cuts_are_refused(arguments: dict[str, Any], message: str) -> None:
    events = log([("u", "a", "view", at(1)), ("u", "b", "view", at(3))])
    for data in (events, Interactions.from_events(events)):
        with pytest.raises(InvalidArgumentError, match=message):
            split_by_time(data, **arguments)


def test_splits_refuse_what_they_cannot_do() -> None:
    untimed = Interactions.from_coo([0, 0, 1], [0, 1, 1])
    for split in (leave_last_out, lambda met: split_by_time(met, fraction=0.5)):
        with pytest.raises(InvalidArgumentError, match="expected timestamps, got none"):
            split(untimed)
    with pytest.raises(InvalidArgumentError, match="expected an event_time to split by, got none"):
        split_by_time(EventBatch.from_arrow({"user_id": [1], "item_id": [1]}), fraction=0.5)
    with pytest.raises(InvalidArgumentError, match="expected an event_time to split by, got none"):
        split_by_time(log([("u", "a", "view", None)]), fraction=0.5)
    with pytest.raises(InvalidArgumentError, match="weighed already"):
        split_by_time(timed([(0, 0), (1, 1)]), fraction=0.5, weights={"view": 1.0})  # type: ignore[call-overload]
    for n in (0, -1, 1.5, True):
        with pytest.raises(InvalidArgumentError, match="n: expected an integer of at least 1"):
            leave_last_out(untimed, n)  # type: ignore[arg-type]
    for wanted in (0, 2, -1, 0.0, 1.0, True):
        with pytest.raises(InvalidArgumentError, match="held_out_users: expected"):
            strong_generalisation(untimed, wanted)


def test_empty_interactions() -> None:
    nothing = Interactions.from_coo([], [], [], [])
    assert leave_last_out(nothing).test.nnz == 0
    assert hold_out(nothing).test.nnz == 0
    with pytest.raises(InvalidArgumentError, match="expected rows to split"):
        split_by_time(nothing, fraction=0.5)
    with pytest.raises(InvalidArgumentError, match="expected from 1 to 0"):
        strong_generalisation(nothing)
