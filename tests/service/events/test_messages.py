"""The native reader of events and the one in Python are one: what the first takes, the second takes and reads alike."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recocore.v1 import event_pb2 as shared
from recocore.v1 import event_service_pb2 as v1

from recocore.data.schema import ITEMLESS_TYPES
from recocore.service import limits
from recocore.service.attribution import Attribution, encode
from recocore.service.events.convert import decode_record_events
from recocore.service.events.rows import RowMaker
from recocore.service.problems import InvalidRequestError, MalformedRequestError
from recocore.state import Durability

NOW = 1_767_400_000_000_000
KEY = b"k" * 32
MAKER = RowMaker(KEY)
THEN = datetime(2026, 1, 2, tzinfo=UTC)
TOKEN, PLAIN_TOKEN = encode(Attribution("m@3", "r1", THEN, "e", "v"), KEY), encode(Attribution("m@3", "r2", THEN), KEY)
SOUND = {"event_id": "e1", "type": "view", "user_id": "ann", "item_id": "i1"}
TEXTS = sorted(
    field.name
    for field in shared.Event.DESCRIPTOR.fields
    if field.type == field.TYPE_STRING and field.name not in ("attribution_token", "tags")
)

texts = st.text("aé\0🍵", max_size=3) | st.sampled_from(
    ["x" * 256, "x" * 257, "é" * 128, "é" * 129, "x" * 1_024, "x" * 1_025]
)
changes = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(TEXTS, texts),
        "tags": st.lists(st.sampled_from(["gift", "é" * 64, "é" * 65, "", "a\x1f", "a\n", "🍵"]), max_size=3)
        | st.integers(30, 34).map(lambda count: ["gift"] * count),
        "attribution_token": st.sampled_from([TOKEN, PLAIN_TOKEN, TOKEN[:-1], "x" * 1_025, ""]),
        "type": st.sampled_from([*sorted(ITEMLESS_TYPES), "view", "View", "a" * 64, "a" * 65, "", "a b"]),
        **{name: st.floats() for name in ("value", "rating", "price")},
        **{
            name: st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2) | st.sampled_from([10**9, 10**6, 86_400_000])
            for name in ("quantity", "position", "dwell_ms")
        },
    },
)
times = st.none() | st.tuples(
    st.integers(-1, 2) | st.integers(NOW // 10**6 + 86_399, NOW // 10**6 + 86_401),
    st.sampled_from([0, 1_999, -1, 10**9]),
)


def request_of(*fields: dict[str, Any], durability: int = 0) -> v1.RecordEventsRequest:
    return v1.RecordEventsRequest(events=[shared.Event(**each) for each in fields], durability=durability)  # type: ignore[arg-type]


def slowly(event: shared.Event) -> dict[str, Any] | None:
    try:
        row: dict[str, Any] = msgspec.msgpack.decode(MAKER.row(event, "events[0]", NOW))
    except InvalidRequestError:
        return None
    return row


@settings(max_examples=800)
@given(changes, times)
def test_both_readers_make_the_same_of_an_event(change: dict[str, Any], time: tuple[int, int] | None) -> None:
    request = request_of({**SOUND, **change})
    if time is not None:
        request.events[0].event_time.seconds, request.events[0].event_time.nanos = time
    read = MAKER.read(request.SerializeToString(), NOW)
    assert read is not None
    [row] = read[1]
    expected = slowly(request.events[0])
    # What is left to Python is wrong, but for what the service knows better: so all that is sound takes the short way.
    own = request.events[0].served_model or request.events[0].served_request
    assert (None if row is None else msgspec.msgpack.decode(row)) == (None if own else expected)


def test_damaged_requests_are_left_or_read_alike() -> None:
    rng = random.Random(4)
    made = request_of(
        {**SOUND, "price": 2.5, "quantity": 7, "query": "té"},
        {**SOUND, "event_id": "e2"},
        durability=shared.DURABILITY_FSYNC,
    )
    made.events[0].event_time.FromMicroseconds(NOW)
    sound = made.SerializeToString()
    taken = 0
    for _ in range(4_000):
        data = bytearray(sound[: rng.randrange(len(sound) + 1)] if rng.random() < 0.3 else sound)
        for _ in range(rng.randrange(3) if data else 0):
            data[rng.randrange(len(data))] = rng.randrange(256)
        read = MAKER.read(bytes(data), NOW)
        if read is None or None in read[1]:
            continue
        taken += 1
        parsed = v1.RecordEventsRequest.FromString(bytes(data))
        assert read[0] == parsed.durability
        assert [msgspec.msgpack.decode(row) for row in read[1] if row] == [slowly(event) for event in parsed.events]
    assert taken > 500


def test_a_field_that_comes_twice_and_unknown_ones() -> None:
    twice = request_of(SOUND).events[0].SerializeToString() + shared.Event(item_id="i2").SerializeToString()
    unknown = request_of(SOUND).events[0].SerializeToString() + b"\xa2\x38\x02hi" + b"\xa8\x38\x07"
    for data, item, native in ((twice, "i2", False), (unknown, "i1", True)):
        request = b"\x0a" + bytes([len(data)]) + data
        read = MAKER.read(request, NOW)
        assert read is not None
        assert (read[1][0] is not None) is native
        [row] = decode_record_events(request, MAKER, NOW, Durability.FSYNC).rows
        assert msgspec.msgpack.decode(row) == {**SOUND, "item_id": item, "event_time": NOW}


def test_one_way_gives_what_the_other_gives_in_one_request() -> None:
    request = request_of(SOUND, {**SOUND, "event_id": ""}, {**SOUND, "attribution_token": TOKEN}, durability=2)
    recording = decode_record_events(request.SerializeToString(), MAKER, NOW, Durability.FSYNC)
    assert (recording.places, list(recording.errors), recording.durability) == ([0, 2], [1], Durability.BUFFERED)
    assert [msgspec.msgpack.decode(row) for row in recording.rows] == [slowly(request.events[at]) for at in (0, 2)]


def test_a_request_that_is_wrong_as_a_whole_is_refused_as_before() -> None:
    for request in (
        request_of(),
        request_of(*[SOUND] * (limits.MAX_EVENTS + 1)),
        request_of(SOUND, durability=9),
    ):
        with pytest.raises(InvalidRequestError):
            decode_record_events(request.SerializeToString(), MAKER, NOW, Durability.FSYNC)
    bad = request_of({**SOUND, "item_id": "ab"}).SerializeToString().replace(b"ab", b"\xff\xfe")
    for data in (b"\x0a\xff", bad):
        with pytest.raises(MalformedRequestError):
            decode_record_events(data, MAKER, NOW, Durability.FSYNC)
    most = request_of(*[{**SOUND, "event_id": str(at)} for at in range(limits.MAX_EVENTS)])
    assert len(decode_record_events(most.SerializeToString(), MAKER, NOW, Durability.FSYNC).rows) == limits.MAX_EVENTS
