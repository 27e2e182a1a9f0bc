"""A record is a function of its events, however they arrive; and what is cut off at the old end stays so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from tests.state.made import expected, told

from recocore.state import StateConfig, StateReader, StateStore
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
    record, config = Record(), StateConfig(max_seen=most_seen, max_recent=most_recent)
    for item, kind, time in made:
        record = Record.unpack(record.pack())
        record.add(item, kind, time, config)
    rows = [{"user_id": "u", "item_id": item, "type": kind, "event_time": time} for item, kind, time in made]
    known = expected(rows, most_seen, most_recent)["u"]
    view = read_record(record.pack())
    assert told(view)[1] == known[1]
    # What is bought at the same time is in the order of arrival, unless the list was full in between.
    times = {item: max(time for name, kind, time in made if (name, kind) == (item, "buy")) for item in view.seen}
    newest = sorted(max(t for n, k, t in made if (n, k) == (i, "buy")) for i in {n for n, k, _ in made if k == "buy"})
    assert list(times.values()) == newest[-most_seen:]


@given(events, st.integers(0, 10))
def test_dropping_old_events_is_as_if_they_had_not_been(made: list[tuple[str, str, int]], cutoff: int) -> None:
    config = StateConfig(max_seen=3, max_recent=4)
    whole, young = Record(), Record()
    for item, kind, time in made:
        whole.add(item, kind, time, config)
        if time >= cutoff:
            young.add(item, kind, time, config)
    whole.drop_before(cutoff)
    assert (whole.items, whole.types, whole.times, whole.weights) == (
        young.items,
        young.types,
        young.times,
        young.weights,
    )
    assert whole.seen_times == young.seen_times


def test_weights_are_those_of_the_types() -> None:
    record = Record()
    for kind in ("view", "buy", "yodel"):
        record.add("tea", kind, 1, StateConfig())
    assert [event.weight for event in read_record(record.pack()).recent] == [1.0, 5.0, 0.0]


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
