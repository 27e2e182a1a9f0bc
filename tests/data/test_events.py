"""EventBatch: what the schema takes, what it refuses, and how it says so."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recocore.data import (
    EVENT_SCHEMA,
    CleaningRules,
    EventBatch,
    Interactions,
    clean,
    latest_item_columns,
    split_by_time,
    synthetic_shop,
)
from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError, RecocoreError

if TYPE_CHECKING:
    from pathlib import Path

IDS = {"user_id": ["u", "v"], "item_id": [1, 2]}
MOMENT = dt.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=dt.UTC)


def moment_of(times: Any, **reading: Any) -> list[Any]:
    log = EventBatch.from_arrow(
        {"user_id": ["u"] * len(times), "item_id": ["i"] * len(times), "event_time": times}, **reading
    )
    us: list[Any] = log.column("event_time").cast(pa.int64()).to_pylist()
    return [
        None if time is None else dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=time) for time in us
    ]


def test_row_numbers_of_pandas_are_no_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({**IDS, "value": [1.0, 2.0]}).sort_values("value", ascending=False)
    frame.to_parquet(tmp_path / "sorted.parquet")
    for log in (EventBatch.from_arrow(frame), EventBatch.from_parquet(tmp_path / "sorted.parquet")):
        assert log.column("user_id").to_pylist() == ["v", "u"]
        assert log.table.column_names == ["user_id", "item_id", "type", "value"]
    # A name makes it a column like others.
    assert EventBatch.from_arrow(frame.set_index("user_id")).column("user_id").to_pylist() == ["v", "u"]


def test_a_frame_goes_wherever_a_batch_does() -> None:
    batch = synthetic_shop(n_users=20, n_items=10, n_events=300, seed=2, dirt=0.1).events
    frame = batch.table.to_pandas()
    rules = CleaningRules(now=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    sound = clean(batch, rules).events
    assert clean(frame, rules).events.table.equals(sound.table)
    frame = sound.table.to_pandas()
    for of_batch, of_frame in (
        (Interactions.from_events(sound).matrix, Interactions.from_events(frame).matrix),
        (split_by_time(sound, fraction=0.3).test.matrix, split_by_time(frame, fraction=0.3).test.matrix),
    ):
        np.testing.assert_array_equal(of_batch.to_scipy().toarray(), of_frame.to_scipy().toarray())
    latest = latest_item_columns(sound)
    assert latest is not None
    assert latest.equals(latest_item_columns(frame))
    with pytest.raises(InvalidArgumentError, match=r"table: expected a pyarrow\.Table, a DataFrame"):
        clean([("ann", "tea")])


def test_a_batch_says_what_it_holds() -> None:
    assert repr(EventBatch.from_arrow(IDS)) == "EventBatch(2 events: user_id, item_id, type)"


def test_columns_come_in_the_order_of_the_schema_with_its_types() -> None:
    log = EventBatch.from_arrow(
        {
            "quantity": [1, 2],
            "type": ["view", None],
            **IDS,
            "value": [Decimal("1.50"), None],
            "session_id": [10, 11],
            "device": pa.array(["d", "d"]).dictionary_encode(),
            "price": pa.array([1, 2], pa.uint8()),
            "brand": pa.array([None, None]),
            "ip": pa.array(["1.2.3.4", None], pa.string_view()),
            "dwell_ms": [5.0, float("nan")],
        }
    )
    assert log.table.column_names == [name for name in EVENT_SCHEMA.names if log.has(name)]
    for field in log.table.schema:
        expected = pa.int64() if field.name == "item_id" else EVENT_SCHEMA.field(field.name).type
        assert field.type == expected, field.name
    assert log.column("type").to_pylist() == ["view", "interaction"]
    assert log.column("session_id").to_pylist() == ["10", "11"]
    assert log.column("dwell_ms").to_pylist() == [5, None]
    assert log.column("value").to_pylist() == [1.5, None]
    assert len(log) == 2


def test_type_is_interaction_where_the_source_has_none() -> None:
    assert EventBatch.from_arrow(IDS).column("type").to_pylist() == ["interaction"] * 2


def test_columns_are_mapped_and_what_is_not_is_refused() -> None:
    source = {"who": ["u"], "what": [1], "extra": [2], "note": ["x"]}
    columns = {"user_id": "who", "item_id": "what"}
    with pytest.raises(
        InvalidArgumentError, match=r"'extra', 'note' not in the event schema; map them.*drop_unmapped=True"
    ):
        EventBatch.from_arrow(source, columns)
    log = EventBatch.from_arrow(source, columns, drop_unmapped=True)
    assert log.table.column_names == ["user_id", "item_id", "type"]
    # A schema name that another source column was mapped to is as foreign as any.
    with pytest.raises(InvalidArgumentError, match="'user_id' not in the event schema"):
        EventBatch.from_arrow({**IDS, "who": ["a", "b"]}, {"user_id": "who"})
    # One source column may serve two names.
    twice = EventBatch.from_arrow({"user_id": ["u"], "item_id": ["i"]}, {"visitor_id": "user_id", "user_id": "user_id"})
    assert twice.column("visitor_id").to_pylist() == ["u"]


@pytest.mark.parametrize(
    ("source", "columns", "message"),
    [
        (
            {"user_id": ["u"]},
            None,
            r"expected columns user_id and item_id, got 'user_id'; map what is missing.*item_id",
        ),
        ({}, None, r"expected columns user_id and item_id, got none"),
        (IDS, {"user": "user_id"}, r"columns: 'user' is no column of the event schema, did you mean 'user_id'\?"),
        (IDS, {"brand": "make"}, r"columns: the source has no column 'make'; it has 'user_id', 'item_id'"),
        ({**IDS, "quantity": [1.5, 2.0]}, None, r"quantity: expected values that int64 can hold, got Float value 1.5"),
        ({**IDS, "value": ["1", "2"]}, None, r"value: expected numbers, got string"),
        ({**IDS, "value": [True, False]}, None, r"value: expected numbers, got bool"),
        ({**IDS, "device": [1.5, 2.5]}, None, r"device: expected strings \(or integers\), got double"),
        (
            {"user_id": [1.0], "item_id": [1]},
            None,
            r"user_id: expected integer or string ids, got double; cast them to int64",
        ),
        ({"user_id": [True], "item_id": [1]}, None, r"user_id: expected integer or string ids, got bool"),
        ({"user_id": pa.array([2**64 - 1], pa.uint64()), "item_id": [1]}, None, r"user_id: expected values that"),
        (
            {**IDS, "event_time": [1, 2]},
            None,
            r"event_time: .* got int64 without a unit; pass time_unit='s', 'ms' or 'us'",
        ),
        ({**IDS, "event_time": ["2024-01-01"] * 2}, None, r"event_time: .* without one; pass timezone='UTC'"),
        (
            {**IDS, "event_time": ["x", "x"]},
            None,
            r"event_time: expected values that .* got Failed to parse string: 'x'",
        ),
        ({**IDS, "event_time": [True, True]}, None, r"event_time: expected times, got bool"),
        ({"at": ["x"], "user_id": [1], "item_id": [1]}, {"event_time": "at"}, r"event_time \(column 'at'\)"),
    ],
)
def test_a_source_that_does_not_fit_is_refused_by_name(
    source: dict[str, Any], columns: dict[str, str] | None, message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        EventBatch.from_arrow(pa.table(source), columns)
    assert "\n" not in str(caught.value)


def test_other_bad_arguments() -> None:
    with pytest.raises(InvalidArgumentError, match=r"table: expected a pyarrow\.Table, a DataFrame of .* got list"):
        EventBatch.from_arrow([1])
    with pytest.raises(InvalidArgumentError, match="time_unit: expected one of s, ms, us, got 'ns'"):
        EventBatch.from_arrow(IDS, time_unit="ns")  # type: ignore[arg-type]
    repeated = pa.table([pa.array(["u"]), pa.array(["v"]), pa.array([1])], ["user_id", "user_id", "item_id"])
    with pytest.raises(InvalidArgumentError, match="'user_id' more than once"):
        EventBatch.from_arrow(repeated)
    with pytest.raises(InvalidArgumentError, match=r"use EventBatch.from_arrow"):
        EventBatch(pa.table(IDS))
    with pytest.raises(InvalidArgumentError, match="expected a column brand, got user_id, item_id, type"):
        EventBatch.from_arrow(IDS).column("brand")


def test_times_of_every_form_are_the_same_microsecond() -> None:
    us = (MOMENT - dt.datetime.fromtimestamp(0, dt.UTC)) // dt.timedelta(microseconds=1)
    eight = dt.timezone(dt.timedelta(hours=8))
    local = MOMENT.astimezone(eight).replace(tzinfo=None)
    assert moment_of([us], time_unit="us") == [MOMENT]
    assert moment_of(pa.array([us * 1000], pa.timestamp("ns", "UTC"))) == [MOMENT]
    assert moment_of(pa.array([local], pa.timestamp("us")), timezone="Asia/Shanghai") == [MOMENT]
    assert moment_of(
        [MOMENT.isoformat(), "2024-05-06 15:08:09.123456+08:00", "2024-05-06T07:08:09.123456999Z", None]
    ) == [
        MOMENT,
        MOMENT,
        MOMENT,
        None,
    ]
    # Of a mixture, the zone is for those without one.
    assert moment_of([MOMENT.isoformat(), local.isoformat(), ""], timezone="Asia/Shanghai") == [MOMENT, MOMENT, None]
    second = MOMENT.replace(microsecond=0)
    assert moment_of([us // 1_000_000], time_unit="s") == [second]
    assert moment_of([us // 1_000_000 + 0.25, float("nan")], time_unit="s") == [
        second.replace(microsecond=250_000),
        None,
    ]
    assert moment_of([us // 1000], time_unit="ms") == [MOMENT.replace(microsecond=123_000)]
    day = dt.datetime(2024, 5, 6, tzinfo=dt.UTC)
    assert moment_of([dt.date(2024, 5, 6)], timezone="UTC") == [day]
    assert moment_of(["2024-05-06"], timezone="UTC") == [day]


@given(st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC)))
def test_iso_text_and_integers_agree(moment: dt.datetime) -> None:
    us = (moment - dt.datetime.fromtimestamp(0, dt.UTC)) // dt.timedelta(microseconds=1)
    assert moment_of([moment.isoformat()]) == moment_of([us], time_unit="us") == [moment]


def test_clocks_that_go_back_and_forward() -> None:
    repeated, skipped = "2024-10-27T02:30:00", "2024-03-31T02:30:00"
    first, moved = moment_of([repeated, skipped], timezone="Europe/Berlin")
    assert first == dt.datetime(2024, 10, 27, 0, 30, tzinfo=dt.UTC)
    assert moved == dt.datetime(2024, 3, 31, 1, 0, tzinfo=dt.UTC)
    with pytest.raises(InvalidArgumentError, match=r"timezone: .*Atlantis"):
        moment_of([repeated], timezone="Atlantis")


def test_numbers_beyond_time_are_refused() -> None:
    for unit in ("s", "ms"):
        with pytest.raises(InvalidArgumentError, match="event_time: expected values"):
            moment_of([2**62], time_unit=unit)


def test_concat_fills_what_a_batch_lacks() -> None:
    one = EventBatch.from_arrow({**IDS, "brand": ["x", "y"]})
    two = EventBatch.from_arrow({**IDS, "value": [1.0, 2.0]})
    whole = EventBatch.concat([one, two, one.filter(np.array([False, True]))])
    assert whole.column("brand").to_pylist() == ["x", "y", None, None, "y"]
    assert whole.column("value").to_pylist() == [None, None, 1.0, 2.0, None]
    with pytest.raises(InvalidArgumentError, match="item_id of one type, got int64 and string"):
        EventBatch.concat([one, EventBatch.from_arrow({"user_id": ["u"], "item_id": ["i"]})])
    with pytest.raises(InvalidArgumentError, match="at least one"):
        EventBatch.concat([])


def test_parquet_round_trip_and_projection(tmp_path: Path) -> None:
    log = EventBatch.from_arrow({**IDS, "event_time": [MOMENT, None], "query": ["é\0", ""]})
    path = tmp_path / "log.parquet"
    log.to_parquet(path)
    log.to_parquet(path)
    assert [file.name for file in tmp_path.iterdir()] == ["log.parquet"]
    assert EventBatch.from_parquet(path).table.equals(log.table)
    assert EventBatch.from_parquet(tmp_path).table.equals(log.table)

    pq.write_table(pa.table({"who": ["u"], "item_id": [1], "junk": [[1]]}), path)
    taken = EventBatch.from_parquet(path, {"user_id": "who"}, drop_unmapped=True)
    assert taken.table.column_names == ["user_id", "item_id", "type"]
    with pytest.raises(InvalidArgumentError, match="'junk' not in the event schema"):
        EventBatch.from_parquet(path, {"user_id": "who"})
    with pytest.raises(NotFoundError, match=r"create .*none first"):
        log.to_parquet(tmp_path / "none" / "log.parquet")


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    EventBatch.from_arrow(IDS).to_parquet(path)
    whole = path.read_bytes()
    with pytest.raises(NotFoundError, match=r"gone\.parquet: no such Parquet file"):
        EventBatch.from_parquet(tmp_path / "gone.parquet")
    with pytest.raises(NotFoundError, match=r"gone\.csv: no such CSV file"):
        EventBatch.from_csv(tmp_path / "gone.csv")
    for damaged in (b"", b"user_id,item_id\n1,2\n", whole[:-5], whole[: len(whole) // 2], whole[20:]):
        path.write_bytes(damaged)
        with pytest.raises(CorruptError, match=r"log\.parquet: cannot be read as Parquet") as caught:
            EventBatch.from_parquet(path)
        assert "\n" not in str(caught.value)


def test_a_parquet_file_with_flipped_bytes_is_an_error_or_a_batch(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    EventBatch.from_arrow({**IDS, "query": ["some words", "others"]}).to_parquet(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for at in rng.integers(4, len(whole) - 4, 60):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            EventBatch.from_parquet(path)
        except RecocoreError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_csv_keeps_ids_as_text(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        "when,user_id,item_id,value,quantity,query,note\n"
        '2024-05-06T07:08:09Z,007,NA,1.5,2,"a, b",x\n'
        "2024-05-06T07:08:09+08:00,,8,,,,y\n"
    )
    log = EventBatch.from_csv(path, {"event_time": "when"}, drop_unmapped=True)
    assert log.column("user_id").to_pylist() == ["007", None]
    assert log.column("item_id").to_pylist() == ["NA", "8"]
    assert log.column("value").to_pylist() == [1.5, None]
    assert log.column("query").to_pylist() == ["a, b", None]
    with pytest.raises(InvalidArgumentError, match="'note' not in the event schema"):
        EventBatch.from_csv(path, {"event_time": "when"})


def test_csv_with_unix_times(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id,event_time\nu,i,1700000000\nu,j,\n")
    log = EventBatch.from_csv(path, time_unit="s")
    assert log.column("event_time").cast(pa.int64()).to_pylist() == [1_700_000_000_000_000, None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as CSV: Empty CSV file"),
        ("user_id,item_id\nu\n", "cannot be read as CSV: .*Expected 2 columns, got 1"),
        ("user_id,item_id,value\nu,i,abc\n", "cannot be read as CSV: .*invalid value 'abc'"),
    ],
)
def test_damaged_csv_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(CorruptError, match=rf"log\.csv: {message}") as caught:
        EventBatch.from_csv(path)
    assert "\n" not in str(caught.value)


def test_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id\n")
    log = EventBatch.from_csv(path)
    assert (len(log), log.column("type").to_pylist()) == (0, [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": None}, "path: expected a string or a pathlib.Path, got None"),
        ({"path": b"log"}, "path: expected a string or a pathlib.Path, got b'log'"),
        ({"path": "a\0b"}, "path: expected a name without NUL characters"),
        ({"path": "\udcff.csv"}, "path: expected a name in UTF-8"),
        ({"time_unit": ["s"]}, "time_unit: expected one of s, ms, us, got"),
        ({"timezone": 5}, "timezone: expected an IANA name such as 'Asia/Shanghai', got 5"),
        ({"columns": ["x"]}, "columns: expected a mapping of names to names, got"),
        ({"columns": {"user_id": None}}, "columns: expected a mapping of names to names, got"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_wrong_arguments_are_named(tmp_path: Path, kind: str, arguments: dict[str, Any], message: str) -> None:
    path = tmp_path / f"log.{kind}"
    EventBatch.from_arrow(IDS).to_parquet(path)
    if kind == "csv":
        path.write_text("user_id,item_id,event_time\nu,i,2024-05-06T07:08:09\n")
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        getattr(EventBatch, f"from_{kind}")(**{"path": path, **arguments})
    assert caught.value.field == message.split(":", 1)[0]


def test_an_address_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFoundError, match=r"s3:/bucket/log\.parquet: no such Parquet file"):
        EventBatch.from_parquet("s3://bucket/log.parquet")
    with pytest.raises(NotFoundError, match=r"http:/127\.0\.0\.1/log\.csv: no such CSV file"):
        EventBatch.from_csv("http://127.0.0.1/log.csv")


def test_what_is_no_parquet_file_is_not_called_absent(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidArgumentError, match="/dev/null: expected a Parquet file or a folder of them, got a device"
    ):
        EventBatch.from_parquet("/dev/null")
    (tmp_path / "notes.txt").write_text("no parquet")
    with pytest.raises(CorruptError, match="cannot be read as Parquet: ") as caught:
        EventBatch.from_parquet(tmp_path)
    assert len(str(caught.value)) < 250 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"user_id,item_id,\xe9\na,b,c\n", "cannot be read as CSV: not UTF-8"),
        (b"user_id,item_id\n\xe9,b\n", "cannot be read as CSV: .*UTF8"),
        (
            b"user_id,item_id,value\na,b,1\na,b,x\n",
            "cannot be read as CSV: column 'value', row 3 \\(the header is row 1\\): .* double: invalid value 'x'",
        ),
        (b"user_id,item_id\n" + b"a" * (34 << 20) + b",b\n", "cannot be read as CSV: a row is longer than 16 MiB"),
    ],
)
def test_a_fault_in_a_csv_file_is_pointed_at(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(data)
    with pytest.raises(CorruptError, match=rf"log\.csv: {message}") as caught:
        EventBatch.from_csv(path)
    assert len(str(caught.value)) < 250 + len(str(path))


def test_a_long_csv_row_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"user_id,item_id,query\na,b," + b"q" * (5 << 20) + b"\nc,d,e\n")
    assert EventBatch.from_csv(path).column("user_id").to_pylist() == ["a", "c"]


def test_a_folder_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    with pytest.raises(InvalidArgumentError, match="target is a folder; name a file"):
        EventBatch.from_arrow(IDS).to_parquet(tmp_path / "target")
    assert [entry.name for entry in tmp_path.iterdir()] == ["target"]
