"""Recent events in columns are those that went in, however they are looked at."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recocore.errors import CorruptError
from recocore.state import RecentEvent
from recocore.state.recent import RecentEvents, items_and_weights

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
TIMES = st.integers(-(2**63), 2**63 - 1)
EVENTS = st.lists(st.builds(RecentEvent, TEXTS, TEXTS, TIMES, st.floats(allow_nan=False)), min_size=1, max_size=30)


def in_columns(events: list[RecentEvent]) -> RecentEvents:
    items, types, times, weights = zip(*events, strict=True)
    n = len(events)
    return RecentEvents(
        "\0".join(items), "\0".join(types), struct.pack(f"<{n}q", *times), struct.pack(f"<{n}d", *weights)
    )


@given(events=EVENTS, most=st.integers(-1, 40))
def test_columns_hold_the_events(events: list[RecentEvent], most: int) -> None:
    held = in_columns(events)
    assert list(held) == events
    assert (len(held), held[-1], held[1:]) == (len(events), events[-1], tuple(events[1:]))
    assert held == in_columns(events)
    assert held == tuple(events)
    assert (hash(held), repr(held)) == (hash(tuple(events)), repr(tuple(events)))
    assert held != tuple(events[1:])
    newest = [(event.item_id, event.weight) for event in events[max(0, len(events) - most) :]] if most > 0 else []
    assert items_and_weights(held, most) == items_and_weights(tuple(events), most) == newest


@pytest.mark.parametrize(
    "columns",
    [
        ("a", "view", bytes(16), bytes(16)),
        ("a\0b", "view", bytes(16), bytes(16)),
        ("a\0b", "view\0buy", bytes(16), bytes(8)),
        ("a\0b", "view\0buy", bytes(15), bytes(15)),
    ],
)
def test_columns_of_other_lengths_are_refused(columns: tuple[str, str, bytes, bytes]) -> None:
    with pytest.raises(CorruptError, match="not a record: expected recent events in columns of one length"):
        RecentEvents(*columns)
