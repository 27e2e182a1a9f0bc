"""What is recorded, once, and what readers see of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pytest
from tests.state.made import START, expected, ids, rows, told

from recocore.data import EventBatch
from recocore.data.schema import EVENT_SCHEMA
from recocore.errors import InUseError, InvalidArgumentError, NotFoundError
from recocore.state import Durability, StateConfig, StateReader, StateStore
from recocore.state.draft import Call
from recocore.state.rows import FIELDS

if TYPE_CHECKING:
    from pathlib import Path

TEA: dict[str, Any] = {"event_id": "e1", "user_id": "ann", "item_id": "tea", "type": "buy", "event_time": START}


def test_the_log_knows_every_field_of_the_schema() -> None:
    assert set(EVENT_SCHEMA.names) <= set(FIELDS)


@pytest.mark.parametrize("durability", list(Durability))
def test_records_are_what_a_plain_count_says(path: Path, durability: Durability) -> None:
    events = rows(1_500, users=7)
    with StateStore.open(path, StateConfig(max_recent=20, max_seen=5, segment_events=400)) as store:
        with StateReader.open(path) as reader:
            for start in range(0, len(events), 100):
                receipt = store.record(events[start : start + 100], durability=durability)
                assert reader.commit >= receipt.commit
                assert {result.code for result in receipt.results} == {"ok"}
            for user, known in expected(events, 5, 20).items():
                assert told(reader.user(user)) == known
            assert ids(reader.events()) == [event["event_id"] for event in events]
        assert store.stats().segments == 4


def test_an_event_is_recorded_once_for_its_id(path: Path) -> None:
    events = rows(300)
    config = StateConfig(segment_events=100)  # most ids are those of sealed segments
    with StateStore.open(path, config) as store:
        store.record(events[:150])
        codes = [result.code for result in store.record(events + events[:10]).results]
        assert codes == ["duplicate"] * 150 + ["ok"] * 150 + ["duplicate"] * 10
        digest = store.digest()
    with StateStore.open(path, config) as store:
        before = store.commit
        receipt = store.record(events)
        assert {result.code for result in receipt.results} == {"duplicate"}
        assert (receipt.commit, store.digest(), store.stats().events) == (before, digest, 300)


def test_events_without_an_id_are_all_recorded(store: StateStore) -> None:
    bare = {key: value for key, value in TEA.items() if key != "event_id"}
    assert [result.code for result in store.record([bare, bare]).results] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"colour": "crimson"}, "colour", "not in the event schema"),
        ({"price": "cheap"}, "price", "price is a number"),
        ({"price": float("nan")}, "price", "finite"),
        ({"user_id": None}, "user_id", "got neither"),
        ({"user_id": "x" * 257}, "user_id", "<= 256"),
        ({"item_id": None}, "item_id", "expected an item"),
        ({"item_id": "a\0b"}, "item_id", "without NUL"),
        ({"quantity": 2**70}, "quantity", "whole number"),
        ({"event_time": -1}, "event_time", "from 1970"),
        ({"event_time": datetime(2100, 1, 1, tzinfo=UTC)}, "event_time", "a day from now"),
        ({"event_time": datetime(2026, 1, 1)}, "event_time", "with a zone"),
        ({"query": "x" * 1_025}, "query", "<= 1024"),
    ],
)
def test_an_invalid_row_says_which_field_and_others_are_recorded(
    store: StateStore, change: dict[str, Any], field: str, message: str
) -> None:
    good, bad, other = store.record([TEA, {**TEA, "event_id": "e2", **change}, {**TEA, "event_id": "e3"}]).results
    assert (good.code, other.code) == ("ok", "ok")
    assert (bad.code, bad.field) == ("invalid", field)
    assert message in bad.message
    assert "crimson" not in bad.message


def test_rows_may_be_message_pack_and_damaged_ones_are_invalid(store: StateStore) -> None:
    results = store.record([msgspec.msgpack.encode(TEA), b"\xc1", b"", b"\x93\x01"]).results
    assert [result.code for result in results] == ["ok", "invalid", "invalid", "invalid"]


def test_a_batch_of_columns_with_whole_numbers_as_ids(store: StateStore) -> None:
    table = pa.table({"user_id": [7, 8], "item_id": [70, 80], "type": ["buy", "view"], "event_time": [START, START]})
    batch = EventBatch.from_arrow(table, time_unit="us")
    assert {result.code for result in store.record(batch).results} == {"ok"}
    known = store.user(7)
    assert known is not None
    assert known.seen == ("70",)
    assert store.user("7") == known


def test_too_many_events_and_other_things_are_refused(store: StateStore) -> None:
    with pytest.raises(InvalidArgumentError, match="at most 1,000 a call, got 1,001"):
        store.record(rows(1_001))
    with pytest.raises(InvalidArgumentError, match="expected an EventBatch or a sequence"):
        store.record(7)  # type: ignore[arg-type]
    assert [result.code for result in store.record(["tea"]).results] == ["invalid"]  # type: ignore[list-item]


def test_a_visitor_is_not_the_user_of_the_same_name(store: StateStore) -> None:
    store.record([{"visitor_id": "ann", "item_id": "pot", "type": "buy"}, TEA])
    user, visitor = store.user("ann"), store.user("ann", visitor=True)
    assert user is not None
    assert visitor is not None
    assert (user.seen, visitor.seen) == (("tea",), ("pot",))


def test_several_calls_share_a_commit_and_each_has_its_receipt(store: StateStore) -> None:
    calls = [Call([TEA]), Call([TEA]), Call([{**TEA, "event_id": "e2"}], Durability.BUFFERED), Call([])]
    receipts = store.record_many(calls)
    assert [
        [result.code for result in receipt.results] for receipt in receipts if not isinstance(receipt, Exception)
    ] == [
        ["ok"],
        ["duplicate"],
        ["ok"],
        [],
    ]
    assert [receipt.commit for receipt in receipts if not isinstance(receipt, Exception)] == [1, 1, 2, 2]


def test_offsets_are_of_the_commit_that_brings_the_events(path: Path) -> None:
    with StateStore.open(path) as store:
        store.record([TEA], offsets={"orders/0": 7, "orders/1": 3})
        store.record([TEA], offsets={"orders/0": 9})  # a duplicate: the position moves all the same
    with StateStore.open(path) as store, StateReader.open(path) as reader:
        assert store.offsets() == reader.offsets() == {"orders/0": 9, "orders/1": 3}
        store.rebuild()
        assert store.offsets() == {"orders/0": 9, "orders/1": 3}
        for wrong in ({"orders/0": -1}, {"orders/0": "9"}, {7: 9}, {"orders/0": 2**63}):
            with pytest.raises(InvalidArgumentError, match="offsets: expected names with whole numbers"):
                store.record([TEA], offsets=wrong)  # type: ignore[arg-type]


def test_times_that_are_missing_are_now(store: StateStore) -> None:
    before = datetime.now(UTC)
    store.record([{"user_id": "ann", "item_id": "tea"}])
    [batch] = store.events()
    assert before <= batch.column("event_time")[0].as_py() <= before + timedelta(minutes=1)
    assert batch.column("known_time")[0].as_py() == batch.column("event_time")[0].as_py()


def test_one_owner_and_readers_of_what_is_there(path: Path, store: StateStore) -> None:
    with pytest.raises(InUseError, match="another process owns this state"):
        StateStore.open(path)
    with pytest.raises(NotFoundError, match="no state here"):
        StateReader.open(path.with_name("nothing"))
    with StateReader.open(path) as reader:
        assert reader.user("nobody") is None
        store.close()
        assert reader.user("nobody") is None  # from the table that the store left
        with StateStore.open(path) as again:
            again.record([TEA])
            seen = reader.user("ann")
            assert seen is not None
            assert seen.seen == ("tea",)


def test_a_folder_with_other_files_is_left_alone(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("mine")
    with pytest.raises(InvalidArgumentError, match="with other files"):
        StateStore.open(path)


def test_a_closed_store_says_so(path: Path) -> None:
    store = StateStore.open(path)
    store.close()
    store.close()
    with pytest.raises(InvalidArgumentError, match="got one that was closed"):
        store.record([TEA])
