"""The same events in other forms give the same profile: texts as codes of dictionaries, empty texts, lines in any order."""

from __future__ import annotations

import random
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from tests.profiles.logs import START, as_batch, made_up

from recocore.data import EventBatch
from recocore.errors import InvalidArgumentError
from recocore.profiles import ProfileConfig, Updater, build

if TYPE_CHECKING:
    from collections.abc import Callable

AS_OF = START + timedelta(days=150)
Event = dict[str, Any]


def _plain(chunk: pa.Array) -> pa.Array:
    return chunk.dictionary_encode()


def _small_codes(chunk: pa.Array) -> pa.Array:
    encoded = chunk.dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices.cast(pa.uint16()), encoded.dictionary)


def _large_texts(chunk: pa.Array) -> pa.Array:
    encoded = chunk.dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices, encoded.dictionary.cast(pa.large_string()))


def _names_that_nobody_has(chunk: pa.Array) -> pa.Array:
    encoded = chunk.dictionary_encode()
    names = pa.array(["", "zzz", *encoded.dictionary.to_pylist(), "aaa"], pa.string())
    return pa.DictionaryArray.from_arrays(
        pa.array([None if i is None else i + 2 for i in encoded.indices.to_pylist()]), names
    )


def _names_twice(chunk: pa.Array) -> pa.Array:
    encoded = chunk.dictionary_encode()
    once = encoded.dictionary.to_pylist()
    indices = [None if i is None else i + len(once) * (row % 2) for row, i in enumerate(encoded.indices.to_pylist())]
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(once * 2, pa.string()))


def _null_as_a_name(chunk: pa.Array) -> pa.Array:
    names = chunk.dictionary_encode(null_encoding="encode")
    return pa.DictionaryArray.from_arrays(names.indices, names.dictionary)


@pytest.mark.parametrize(
    "encode", [_plain, _small_codes, _large_texts, _names_that_nobody_has, _names_twice, _null_as_a_name]
)
def test_texts_as_codes_are_texts(encode: Callable[[pa.Array], pa.Array]) -> None:
    plain = as_batch(made_up(12, 600, seed=5)).table
    expected = build(plain, AS_OF)
    # Chunks with a dictionary each: one name has several codes.
    parts = [plain.slice(begin, 250) for begin in range(0, plain.num_rows, 250)]
    columns = {
        field.name: pa.chunked_array(
            [
                encode(chunk) if pa.types.is_string(field.type) else chunk
                for part in parts
                for chunk in part.column(field.name).chunks
            ]
        )
        for field in plain.schema
    }
    coded = pa.table(columns)
    assert build(coded, AS_OF).table.equals(expected.table)
    assert build(coded, AS_OF).cuts == expected.cuts
    updater = Updater()
    updater.update(coded)
    assert updater.table(AS_OF).table.equals(expected.table)


def test_pandas_categories_are_taken_as_they_are() -> None:
    pandas = pytest.importorskip("pandas")
    plain = as_batch(made_up(12, 300, seed=6)).table.drop_columns(["tags"])
    frame = plain.to_pandas(strings_to_categorical=True)
    few = frame[frame["user_id"] != "u3"]  # a category that no row has
    assert isinstance(frame["user_id"].dtype, pandas.CategoricalDtype)
    expected = build(plain, AS_OF).table
    assert build(pa.Table.from_pandas(frame, preserve_index=False), AS_OF).table.equals(expected)
    ids = build(pa.Table.from_pandas(few, preserve_index=False), AS_OF).table.column("user_id").to_pylist()
    assert ids == [id_ for id_ in expected.column("user_id").to_pylist() if id_ != "u3"]


@pytest.mark.parametrize("missing", [None, ""])
def test_a_user_who_is_missing_among_codes_is_refused(missing: str | None) -> None:
    users = pa.array(["u", missing, "v", missing]).dictionary_encode()
    times = pa.array([0] * 4, pa.timestamp("us", "UTC"))
    table = pa.table({"user_id": users, "item_id": ["i"] * 4, "event_time": times})
    with pytest.raises(InvalidArgumentError, match="user_id in each of 4 events, got 2 missing"):
        build(table, AS_OF)


def test_a_batch_of_codes_is_one_that_was_asked_for() -> None:
    table = pa.table({"user_id": pa.array(["u"]).dictionary_encode(), "item_id": ["i"], "type": ["view"]})
    assert EventBatch.from_arrow(table).table.schema.field("user_id").type == pa.string()
    kept = EventBatch.from_arrow(table, coded=("user_id",)).table
    assert kept.schema.field("user_id").type == pa.dictionary(pa.int32(), pa.string())
    assert kept.schema.field("item_id").type == pa.string()


