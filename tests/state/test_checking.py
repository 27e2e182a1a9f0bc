"""The native check and the one in Python are one: what the first takes, the second takes too, and makes the same of it."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recocore.data.schema import ITEMLESS_TYPES
from recocore.state.checking import RowChecker, native_fields
from recocore.state.keys import KeyFile
from recocore.state.rows import FIELDS
from recocore.state.values import RowResult

NOW = 1_750_000_000_000_000
DAY = 86_400_000_000
TEA: dict[str, Any] = {"event_id": "e1", "user_id": "ann", "item_id": "tea", "type": "buy", "event_time": NOW}

texts = st.text("aé\0🍵", max_size=3) | st.sampled_from(
    ["x" * 255, "x" * 256, "x" * 257, "\u00e9" * 128, "\u00e9" * 129, "a\0b", ""]
)
wholes = st.integers(-(2**63) - 1, 2**63) | st.sampled_from(
    [0, -1, 127, 128, 255, 256, 65_536, 2**32, -33, -129, -32_769]
)
values = texts | wholes | st.floats() | st.none() | st.booleans() | st.sampled_from([NOW + DAY, NOW + DAY + 1])
types = st.sampled_from(["buy", "view", *sorted(ITEMLESS_TYPES)])
names = st.sampled_from([*FIELDS, "colour"])
bases = st.fixed_dictionaries({}, optional={name: st.just(value) for name, value in TEA.items()})
rows = st.tuples(bases, st.dictionaries(names, values, max_size=4), types)


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> RowChecker:
    return RowChecker(KeyFile.open(tmp_path_factory.mktemp("keys") / "master.key", create=True))


@settings(max_examples=1_000)
@given(rows)
def test_both_checks_make_the_same_of_a_row(
    checker: RowChecker, made: tuple[dict[str, Any], dict[str, Any], str]
) -> None:
    base, change, kind = made
    data = msgspec.msgpack.encode({**base, "type": kind, **change}) if _fits(change) else None
    if data is None:
        return
    slowly = checker._slowly(data, NOW)
    [quickly] = checker._native.read([data], NOW)
    if quickly is not None:
        assert quickly == slowly
    elif not isinstance(slowly, RowResult):
        # Left to the slow check though it is sound: only what is rare may be.
        longest = max(len(str(value).encode()) for value in change.values())
        assert longest > 256 or any(isinstance(value, int) for value in change.values()), change


def _fits(change: dict[str, Any]) -> bool:
    return all(not isinstance(value, int) or -(2**63) <= value < 2**64 for value in change.values())


def test_what_a_storefront_sends_is_checked_natively(checker: RowChecker) -> None:
    plain = {"price": 2.5, "quantity": 3, "page": "/p/tea", "known_time": 5, "query": "x" * 1_024, "device": ""}
    search = {"visitor_id": "cookie", "type": "search", "query": "t\u00e9"}
    read = checker._native.read([msgspec.msgpack.encode({**TEA, **plain}), msgspec.msgpack.encode(search)], NOW)
    first, second = read
    assert first is not None
    assert second is not None
    assert dict(zip(FIELDS, msgspec.msgpack.decode(first[3]), strict=True)).items() >= {**TEA, **plain}.items()
    said = dict(zip(FIELDS, msgspec.msgpack.decode(second[3]), strict=True))
    assert (second[2], second[4], said["item_id"], said["type"]) == (NOW, True, None, "search")


@pytest.mark.parametrize("tags", [["a"] * 33, ["a" * 65], [""], ["a\x1f"], ["a\n"], ["a", None], "a", [["a"]], 7])
def test_tags_that_are_none_are_refused_by_both_checks(checker: RowChecker, tags: Any) -> None:
    for row in ({**TEA, "tags": tags}, msgspec.msgpack.encode({**TEA, "tags": tags})):
        [refused] = checker.check([row], NOW)
        assert refused[:2] == ("invalid", "tags")


@pytest.mark.parametrize("tags", [["wool", "gr\u00f6\u00dfe xl"], [], ["a" * 64] * 32, None, ["\u00e9" * 64]])
def test_tags_are_read_alike(checker: RowChecker, tags: Any) -> None:
    row = {**TEA, "tags": tags}
    [quickly] = checker._native.read([msgspec.msgpack.encode(row)], NOW)
    assert quickly is not None
    assert quickly == checker._slowly(row, NOW)


def test_whole_numbers_as_ids_are_their_text(checker: RowChecker) -> None:
    for number in (0, 7, -1, 2**63 - 1, -(2**63)):
        for row in (
            {**TEA, "user_id": number, "item_id": number},
            {**TEA, "user_id": str(number), "item_id": str(number)},
        ):
            [read] = checker._native.read([msgspec.msgpack.encode(row)], NOW)
            assert read == checker._slowly({**TEA, "user_id": number, "item_id": number}, NOW)


def test_pseudonyms_are_those_of_the_key_file(checker: RowChecker) -> None:
    for length in (1, 63, 64, 127, 128, 129, 255, 256):
        name = ("k\u00e9" * 128).encode()[:length].decode(errors="ignore")
        [row] = checker._native.read([msgspec.msgpack.encode({**TEA, "event_id": name, "user_id": name})], NOW)
        assert row is not None
        assert row[:2] == (checker._keys.subject(name), checker._keys.event(name))


def test_damaged_bytes_are_left_to_the_slow_check_or_are_the_same(checker: RowChecker) -> None:
    rng = random.Random(2)
    sound = msgspec.msgpack.encode({**TEA, "price": 2.5, "quantity": 700, "query": "t\u00e9"})
    taken = 0
    for _ in range(5_000):
        data = bytearray(sound[: rng.randrange(len(sound) + 1)] if rng.random() < 0.3 else sound)
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        [quickly] = checker._native.read([bytes(data)], NOW)
        if quickly is not None:
            taken += 1
            assert quickly == checker._slowly(bytes(data), NOW)
    assert taken > 500


def test_times_with_a_zone_and_mappings_are_checked_slowly(checker: RowChecker) -> None:
    moment = datetime.fromtimestamp(NOW // 1_000_000, UTC)
    [read] = checker.check([{**TEA, "event_time": moment}], NOW)
    assert read == checker.check([msgspec.msgpack.encode(TEA)], NOW)[0]


def test_the_kinds_of_fields() -> None:
    kinds = {name: (kind, most) for name, kind, most, _ in native_fields()}
    assert tuple(kinds) == FIELDS
    assert kinds["event_id"] == ("id", 256)
    assert kinds["user_id"] == ("name", 256)
    assert kinds["query"] == ("text", 1_024)
    assert kinds["known_time"] == ("time", 0)
    assert kinds["quantity"] == ("whole", 0)
    assert kinds["price"] == ("number", 0)
    assert native_fields()[FIELDS.index("tags")] == ("tags", "texts", 64, 32)
