"""The log as batches and files, retention, compaction while it is read, and replay."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.state.made import SECOND, START, contents, expected, ids, rows, told

from recocore.data import EventBatch
from recocore.errors import InvalidArgumentError
from recocore.state import KeyFile, StateConfig, StateReader, StateStore

if TYPE_CHECKING:
    from pathlib import Path

SMALL = StateConfig(segment_events=100)


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(START / SECOND + seconds, UTC)


def fill(store: StateStore, events: list[dict[str, object]]) -> None:
    for start in range(0, len(events), 50):
        store.record(events[start : start + 50])


def test_events_of_a_time_range(path: Path, tmp_path: Path) -> None:
    events = rows(500)
    wanted = [e["event_id"] for e in events if START + 2_000 * SECOND <= e["event_time"] < START + 5_000 * SECOND]
    with StateStore.open(path, SMALL) as store:
        fill(store, events)
        assert ids(store.events(moment(2_000), moment(5_000))) == wanted
        assert store.export_parquet(tmp_path / "part.parquet", moment(2_000), moment(5_000)) == len(wanted)
        assert store.export_parquet(tmp_path / "none.parquet", moment(-9), moment(-8)) == 0
        with pytest.raises(InvalidArgumentError, match="start: expected a time with a zone"):
            list(store.events(datetime(2026, 1, 1)))
    exported = EventBatch.from_parquet(tmp_path / "part.parquet")
    assert ids([exported]) == wanted
    by_id = {event["event_id"]: event for event in events}
    for row in exported.table.to_pylist():
        event = by_id[row["event_id"]]
        assert row["event_time"] == datetime.fromtimestamp(event["event_time"] / SECOND, UTC)
        assert (row["user_id"], row["item_id"], row["type"], row["query"]) == tuple(
            event[name] for name in ("user_id", "item_id", "type", "query")
        )


def test_what_is_older_goes_from_log_and_records_and_does_not_come_back(path: Path) -> None:
    events = rows(500)
    young = [event for event in events if event["event_time"] >= START + 6_000 * SECOND]
    with StateStore.open(path, SMALL) as store:
        fill(store, events)
        assert store.retain(timedelta(seconds=4_000), now=moment(10_000)) == len(events) - len(young)
        assert ids(store.events()) == [event["event_id"] for event in young]
        for user, known in expected(young).items():
            assert told(store.user(user)) == known
        old = next(event for event in events if event not in young)
        [result] = store.record([old]).results
        assert (result.code, result.field) == ("invalid", "event_time")
        assert {result.code for result in store.record(young[:50]).results} == {"duplicate"}
        digest = store.digest()
        store.rebuild()
        assert store.digest() == digest


def test_compaction_frees_bytes_while_a_reader_reads(path: Path) -> None:
    events = rows(1_200, users=6)
    gone = {f"customer-{number}" for number in range(4)}
    left = [event["event_id"] for event in events if event["user_id"] not in gone]
    with StateStore.open(path, SMALL) as store, StateReader.open(path) as reader:
        fill(store, events)
        begun = reader.events()  # a reading that begins before
        for user in gone:
            store.forget(user)
        failures: list[BaseException] = []
        done = threading.Event()

        def read() -> None:
            try:
                while not done.is_set():
                    assert ids(reader.events()) == left
                    assert told(reader.user("customer-4")) == expected(events)["customer-4"]
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        try:
            before = store.stats().log_bytes
            freed = store.compact()
        finally:
            done.set()
            thread.join()
        assert not failures, failures
        assert before - store.stats().log_bytes == freed > before // 2
        assert ids(begun) == left
        fresh = rows(10, seed=9)
        store.record(fresh)
        assert ids(reader.events()) == left + [e["event_id"] for e in fresh if e["user_id"] not in gone]
    with StateStore.open(path, SMALL) as store:
        again = store.record([event for event in events if event["event_id"] in set(left)][:100])
        assert {result.code for result in again.results} == {"duplicate"}


def test_replay_into_an_empty_state_gives_the_same_state(path: Path, tmp_path: Path) -> None:
    events = rows(600)
    with StateStore.open(path, SMALL) as store:
        fill(store, events)
        store.set_consent("customer-1", "marketing", True)
        store.set_consent("customer-1", "marketing", False)
        store.forget("customer-2")
        store.forget("nobody")
        store.record([], offsets={"orders/0": 5})
        store.retain(timedelta(seconds=8_000), now=moment(10_000))
        with StateStore.open(tmp_path / "again", keys=store.keys) as again:
            assert again.replay(store) == store.stats().events
            assert (again.digest(), again.offsets()) == (store.digest(), store.offsets())
            assert ids(again.events()) == ids(store.events())
            assert again.commit == store.commit
            with pytest.raises(InvalidArgumentError, match="for an empty store"):
                again.replay(store)
        strange = KeyFile.open(tmp_path / "strange.key", create=True)
        with (
            StateStore.open(tmp_path / "strange", keys=strange) as other,
            pytest.raises(InvalidArgumentError, match="of the same pseudonym key"),
        ):
            other.replay(store)


def test_replay_of_batches(store: StateStore, tmp_path: Path) -> None:
    fill(store, rows(300))
    with StateStore.open(tmp_path / "again", keys=store.keys) as again:
        assert again.replay(store.events()) == 300
        assert again.replay(store.events()) == 0
        assert again.digest() == store.digest()


def test_the_table_can_be_made_again(path: Path) -> None:
    with StateStore.open(path, SMALL) as store:
        fill(store, rows(300))
        store.set_consent("customer-1", "marketing", True)
        store.forget("customer-2")
        digest, records = store.digest(), store.stats().users
        with StateReader.open(path) as reader:
            store.rebuild()
            assert reader.user("customer-3") == store.user("customer-3")
        assert (store.digest(), store.stats().users) == (digest, records)
        assert store.verify() == len(ids(store.events()))


def test_what_a_killed_owner_began_to_seal_or_compact_is_no_hindrance(path: Path) -> None:
    with StateStore.open(path, SMALL) as store:
        fill(store, rows(300))
        digest = store.digest()
    log = path / "log"
    for name in (f"{1:020d}.7.seg", f"{1:020d}.7.ids", f"{301:020d}.0.ids", f".{1:020d}.json.tmp"):
        (log / name).write_bytes(b"half")
    with StateStore.open(path, SMALL) as store:
        assert store.digest() == digest
    assert not [name for name, content in contents(log) if content == b"half"]
