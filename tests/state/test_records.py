"""A record is a function of its events, however they arrive; and what is cut off at the old end stays so."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.state.made import expected, told

from recocore._native import UserRecords
from recocore.errors import CorruptError, InvalidArgumentError
from recocore.state import StateReader, StateStore
from recocore.state.record import Record, read_record

if TYPE_CHECKING:
    from pathlib import Path

events = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["view", "buy"]), st.integers(0, 9)), min_size=1, max_size=40
)


@given(events, st.integers(1, 5), st.integers(1, 6))
def test_a_record_is_what_a_plain_count_says(
    made: list[tuple[str, str, int]], most_seen: int, most_recent: int
) -> None:
    packed, records = b"", UserRecords(most_recent, most_seen, {"view": 1.0, "buy": 5.0}, {"buy"})
    for version, event in enumerate(made):
        packed = records.add(packed, version, [event])
    rows = [{"user_id": "u", "item_id": item, "type": kind, "event_time": time} for item, kind, time in made]
    known = expected(rows, most_seen, most_recent)["u"]
    view = read_record(packed)
    assert packed == records.add(b"", len(made) - 1, made)
    # What no event says is written only once it is said.
    assert msgspec.msgpack.decode(Record.unpack(packed).pack())[:8] == msgspec.msgpack.decode(packed)
    assert told(view)[1] == known[1]
    # What is bought at the same time is in the order of arrival, unless the list was full in between.
    times = {item: max(time for name, kind, time in made if (name, kind) == (item, "buy")) for item in view.seen}
    newest = sorted(max(t for n, k, t in made if (n, k) == (i, "buy")) for i in {n for n, k, _ in made if k == "buy"})
    assert list(times.values()) == newest[-most_seen:]


@given(events, st.integers(0, 10))
def test_dropping_old_events_is_as_if_they_had_not_been(made: list[tuple[str, str, int]], cutoff: int) -> None:
    records = UserRecords(4, 3, {}, {"buy"})
    whole = Record.unpack(records.add(b"", 1, made))
    whole.drop_before(cutoff)
    young = Record.unpack(records.add(b"", 1, [event for event in made if event[2] >= cutoff]))
    assert (whole.items, whole.types, whole.times, whole.weights) == (
        young.items,
        young.types,
        young.times,
        young.weights,
    )
    assert whole.seen_times == young.seen_times


def test_weights_are_those_of_the_types_and_answers_stay() -> None:
    asked = Record(consent={"marketing": True}).pack()
    records = UserRecords(50, 200, {"view": 1.0, "buy": 5.0}, {"buy"})
    view = read_record(records.add(asked, 7, [("t\u00e9", kind, 1) for kind in ("view", "buy", "yodel")]))
    assert [event.weight for event in view.recent] == [1.0, 5.0, 0.0]
    assert (view.version, view.seen, dict(view.consent)) == (7, ("t\u00e9",), {"marketing": True})


def test_a_record_with_parts_of_a_later_version_keeps_them() -> None:
    later = msgspec.msgpack.encode([*msgspec.msgpack.decode(Record(version=3).pack()), b"packed", {"more": 1}])
    added = UserRecords(5, 5, {}, set()).add(later, 4, [("tea", "view", 1)])
    assert msgspec.msgpack.decode(added)[-2:] == [b"packed", {"more": 1}]
    assert read_record(added).recent[0].item_id == "tea"
    assert Record.unpack(added).version == 4


def test_other_bytes_are_no_record() -> None:
    sound = UserRecords(5, 5, {}, {"buy"}).add(b"", 1, [("tea", "buy", 1), ("pot", "view", 2)])
    rng = random.Random(1)
    for _ in range(2_000):
        data = bytearray(sound[: rng.randrange(1, len(sound) + 1)])
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        with contextlib.suppress(CorruptError):  # the tag of the encryption tells of the rest; here it must not crash
            UserRecords(5, 5, {}, {"buy"}).add(bytes(data), 2, [("mug", "buy", 3)])
    for broken in (b"\xc1", b"\x90", sound[:-1], b"\x98" + bytes(8)):
        with pytest.raises(CorruptError, match="not a record"):
            UserRecords(5, 5, {}, set()).add(broken, 2, [])
    with pytest.raises(InvalidArgumentError, match="max_recent"):
        UserRecords(0, 5, {}, set())


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
