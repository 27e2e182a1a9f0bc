"""Events become rows with the allow-listed names alone, checked; and come back whole."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from recocore.v1 import event_pb2 as v1

from recocore.data import EVENT_SCHEMA
from recocore.data.schema import ITEMLESS_TYPES
from recocore.service import limits
from recocore.service.attribution import Attribution, encode
from recocore.service.events.rows import RowMaker, event_of
from recocore.service.problems import InvalidRequestError

NOW = 1_767_400_000_000_000
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
PROTO = Path(__file__).parents[3] / "proto" / "recocore" / "v1" / "event.proto"


def event(**fields: Any) -> v1.Event:
    given = {"event_id": "e1", "type": "view", "user_id": "ann", "item_id": "i1", **fields}
    return v1.Event(**{name: value for name, value in given.items() if value is not None})


def row(made: v1.Event, key: bytes | None = None) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.msgpack.decode(RowMaker(key).row(made, "events[3]", NOW))
    return decoded


def test_the_fields_of_an_event_are_those_of_the_schema() -> None:
    fields = set(v1.Event.DESCRIPTOR.fields_by_name)
    assert fields == set(EVENT_SCHEMA.names)


def test_a_row_has_what_was_set_and_the_time() -> None:
    assert row(event()) == {"event_id": "e1", "type": "view", "user_id": "ann", "item_id": "i1", "event_time": NOW}
    full = event(value=0.0, quantity=0, position=0, price=2.5, brand="acme", page="/p")
    full.event_time.FromDatetime(datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC))
    found = row(full)
    assert (found["value"], found["quantity"], found["position"], found["price"]) == (0.0, 0, 0, 2.5)
    assert found["event_time"] == 1_767_323_045_678_901


def test_tags_are_a_list_on_the_way_in_and_out() -> None:
    found = row(event(tags=["wool", "größe xl", "wool"]))
    assert found["tags"] == ["wool", "größe xl", "wool"]
    assert list(event_of(found).tags) == found["tags"]
    assert "tags" not in row(event(tags=[]))


def test_what_is_off_the_list_never_gets_into_a_row() -> None:
    """Field 900 is in no proto: the message keeps its bytes, the row does not."""
    secret = b"my diagnosis"
    made = v1.Event.FromString(event().SerializeToString() + b"\xa2\x38" + bytes([len(secret)]) + secret)
    assert secret in made.SerializeToString()
    assert secret not in RowMaker().row(made, "events[0]", NOW)


def test_what_a_caller_says_of_the_answer_itself_is_ignored() -> None:
    assert "served_model" not in row(event(served_model="mine", served_request="mine"))


@pytest.mark.parametrize(
    ("fields", "field", "expected"),
    [
        ({"event_id": None}, "event_id", "expected a text, got none"),
        ({"user_id": None}, "user_id", "expected a text, got none"),
        ({"type": None}, "type", "expected a text, got none"),
        ({"item_id": None}, "item_id", "expected a text, got none"),
        ({"event_id": "ü" * 129}, "event_id", "at most 256 bytes, got 258"),
        ({"page": "p" * 1_025}, "page", "at most 1024 bytes, got 1025"),
        ({"type": "View"}, "type", "1 to 64 of a-z, 0-9 and _"),
        ({"type": "v" * 65}, "type", "1 to 64 of a-z, 0-9 and _"),
        ({"value": float("nan")}, "value", "expected a finite number, got nan"),
        ({"price": float("inf")}, "price", "expected a finite number, got inf"),
        ({"quantity": limits.MAX_QUANTITY + 1}, "quantity", "expected -1000000000 to 1000000000"),
        ({"position": -1}, "position", "expected 0 to 1000000, got -1"),
        ({"dwell_ms": limits.MAX_DWELL_MS + 1}, "dwell_ms", "expected 0 to 86400000"),
        ({"attribution_token": "mine"}, "attribution_token", "is damaged"),
        ({"tags": ["t"] * 33}, "tags", "expected at most 32, got 33"),
        ({"tags": ["gift", ""]}, "tags", "expected 1 to 64 characters in each, none a control character, got ''"),
        ({"tags": ["a\x1fb"]}, "tags", "expected 1 to 64 characters in each"),
        ({"tags": ["t" * 65]}, "tags", "expected 1 to 64 characters in each"),
    ],
)
def test_a_field_that_breaks_its_limit_is_named(fields: dict[str, Any], field: str, expected: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        row(event(**fields))
    [violation] = caught.value.violations
    assert violation.field == f"events[3].{field}"
    assert expected in violation.description


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(-1, 0), (NOW // 1_000_000 + 86_401, 0), (2**62, 0), (1, -1), (1, 10**9)]
)
def test_a_time_out_of_range_is_refused(seconds: int, nanos: int) -> None:
    made = event()
    made.event_time.seconds, made.event_time.nanos = seconds, nanos
    with pytest.raises(
        InvalidRequestError, match=r"events\[3\].event_time: expected a time from 1970 to a day from now"
    ):
        row(made)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        row(event(user_id=None, type="!", value=float("nan")))
    assert [violation.field for violation in caught.value.violations] == [
        "events[3].type",
        "events[3].value",
        "events[3].user_id",
    ]


@pytest.mark.parametrize("kind", sorted(ITEMLESS_TYPES))
def test_types_about_no_item_need_none(kind: str) -> None:
    assert "item_id" not in row(event(type=kind, item_id=None))


def test_limits_stand_in_the_proto() -> None:
    text = re.sub(r"\s+//\s+", " ", PROTO.read_text(encoding="utf-8"))
    assert text.count(f"1 to {limits.MAX_ID_BYTES} bytes") >= 2
    for phrase in (
        f"1 to {limits.MAX_TYPE_CHARS} of a-z",
        f"at most {limits.MAX_TEXT_BYTES:,} bytes",
        f"at most {limits.MAX_QUANTITY:,} from 0",
        f"at most {limits.MAX_POSITION:,}.",
        f"at most {limits.MAX_TAGS}, each of 1 to {limits.MAX_TAG_CHARS} characters",
        f"at most {limits.MAX_ATTRIBUTION_TOKEN_CHARS:,} characters",
    ):
        assert phrase in text, phrase


TOLD = Attribution("als-3", "r1", datetime(2026, 1, 2, tzinfo=UTC), "autumn", "new")


def test_a_token_says_what_showed_the_item() -> None:
    found = row(event(attribution_token=encode(TOLD)))
    assert (found["served_model"], found["served_request"], found["experiment"]) == ("als-3", "r1", "autumn/new")
    assert row(event(attribution_token=encode(TOLD), experiment="own"))["experiment"] == "own"


def test_a_service_with_a_key_takes_no_token_but_its_own() -> None:
    assert row(event(attribution_token=encode(TOLD, KEY)), KEY)["served_model"] == "als-3"
    # Without a key a signed token is read all the same.
    assert row(event(attribution_token=encode(TOLD, KEY)))["served_model"] == "als-3"
    signed = encode(TOLD, KEY)
    at = len(signed) // 2
    changed = signed[:at] + ("A" if signed[at] != "A" else "B") + signed[at + 1 :]
    for forged in (encode(TOLD), encode(TOLD, OTHER_KEY), changed, signed[:-1], ""[:0] or "AAAA"):
        with pytest.raises(InvalidRequestError, match="attribution_token"):
            row(event(attribution_token=forged), KEY)


@pytest.mark.parametrize("time", [1_767_323_045_678_901, "2026-01-02T03:04:05.678901+00:00"])
def test_an_exported_row_is_the_event_again(time: Any) -> None:
    made = event(value=1.5, position=0, attribution_token=encode(TOLD))
    made.event_time.FromMicroseconds(1_767_323_045_678_901)
    kept = row(made) | {"event_time": time, "known_time": NOW, "brand": None}
    back = event_of(kept)
    assert back.known_time.ToMicroseconds() == NOW
    back.ClearField("known_time")
    assert (back.served_model, back.served_request, back.experiment) == ("als-3", "r1", "autumn/new")
    back.ClearField("served_model")
    back.ClearField("served_request")
    back.ClearField("experiment")
    assert back == made