@pytest.mark.parametrize(
    "column",
    ["event_id", "item_id", "session_id", "order_id", "coupon_id", "category", "brand", "channel", "query", "currency"],
)
@pytest.mark.parametrize("config", [ProfileConfig(), ProfileConfig(path="channel")])
def test_an_empty_text_is_none(column: str, config: ProfileConfig) -> None:
    def events(empty: str | None) -> list[Event]:
        log = made_up(3, 120, seed=8)
        for number, event in enumerate(log):
            if number % 3 and not (column == "currency" and event["value"] is not None):
                event[column] = empty
        return log

    expected = build(as_batch(events(None)), AS_OF, config)
    found = build(as_batch(events("")), AS_OF, config)
    assert found.table.equals(expected.table)
    stream, single = Updater(config.with_cuts(expected.cuts)), Updater(config.with_cuts(expected.cuts))
    stream.update(as_batch(events("")))
    for event in events(""):
        single.record(event)
    for row in expected.table.to_pylist():
        assert stream.row(row["user_id"], AS_OF) == single.row(row["user_id"], AS_OF) == row


def test_an_empty_type_is_an_unknown_one_without_a_path() -> None:
    events = [
        {"user_id": "u", "item_id": "i", "type": kind, "event_time": START + timedelta(seconds=place)}
        for place, kind in enumerate(["view", "", "view"])
    ]
    found = build(as_batch(events), AS_OF).row("u")
    assert (found["count_view"], found["count_other"]) == (2, 1)
    assert found["paths"] == [{"from": "view", "to": "view", "count": 1}]
    single = Updater()
    for event in events:
        single.record(event)
    assert single.row("u", AS_OF)["paths"] == found["paths"]


def _invoices(n_lines: int, seed: int) -> list[Event]:
    """Lines that share their moments, as those of invoices do; without ids and prices, so that no line is another."""
    rng = random.Random(seed)
    return [
        {
            "user_id": rng.choice(["u", "v"]),
            "item_id": f"i{rng.randrange(9)}",
            "type": rng.choice(["buy", "buy", "buy", "refund", "view"]),
            "event_time": START + timedelta(days=rng.randrange(6), hours=rng.choice([0, 7])),
            "value": rng.choice([None, -2.5, round(rng.uniform(0.01, 9e9), 2), 0.01]),
            "category": rng.choice([f"c{i}" for i in range(40)]),
            "brand": rng.choice([None, "b1", "b2", "b3"]),
            "session_id": rng.choice([None, "s1", "s2"]),
            "channel": rng.choice([None, "web", "app"]),
            "quantity": rng.choice([None, 1, 4]),
            "query": rng.choice([None, "mug"]),
        }
        for _ in range(n_lines)
    ]


@pytest.mark.parametrize("path", ["type", "channel"])
@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_lines_of_one_moment_does_not_show(path: str, seed: int) -> None:
    config = ProfileConfig(path=path, top=2)
    lines = _invoices(150, seed)
    expected = build(as_batch(lines), AS_OF, config)
    rng = random.Random(seed)
    for _ in range(4):
        rng.shuffle(lines)
        assert build(as_batch(lines), AS_OF, config).table.equals(expected.table)
        stream = Updater(config)
        stream.update(as_batch(lines[:70]))
        stream.update(as_batch(lines[70:]))
        assert stream.table(AS_OF).table.equals(expected.table)


def _left(time: Any, half_life: timedelta) -> Fraction:
    return Fraction(float(np.exp2(-((AS_OF - time) / half_life))))


@pytest.mark.parametrize("days", [1, 30_000])
def test_sums_of_any_size_are_exact_to_a_part_in_a_trillion(days: int) -> None:
    # Weights from 5 down to where float64 ends: what is beyond the listed ones is a sum of small numbers alone.
    half_life = timedelta(days=30)
    names = [f"c{i:03d}" for i in range(60)]
    times = [AS_OF - timedelta(days=1 + place * days / 60) for place in range(60)]
    events = [
        {"user_id": "u", "item_id": "i", "type": "buy", "value": 1.0 + place, "category": name, "event_time": time}
        for place, (name, time) in enumerate(zip(names, times, strict=True))
    ]
    found = build(as_batch(events), AS_OF, ProfileConfig(top=3)).row("u")
    weights = [5 * _left(time, half_life) for time in times]
    spend = sum(100 * (1 + place) * _left(time, half_life) for place, time in enumerate(times))
    for name, expected in (
        ("interest_category_total", sum(weights)),
        ("interest_category_truncated", sum(weights[3:])),
        ("spend_decayed", spend),
    ):
        assert found[name] == pytest.approx(float(expected), rel=1e-12, abs=1e-320)
