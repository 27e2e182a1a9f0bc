"""A record is a function of its events, however they arrive; and what is cut off at the old end stays so."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.state.made import expected, told

from recocore import _native
from recocore.errors import CorruptError
from recocore.state import StateConfig, StateReader, StateStore
from recocore.state.record import Record, native_records, read_record
from recocore.state.rows import FACTS, Event, pack, unpack

if TYPE_CHECKING:
    from pathlib import Path

    from recocore._native import UserRecords

events = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["view", "buy"]), st.integers(0, 9)), min_size=1, max_size=40
)


def row(item: str | None, kind: str, time: int, **more: Any) -> bytes:
    """An event as the log keeps it."""
    return pack(Event(event_time=time, item_id=item, type=kind, **more))


def plain(
    most_recent: int, most_seen: int, weights: dict[str, float] | None = None, profile_bytes: int = 0
) -> UserRecords:
    """Records without anything for profiles, unless it is asked for."""
    return native_records(
        StateConfig(max_recent=most_recent, max_seen=most_seen, max_profile_bytes=profile_bytes, weights=weights or {})
    )


@given(events, st.integers(1, 5), st.integers(1, 6))
def test_a_record_is_what_a_plain_count_says(
    made: list[tuple[str, str, int]], most_seen: int, most_recent: int
) -> None:
    packed, records = b"", plain(most_recent, most_seen, {"view": 1.0, "buy": 5.0})
    for version, event in enumerate(made):
        packed = records.add(packed, version, [row(*event)])
    rows = [{"user_id": "u", "item_id": item, "type": kind, "event_time": time} for item, kind, time in made]
    known = expected(rows, most_seen, most_recent)["u"]
    view = read_record(packed)
    assert packed == records.add(b"", len(made) - 1, [row(*event) for event in made])
    # What no event says is written only once it is said.
    assert msgspec.msgpack.decode(Record.unpack(packed).pack())[:8] == msgspec.msgpack.decode(packed)
    assert told(view)[1] == known[1]
    # What is bought at the same time is in the order of arrival, unless the list was full in between.
    times = {item: max(time for name, kind, time in made if (name, kind) == (item, "buy")) for item in view.seen}
    newest = sorted(max(t for n, k, t in made if (n, k) == (i, "buy")) for i in {n for n, k, _ in made if k == "buy"})
    assert list(times.values()) == newest[-most_seen:]


@given(events, st.integers(0, 10))
def test_dropping_old_events_is_as_if_they_had_not_been(made: list[tuple[str, str, int]], cutoff: int) -> None:
    records = plain(4, 3)
    whole = Record.unpack(records.add(b"", 1, [row(*event) for event in made]))
    whole.drop_before(cutoff)
    young = Record.unpack(records.add(b"", 1, [row(*event) for event in made if event[2] >= cutoff]))
    assert (whole.items, whole.types, whole.times, whole.weights) == (
        young.items,
        young.types,
        young.times,
        young.weights,
    )
    assert whole.seen_times == young.seen_times


@pytest.mark.parametrize("room", [256, 300, 1_024, 4_096])
def test_dropping_nothing_leaves_a_full_record_as_it_is(room: int) -> None:
    rng = random.Random(room)
    hour = 3_600_000_000
    made = [row(f"item-{rng.randrange(99)}", rng.choice(["buy", "view", "view"]), hour * time) for time in range(900)]
    record = Record.unpack(plain(5, 5, profile_bytes=room).add(b"", 1, made))
    full = record.profile
    assert full[0] == 3  # the format in which purchases were left out
    assert room * 0.8 < len(full) <= room
    assert not record.drop_before(0)
    assert record.profile == full
    # What is dropped later is no less than that what is dropped at once.
    later = Record.unpack(record.pack())
    for time in (890, 895):
        record.drop_before(hour * time)
    later.drop_before(hour * 895)
    assert record.profile == later.profile
    assert 0 < len(record.profile) < len(full)


def test_weights_are_those_of_the_types_and_answers_stay() -> None:
    asked = Record(consent={"marketing": True}).pack()
    records = plain(50, 200, {"view": 1.0, "buy": 5.0})
    view = read_record(records.add(asked, 7, [row("t\u00e9", kind, 1) for kind in ("view", "buy", "yodel")]))
    assert [event.weight for event in view.recent] == [1.0, 5.0, 0.0]
    assert (view.version, view.seen, dict(view.consent)) == (7, ("t\u00e9",), {"marketing": True})


def test_a_record_with_parts_of_a_later_version_keeps_them() -> None:
    later = msgspec.msgpack.encode([*msgspec.msgpack.decode(Record(version=3).pack()), b"packed", {"more": 1}])
    added = plain(5, 5, profile_bytes=99).add(later, 4, [row("tea", "view", 1)])
    assert msgspec.msgpack.decode(added)[-2:] == [b"packed", {"more": 1}]
    assert read_record(added).recent[0].item_id == "tea"
    assert Record.unpack(added).version == 4


def test_other_bytes_are_no_record() -> None:
    records = plain(5, 5, profile_bytes=99)
    sound = records.add(b"", 1, [row("tea", "buy", 1), row("pot", "view", 2)])
    rng = random.Random(1)
    for _ in range(2_000):
        data = bytearray(sound[: rng.randrange(1, len(sound) + 1)])
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        with contextlib.suppress(CorruptError):  # the tag of the encryption tells of the rest; here it must not crash
            records.add(bytes(data), 2, [row("mug", "buy", 3)])
    for broken in (b"\xc1", b"\x90", sound[:-1], b"\x98" + bytes(8)):
        with pytest.raises(CorruptError, match="not a record"):
            records.add(broken, 2, [])
    event = row("mug", "buy", 3, query="red")
    for broken in (
        b"",
        b"\xc0",
        b"\x90",
        event[:-1],
        event + b"\xc0",
        event.replace(b"\xa3red", b"\x01"),
        b"\xdc\x00\x41" + bytes(65),
    ):
        with pytest.raises(CorruptError, match="not an event"):
            records.add(sound, 2, [broken])


def test_what_profiles_need_is_kept_unless_it_is_refused() -> None:
    """The same bytes as the events' own packing makes, one by one and together; of who refuses, nothing."""
    facts = {"session_id": "s1", "query": "red mug", "category": "home", "tags": ["red", "cup", "red"]}
    rows = [
        row(None if kind == "search" else "mug", kind, time, **facts)
        for time, kind in enumerate(["view", "search", "buy"])
    ]
    records, known = plain(5, 5, profile_bytes=1_024), b""
    for each in rows:
        known = records.add(known, 3, [each])
    values = [unpack(each) for each in rows]
    kept = _native.kept_events_add(b"", [tuple(each[place] for place in FACTS) for each in values], 1_024, 0)
    assert known == records.add(b"", 3, rows)
    assert read_record(known).profile == kept
    assert [event.type for event in read_record(known).recent] == ["view", "buy"]
    for answer, held in ((True, kept), (False, b"")):
        asked = Record(consent={"marketing": False, "profiling": answer}).pack()
        assert read_record(records.add(asked, 3, rows)).profile == held


def test_a_record_that_a_reader_keeps_is_that_of_the_table(tmp_path: Path) -> None:
    with StateStore.open(tmp_path / "state") as store, StateReader.open(tmp_path / "state") as reader:
        store.record([{"user_id": "ann", "item_id": "tea", "type": "buy"}, {"user_id": "bob", "item_id": "pot"}])
        first, bob = reader.user("ann"), reader.user("bob")
        assert reader.user("ann") is first  # not read again
        store.record([{"user_id": "ann", "item_id": "mug", "type": "buy"}])
        second = reader.user("ann")
        assert second is not None
        assert set(second.seen) == {"tea", "mug"}
        store.forget("ann")
        gone = reader.user("ann")
        assert gone is not None
        assert (gone.forgotten, gone.seen) == (True, ())
        assert reader.user("bob") is bob
