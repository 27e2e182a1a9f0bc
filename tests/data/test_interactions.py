"""Interactions against sums kept in a Python dictionary."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from recocore.csr import Csr
from recocore.data import EventBatch, IdMap, Interactions
from recocore.errors import InvalidArgumentError
from recocore.ops import similarity

# user, item, weight (exact in float32), time
ROWS = st.lists(
    st.tuples(st.integers(-3, 3), st.sampled_from("abcd"), st.integers(-8, 8).map(float), st.integers(-5, 5)),
    max_size=40,
)


def entries(met: Interactions) -> dict[tuple[Any, Any], float]:
    users, items = met.users.ids_of(met.rows()), met.items.ids_of(met.matrix.indices)
    return dict(zip(zip(users, items, strict=True), met.matrix.values.tolist(), strict=True))


def events(**columns: Any) -> EventBatch:
    return EventBatch.from_arrow(pa.table(columns), time_unit="s")


def test_interactions_where_a_matrix_is_expected_are_told_of_theirs() -> None:
    met = Interactions.from_coo(["ann"], [10])
    with pytest.raises(InvalidArgumentError, match=r"got Interactions; hand over its \.matrix"):
        similarity(met, k=1)
    assert similarity(met.matrix, k=1).shape == (1, 1)


def test_what_is_held_is_said_in_a_line() -> None:
    met = Interactions.from_coo(["ann", "ann", "bob"], [10, 20, 20])
    assert repr(met) == "Interactions(2 users, 2 items, 3 entries)"
    assert (repr(met.users), repr(met.items)) == ("IdMap(2 ids of kind string)", "IdMap(2 ids of kind integer)")


@given(ROWS, st.booleans())
def test_duplicates_are_merged_as_a_dictionary_would(rows: list[tuple[int, str, float, int]], timed: bool) -> None:
    users, items, values, times = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    latest: dict[tuple[int, str], int] = {}
    found: dict[str, dict[tuple[int, str], float]] = {"sum": defaultdict(float), "max": {}, "last": {}}
    for user, item, value, time in rows:
        pair = (user, item)
        found["sum"][pair] += value
        found["max"][pair] = max(value, found["max"].get(pair, value))
        if not timed or time >= latest.get(pair, time):
            found["last"][pair] = value
        latest[pair] = max(time, latest.get(pair, time))
    for rule in ("sum", "max", "last"):
        met = Interactions.from_coo(users, items, values, times if timed else None, duplicates=rule)
        assert entries(met) == found[rule]
        met.matrix.to_scipy().check_format()
        assert met.matrix.to_scipy().has_canonical_format
        if timed:
            assert met.timestamps is not None
            pairs = zip(met.users.ids_of(met.rows()), met.items.ids_of(met.matrix.indices), strict=True)
            assert met.timestamps.tolist() == [latest[pair] for pair in pairs]
        else:
            assert met.timestamps is None


def test_values_default_to_one_and_negative_zero_is_zero() -> None:
    met = Interactions.from_coo([1, 1], ["a", "a"])
    assert met.matrix.values.tolist() == [2.0]
    for times in (None, [0]):
        met = Interactions.from_coo(["u"], ["i"], [-0.0], times)
        assert not np.signbit(met.matrix.values[0])


def test_no_rows() -> None:
    for timed in (False, True):
        met = Interactions.from_coo([], [], [], [] if timed else None)
        assert (met.n_users, met.n_items, met.nnz, met.by_item.shape) == (0, 0, 0, (0, 0))


def test_by_item_is_the_transpose_and_is_computed_once() -> None:
    met = Interactions.from_coo([0, 0, 1, 2], [5, 6, 5, 7], [1, 2, 3, 4])
    assert met.by_item.to_scipy().toarray().tolist() == met.matrix.to_scipy().toarray().T.tolist()
    assert met.by_item is met.by_item


def test_from_csr_names_rows_and_columns_and_shares_memory() -> None:
    matrix = sp.random_array((6, 4), density=0.5, rng=np.random.default_rng(0), dtype=np.float32).tocsr()
    met = Interactions.from_csr(matrix)
    assert (met.users.kind, met.n_users, met.n_items) == ("range", 6, 4)
    assert np.shares_memory(met.matrix.values, matrix.data)
    assert met.matrix.to_scipy().toarray().tolist() == matrix.toarray().tolist()
    with pytest.raises(InvalidArgumentError, match="csr: expected a SciPy sparse matrix, got ndarray"):
        Interactions.from_csr(np.eye(2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1], [1, 2]), r"users, items: expected equal lengths, got 1, 2"),
        (([1], [1], [1.0, 2.0]), r"users, items, values: expected equal lengths, got 1, 1, 2"),
        (([1], [1], [1.0], [1, 2]), r"timestamps: expected equal lengths"),
        (([1, None], [1, 2]), r"users: expected an id in each of 2 rows, got 1 null"),
        (([1], [1], [float("nan")]), r"values: expected finite numbers within float32, got nan at entry 0"),
        (([1], [1], [1e39]), r"values: expected finite numbers within float32, got 1e\+39"),
        (([1], [1], [float("inf")], [0]), r"values: expected finite"),
        (([1], [1], ["x"]), r"values: expected a 1-d array of real numbers"),
        (([1], [1], [1.0], np.array(["NaT"], "datetime64[s]")), r"timestamps: expected times, got 1 NaT"),
        (([1], [1], [1.0], [0.5]), r"timestamps: expected 1-d timestamps or integers"),
        (([1], [1], [1.0], [dt.datetime(2024, 1, 1)]), r"timestamps: expected a datetime with a zone"),
        (([1], [1], [1.0], None, "mean"), r"duplicates: expected sum, last or max, got 'mean'"),
    ],
)
def test_bad_rows_are_refused_by_name(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        Interactions.from_coo(*arguments)


def test_sums_beyond_float32_are_refused() -> None:
    for times in (None, [0, 0]):
        with pytest.raises(InvalidArgumentError, match="finite"):
            Interactions.from_coo([1, 1], [1, 1], [3e38, 3e38], times)


def test_timestamps_of_every_form_are_microseconds() -> None:
    moment = dt.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    us = int(moment.timestamp()) * 1_000_000 + 123456
    naive = moment.astimezone(dt.UTC).replace(tzinfo=None)
    forms: list[Any] = [
        [us],
        np.array([us]),
        [moment],
        np.array([naive], "datetime64[ns]"),
        pa.array([moment], pa.timestamp("us", "UTC")),
        pa.chunked_array([pa.array([us * 1000], pa.timestamp("ns", "Asia/Tokyo"))]),
    ]
    for form in forms:
        met = Interactions.from_coo(["u"], ["i"], None, form)
        assert met.timestamps is not None
        assert met.timestamps.tolist() == [us]


def test_aligned_keeps_the_maps_and_says_what_it_does_not_know() -> None:
    train = Interactions.from_coo(["a", "b"], [10, 20])
    test = train.aligned(["b", "b"], [10, 10], [2.0, 3.0], [5, 4])
    assert test.users is train.users
    assert entries(test) == {("b", 10): 5.0}
    with pytest.raises(InvalidArgumentError, match="got 2 of 3 rows with another; pass unknown='drop'"):
        train.aligned(["b", "c", "a"], [10, 10, 99])
    kept = train.aligned(["b", "c", "a"], [10, 10, 99], [7.0, 8.0, 9.0], [1, 2, 3], unknown="drop")
    assert entries(kept) == {("b", 10): 7.0}


def test_subset_users_empties_the_other_rows() -> None:
    met = Interactions.from_coo([0, 1, 2], [0, 1, 2], timestamps=[7, 8, 9])
    part = met.subset_users([2, 0])
    assert part.matrix.to_scipy().toarray().tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert part.timestamps is not None
    assert part.timestamps.tolist() == [7, 9]
    assert met.subset_users([]).nnz == 0
    for wrong in ([3], [-1]):
        with pytest.raises(InvalidArgumentError, match=r"expected numbers in \[0, 3\)"):
            met.subset_users(wrong)


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="expected shape"):
        Interactions(IdMap.range(2), IdMap.range(2), Csr.empty((2, 3)))
    with pytest.raises(InvalidArgumentError, match="one for each of 0 entries"):
        Interactions(IdMap.range(2), IdMap.range(2), Csr.empty((2, 2)), np.zeros(1, np.int64))
    with pytest.raises(InvalidArgumentError, match="mask: expected bool"):
        Interactions.from_coo([1], [1]).where(np.array([1]))


def test_events_weigh_by_type_and_a_refund_takes_the_purchase_back() -> None:
    log = events(
        user_id=["u", "u", "u", "u", "v", "v"],
        item_id=["a", "a", "b", "b", "c", None],
        type=["view", "buy", "buy", "refund", "view", "search"],
    )
    met = Interactions.from_events(log)
    assert entries(met) == {("u", "a"): 6.0, ("v", "c"): 1.0}
    assert met.items.index_of("b") >= 0  # dropped pairs leave their ids in the maps
    assert entries(Interactions.from_events(log, {"buy": 2.0})) == {("u", "a"): 2.0, ("u", "b"): 2.0}


def test_events_without_types_weigh_one() -> None:
    assert entries(Interactions.from_events(events(user_id=[1, 1], item_id=[2, 2]))) == {(1, 2): 2.0}


def test_half_life_halves_with_age_from_the_last_event_that_counts() -> None:
    day = 86_400
    log = events(
        user_id=["u", "u", "u", "u"],
        item_id=["a", "a", "b", "b"],
        type=["buy", "buy", "view", "impression"],
        event_time=[0, 10 * day, 15 * day, 99 * day],
    )
    met = Interactions.from_events(log, half_life=dt.timedelta(days=5))
    assert entries(met) == {("u", "a"): 5 * 2.0**-3 + 5 * 2.0**-1, ("u", "b"): 1.0}
    assert met.timestamps is not None
    assert met.timestamps.tolist() == [10 * day * 1_000_000, 15 * day * 1_000_000]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(0, 3), st.sampled_from(["view", "buy", "refund"]), st.integers(0, 10**6)
        ),
        min_size=1,
        max_size=30,
    )
)
def test_from_events_equals_a_float64_reference(rows: list[tuple[int, int, str, int]]) -> None:
    weights = {"view": 1.0, "buy": 4.0, "refund": -4.0}
    users, items, types, times = (list(column) for column in zip(*rows, strict=True))
    log = events(user_id=users, item_id=items, type=types, event_time=times)
    expected: dict[tuple[int, int], float] = defaultdict(float)
    for user, item, kind, time in rows:
        expected[user, item] += weights[kind] * 2 ** (-(max(times) - time) / 3600)
    found = entries(Interactions.from_events(log, weights, dt.timedelta(hours=1)))
    for pair, weight in expected.items():
        if abs(weight) > 1e-9:
            assert found.get(pair, 0.0) == pytest.approx(max(weight, 0.0), rel=1e-6, abs=1e-9)


def test_from_events_refuses_what_it_cannot_weigh() -> None:
    log = events(user_id=["u", None], item_id=["a", "b"], type=["view", "cart"], event_time=[1, None])
    with pytest.raises(InvalidArgumentError, match=r"unknown event type 'veiw'; known are .*view"):
        Interactions.from_events(log, {"veiw": 1.0})
    with pytest.raises(InvalidArgumentError, match=r"user_id in each of 2 events that count, got 1 missing; .*clean"):
        Interactions.from_events(log)
    with pytest.raises(InvalidArgumentError, match=r"no event is of a type that they name \(buy\)"):
        Interactions.from_events(log, {"buy": 1.0})
    with pytest.raises(InvalidArgumentError, match=r"finite number for 'view', got nan"):
        Interactions.from_events(log, {"view": float("nan")})
    with pytest.raises(InvalidArgumentError, match=r"event type → weight, got \{\}"):
        Interactions.from_events(log, {})
    half = dt.timedelta(days=1)
    with pytest.raises(InvalidArgumentError, match="half_life: expected a timedelta above 0"):
        Interactions.from_events(log, {"view": 1.0}, half_life=dt.timedelta(0))
    with pytest.raises(InvalidArgumentError, match="half_life: expected events with times, got none"):
        Interactions.from_events(events(user_id=[1], item_id=[1]), half_life=half)
    untimed = events(user_id=[1, 1], item_id=[1, 1], event_time=pa.array([None, 5], pa.int64()))
    with pytest.raises(InvalidArgumentError, match="event_time in each of 2 events that count, got 1 missing"):
        Interactions.from_events(untimed)


def test_from_events_of_no_rows() -> None:
    log = events(user_id=pa.array([], pa.string()), item_id=pa.array([], pa.string()))
    met = Interactions.from_events(log)
    assert (met.n_users, met.n_items, met.nnz) == (0, 0, 0)


def test_from_csr_merges_repeats_and_refuses_values_that_float32_cannot_hold() -> None:
    repeated = sp.coo_array(([1.0, 2.0], ([0, 0], [0, 0])), shape=(1, 1))
    assert Interactions.from_csr(repeated).matrix.values.tolist() == [3.0]
    for value in (1e300, float("nan"), float("inf")):
        with pytest.raises(InvalidArgumentError, match="csr: expected finite values"):
            Interactions.from_csr(sp.csr_array(np.array([[value]])))


@pytest.mark.parametrize("name", ["values", "timestamps"])
def test_a_scalar_where_an_array_belongs_is_named(name: str) -> None:
    scalar: dict[str, Any] = {name: 1.0}
    with pytest.raises(InvalidArgumentError, match=f"{name}: expected one for each row, got 1.0") as caught:
        Interactions.from_coo([1], [1], **scalar)
    assert caught.value.field == name
