"""Velocity: a plain reference, batches and single events, restarts, late and missing values, floods of keys."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from recocore.data import EventBatch
from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.fraud import Velocity, VelocitySpec

if TYPE_CHECKING:
    from pathlib import Path

SPECS = [
    "count by user_id over 1m",
    "sum value by user_id over 5m",
    "mean value by user_id over 5m of buy",
    "min value by device over 1m",
    "max value by device over 5m",
    "distinct user_id by device over 2m",
    "ratio value by user_id over 5m",
    "count by user_id+device over 5m of buy|view",
    "sum quantity by ip over 30s",
]
US = 1_000_000


def random_events(rows: int, seed: int = 1) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.integers(0, 12, rows)) * US
    late = np.where(rng.random(rows) < 0.1, rng.integers(0, 200, rows), 0) * US

    def some(prefix: str, count: int, missing: float) -> str | None:
        return None if rng.random() < missing else f"{prefix}{rng.integers(count)}"

    return [
        {
            "event_time": int(times[i] - late[i]),
            "user_id": some("u", 6, 0.02),
            "item_id": "i",
            "type": ["buy", "view", "cart"][rng.integers(3)],
            "value": None if rng.random() < 0.1 else float(rng.integers(-500, 5000)) / 100,
            "quantity": int(rng.integers(1, 4)),
            "device": some("d", 4, 0.1),
            "ip": some("ip", 3, 0.1),
        }
        for i in range(rows)
    ]


def batch(events: list[dict[str, Any]]) -> EventBatch:
    return EventBatch.from_arrow(pa.Table.from_pylist(events), time_unit="us")


def reference(specs: list[VelocitySpec], events: list[dict[str, Any]], *, including: bool = False) -> list[list[float]]:
    """Every feature from the list of all events before, by the sentences of the docstring."""
    rows = []
    for at, event in enumerate(events):
        row = []
        for spec in specs:
            key = [event[name] for name in spec.entity]
            if None in key:
                row.append(math.nan)
                continue
            own = [other for other in events[: at + 1] if [other[name] for name in spec.entity] == key]
            clock = max(other["event_time"] for other in own)
            taken = []
            running = -(10**18)
            for other in own if including else own[:-1]:
                running = max(running, other["event_time"])
                counted = not spec.types or other["type"] in spec.types
                start = spec.window // timedelta(microseconds=1)
                if counted and running - start < other["event_time"] and other["event_time"] > clock - start:
                    taken.append(other)
            row.append(feature(spec, taken, event))
        rows.append(row)
    return rows


def feature(spec: VelocitySpec, taken: list[dict[str, Any]], event: dict[str, Any]) -> float:  # noqa: PLR0911  # one return a statistic
    if spec.statistic == "count":
        return len(taken)
    assert spec.column is not None
    values: list[Any] = [other[spec.column] for other in taken if other[spec.column] is not None]
    match spec.statistic:
        case "distinct":
            return len(set(values))
        case "sum":
            return float(round(sum(values), 6))
        case "min":
            return float(min(values, default=math.nan))
        case "max":
            return float(max(values, default=math.nan))
    mean = round(sum(values), 6) / len(values) if values else math.nan
    if spec.statistic == "mean":
        return mean
    own = event[spec.column]
    return math.nan if own is None or mean == 0 else float(own / mean)


@pytest.mark.parametrize("including", [False, True])
def test_features_are_those_of_a_plain_reference(including: bool) -> None:
    events = random_events(500)
    velocity = Velocity(SPECS, including=including, exact_events=10**6)
    expected = reference(list(velocity.specs), events, including=including)
    np.testing.assert_allclose(velocity.update(batch(events)), expected, rtol=1e-12)


def test_batches_single_events_and_restarts_give_the_same_bits(tmp_path: Path) -> None:
    events = random_events(400, seed=2)
    whole = Velocity(SPECS).update(batch(events))
    one = Velocity(SPECS)
    singles = [one.update_one(event) for event in events]
    np.testing.assert_array_equal(np.array(singles), whole)
    parts, rng, begin, got = Velocity(SPECS), np.random.default_rng(3), 0, []
    while begin < len(events):
        end = min(len(events), begin + int(rng.integers(1, 90)))
        got.append(parts.update(batch(events[begin:end])))
        parts.save(tmp_path / str(begin))
        parts = Velocity.load(tmp_path / str(begin))
        begin = end
    np.testing.assert_array_equal(np.concatenate(got), whole)
    assert parts.keys == one.keys


def test_integer_ids_are_their_text() -> None:
    rows = {"item_id": [1, 1], "event_time": [0, 5]}
    specs = ["count by user_id over 1m"]
    velocity = Velocity(specs)
    velocity.update(EventBatch.from_arrow(pa.table({**rows, "user_id": [7, 8]}), time_unit="s"))
    assert velocity.update_one({"user_id": "7", "event_time": 6 * US, "type": "buy"}) == [1.0]
    assert velocity.update_one({"user_id": 8, "event_time": datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC)}) == [1.0]


def test_a_sliced_column_is_read_from_its_slice() -> None:
    events = random_events(60, seed=4)
    table = batch(events).table
    velocity, other = Velocity(SPECS), Velocity(SPECS)
    whole = velocity.update(EventBatch(table))
    np.testing.assert_array_equal(
        np.concatenate([other.update(EventBatch(table.slice(0, 23))), other.update(EventBatch(table.slice(23)))]), whole
    )


def test_a_clock_that_runs_ahead_counts_when_it_was_known() -> None:
    velocity = Velocity(["count by user_id over 1m"])
    ahead = {"user_id": "a", "event_time": 10**6 * US, "known_time": 0}
    velocity.update_one(ahead)
    assert velocity.update_one({"user_id": "a", "event_time": 20 * US, "known_time": 20 * US}) == [1.0]
    believed = Velocity(["count by user_id over 1m"])
    believed.update_one({**ahead, "known_time": None})
    assert believed.update_one({"user_id": "a", "event_time": 20 * US}) == [1.0]
    assert believed.update_one({"user_id": "a", "event_time": 21 * US}) == [1.0]  # too late for the key's clock
    as_batch = Velocity(["count by user_id over 1m"])
    table = pa.table({"user_id": ["a", "a"], "item_id": ["i", "i"], "event_time": [10**6, 20], "known_time": [0, 20]})
    assert as_batch.update(EventBatch.from_arrow(table, time_unit="s")).tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize("known", [2**63 - 1, 2**63 - 2, 2**63 - 300_000_000])
def test_a_known_time_at_the_end_of_all_times_is_no_limit(known: int) -> None:
    event = {"user_id": "a", "item_id": "i", "event_time": 10, "known_time": known}
    one, many = (Velocity(["count by user_id over 1m"], clock_skew=timedelta(minutes=5)) for _ in range(2))
    table = pa.table({**{name: [value] * 2 for name, value in event.items()}, "event_time": [10, 20]})
    expected = [one.update_one(event), one.update_one({**event, "event_time": 20})]
    assert many.update(EventBatch.from_arrow(table, time_unit="us")).tolist() == expected == [[0.0], [1.0]]


def test_integers_beyond_64_bits_are_their_text_too() -> None:
    velocity = Velocity(["count by user_id over 1m"])
    assert velocity.update_one({"user_id": 2**70, "event_time": 0}) == [0.0]
    assert velocity.update_one({"user_id": str(2**70), "event_time": 0}) == [1.0]


@pytest.mark.parametrize(
    ("field", "value"),
    [("value", 10**400), ("event_time", 2**63), ("event_time", -(2**63) - 1), ("known_time", 2**80), ("ids", "\ud800")],
)
def test_what_no_column_can_hold_is_refused_by_name(field: str, value: Any) -> None:
    velocity = Velocity(["sum value by user_id over 1m"])
    name = "user_id" if field == "ids" else field
    with pytest.raises(InvalidArgumentError, match=field):
        velocity.update_one({"user_id": "a", "event_time": 0, "value": 1.0, name: value})
    assert velocity.keys == 0


def test_a_flood_of_keys_leaves_memory_flat() -> None:
    velocity = Velocity(["count by device over 1h", "distinct user_id by device over 1d"], memory_bytes=4 << 20)
    sizes = []
    for part in range(6):
        names = [f"bot-{part}-{i}" for i in range(20_000)]
        rows = {"user_id": names, "item_id": names, "device": names, "event_time": [part * 10] * len(names)}
        velocity.update(EventBatch.from_arrow(pa.table(rows), time_unit="s"))
        velocity.update_one({"user_id": "regular", "device": "known", "event_time": part * 10 * US})
        sizes.append(velocity.memory_used)
    assert max(sizes) <= 4 << 20
    assert velocity.evicted > 60_000
    assert velocity.keys + velocity.evicted >= 120_001


def test_distinct_says_no_more_than_it_may() -> None:
    velocity = Velocity(["distinct user_id by device over 1h"], max_distinct=5)
    counts = [velocity.update_one({"user_id": f"u{i}", "device": "d", "event_time": i * US})[0] for i in range(9)]
    assert counts == [0, 1, 2, 3, 4, 5, 5, 5, 5]


def test_words_and_specs_are_one() -> None:
    for text in [*SPECS, "distinct payment_id by user_id over 2w"]:
        spec = VelocitySpec.parse(text)
        assert str(VelocitySpec.parse(str(spec))) == str(spec)
        assert spec.name.isidentifier()
    assert VelocitySpec.parse("count by user_id over 86400s").name == "count_by_user_id_1d"


@pytest.mark.parametrize(
    "text",
    ["", "count by nobody over 1h", "count value by user_id over 1h", "sum by user_id over 1h", "sum device by ip over 1h",
     "count by user_id over 0h", "count by user_id over 1y", "count by user_id+user_id over 1h", "median value by ip over 1h",
     "distinct value by ip over 1h", "count by type over 1h"],
)  # fmt: skip
def test_words_that_say_nothing_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="expected"):
        VelocitySpec.parse(text)


def test_arguments_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="twice"):
        Velocity(["count by ip over 1h", "count by ip over 60m"])
    with pytest.raises(InvalidArgumentError, match="hash_key"):
        Velocity(["count by ip over 1h"], hash_key=b"short")
    with pytest.raises(InvalidArgumentError, match="memory_bytes"):
        Velocity(["count by ip over 1h"], memory_bytes=100)
    velocity = Velocity(["sum value by ip over 1h"])
    with pytest.raises(InvalidArgumentError, match="event_time"):
        velocity.update_one({"ip": "x"})
    with pytest.raises(InvalidArgumentError, match="numbers"):
        velocity.update_one({"ip": "x", "event_time": 0, "value": "much"})
    with pytest.raises(InvalidArgumentError, match="ids"):
        velocity.update_one({"ip": 1.5, "event_time": 0})
    with pytest.raises(InvalidArgumentError, match="event_time"):
        velocity.update(EventBatch.from_arrow(pa.table({"user_id": ["a"], "item_id": ["b"]})))
    with pytest.raises(NotFoundError):
        Velocity.load(tmp_path / "nothing")
    velocity.save(tmp_path / "saved")
    state = tmp_path / "saved" / "state.npy"
    state.write_bytes(state.read_bytes()[:-1] + b"x")
    with pytest.raises(CorruptError):
        Velocity.load(tmp_path / "saved")


def test_a_table_counts_as_its_batch_does() -> None:
    log = batch(random_events(80, seed=9))
    np.testing.assert_array_equal(Velocity(SPECS).update(log.table), Velocity(SPECS).update(log))
