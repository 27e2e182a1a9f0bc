"""IdMap against a dictionary built in Python, and at the edges of what an id can be."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recocore import _native
from recocore.data.ids import IdMap
from recocore.errors import CorruptError, InvalidArgumentError, UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)


def check_against_dictionary(ids: list[Any], key: Any) -> None:
    expected = {id: index for index, id in enumerate(sorted(set(ids), key=key))}
    id_map, codes = IdMap.build(ids)
    assert codes.dtype == np.int32
    assert codes.tolist() == [expected[id] for id in ids]
    assert len(id_map) == len(expected)
    assert id_map.ids_of(np.arange(len(id_map))) == list(expected)
    assert id_map.indices_of(list(expected)).tolist() == list(range(len(expected)))
    assert [id_map.index_of(id) for id in expected] == list(range(len(expected)))
    back = IdMap.from_arrow(id_map.to_arrow())
    assert (back.kind, back.ids_of(np.arange(len(back)))) == (id_map.kind, list(expected))


@given(st.lists(INT64 | st.integers(-20, 20), max_size=60))
def test_integers_are_sorted_and_found(ids: list[int]) -> None:
    check_against_dictionary(ids, None)


@given(st.lists(TEXT | st.sampled_from(["a", "a\0", "a\0b", "é", "\uffff", "\U0001f600"]), min_size=1, max_size=60))
def test_strings_are_sorted_by_bytes_and_found(ids: list[str]) -> None:
    check_against_dictionary(ids, lambda text: text.encode())


@given(st.lists(TEXT, min_size=1), st.lists(st.text(max_size=6)))
def test_string_lookup_equals_a_dictionary(ids: list[str], wanted: list[str]) -> None:
    id_map, _ = IdMap.build(ids)
    expected = {id: index for index, id in enumerate(id_map.ids_of(np.arange(len(id_map))))}
    encodable = [text for text in wanted if text.isascii() or text.encode("utf-8", "ignore").decode() == text]
    assert id_map.indices_of(encodable).tolist() == [expected.get(text, -1) for text in encodable]
    assert [id_map.index_of(text) for text in wanted] == [expected.get(text, -1) for text in wanted]


@given(st.permutations(["b", "a", "d", "c", "é", "b"]))
def test_the_map_does_not_depend_on_the_order_of_rows(ids: list[str]) -> None:
    id_map, _ = IdMap.build(ids)
    assert id_map.ids_of(range(5)) == ["a", "b", "c", "d", "é"]


def test_no_rows_and_one_row() -> None:
    empty: list[Any] = [[], np.array([]), np.array([], np.int64), pa.array([]), pa.array([], pa.string())]
    for nothing in empty:
        id_map, codes = IdMap.build(nothing)
        assert (len(id_map), len(codes), codes.dtype.name) == (0, 0, "int32")
        assert id_map.indices_of([]).tolist() == []
        assert id_map.ids_of([]) == []
        assert len(IdMap.from_arrow(id_map.to_arrow())) == 0
    id_map, codes = IdMap.build([-7])
    assert (id_map.kind, id_map.index_of(-7), codes.tolist()) == ("integer", 0, [0])


def test_numbers_from_zero_without_a_gap_are_a_range_and_store_nothing() -> None:
    id_map, codes = IdMap.build([2, 0, 1, 1])
    assert (id_map.kind, codes.tolist()) == ("range", [2, 0, 1, 1])
    assert id_map.to_arrow().nbytes == 0
    assert IdMap.build([1, 2])[0].kind == "integer"
    assert IdMap.range(3).indices_of([-1, 0, 2, 3, 2**62]).tolist() == [-1, 0, 2, -1, -1]


@pytest.mark.parametrize("id_map", [IdMap.range(50), IdMap.build([-(2**63), -5, 42, 2**63 - 1])[0]])
def test_integers_are_known_by_their_decimal_text_alone(id_map: IdMap) -> None:
    assert id_map.index_of("42") == id_map.index_of(42) == id_map.index_of(np.int32(42)) >= 0
    strangers = ["042", "+42", " 42", "4_2", "4\uff12", "42.0", "-0", "", "x", "9" * 19, "9" * 5000, str(2**64)]
    assert id_map.indices_of(strangers).tolist() == [-1] * len(strangers)
    assert [id_map.index_of(text) for text in strangers] == [-1] * len(strangers)
    assert id_map.index_of(2**70) == -1
    known = id_map.ids_of(np.arange(len(id_map)))
    assert id_map.indices_of([str(id) for id in known]).tolist() == list(range(len(known)))


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["b", "a", "b"]),
        pa.array(["b", "a", "b"], pa.large_string()),
        pa.array(["b", "a", "b"], pa.string_view()),
        pa.array(["b", "a", "b"]).dictionary_encode(),
        pa.array(["x", "b", "a", "b"]).slice(1),
        pa.chunked_array([["b"], ["a", "b"], []], pa.string()),
        pa.chunked_array([pa.array(["b"]).dictionary_encode(), pa.array(["a", "b"]).dictionary_encode()]),
        np.array(["b", "a", "b"]),
        np.array(["b", "a", "b"], object),
        np.array(["b", "a", "b"], np.dtypes.StringDType()),
        ("b", "a", "b"),
        (text for text in "bab"),
    ],
)
def test_every_container_of_strings_gives_the_same_map(column: Any) -> None:
    id_map, codes = IdMap.build(column)
    assert (id_map.kind, codes.tolist(), id_map.ids_of([0, 1])) == ("string", [1, 0, 1], ["a", "b"])


@pytest.mark.parametrize(
    "column",
    [
        np.array([9, 5, 9], np.uint8),
        np.array([9, 5, 9], ">i4"),
        np.array([9, 0, 5, 0, 9])[::2],
        np.array([9, 5, 9], object),
        pa.array([9, 5, 9], pa.int16()),
        pa.array([9, 5, 9], pa.uint64()),
        pa.array([9, 5, 9]).dictionary_encode(),
        pa.chunked_array([[9], [5, 9]]),
        [np.int64(9), 5, np.uint8(9)],
    ],
)
def test_every_container_of_integers_gives_the_same_map(column: Any) -> None:
    id_map, codes = IdMap.build(column)
    assert (id_map.kind, codes.tolist(), id_map.ids_of([0, 1])) == ("integer", [1, 0, 1], [5, 9])


def test_numpy_strings_keep_an_inner_nul() -> None:
    id_map, _ = IdMap.build(np.array(["a\0b", "a"]))
    assert id_map.ids_of([0, 1]) == ["a", "a\0b"]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1.0, 2.0], r"users: expected integers, strings or other hashable ids, got 2 of type float"),
        (np.array([1.5]), r"users: .* got float64 values"),
        ([True], r"users: .* got 1 of type bool"),
        (np.array([True]), r"users: .* got bool values"),
        (pa.array([1.0]), r"users: .* got an Arrow column of double"),
        (["a", None, None], r"users: expected an id in each of 3 rows, got 2 null and 0 empty"),
        (["a", float("nan")], r"got 1 null"),
        (["a", ""], r"got 0 null and 1 empty"),
        (pa.array(["a", None]), r"got 1 null"),
        (np.ma.masked_array([1, 2], [True, False]), r"got 1 null"),
        (np.array([2**63], np.uint64), r"users: expected integers below 2\*\*63"),
        (pa.array([2**63], pa.uint64()), r"users: expected integers below 2\*\*63"),
        ([2**63], r"users: expected integers within int64"),
        ([1, "1"], r"users: expected ids of one type, got 1 integers and 1 strings"),
        (np.array([1, "1"], object), r"users: expected ids of one type"),
        ([["unhashable"]], r"users: expected hashable ids"),
        (["\ud800"], r"users: expected strings that UTF-8 can hold"),
        ("abc", r"users: expected a sequence of ids, got one str"),
        (5, r"users: expected a sequence of ids, got one int"),
        (np.array([[1]]), r"users: expected a 1-d array of ids, got 2-d"),
    ],
)
def test_what_is_no_id_is_refused_by_name(ids: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        IdMap.build(ids, "users")
    assert caught.value.field == "users"


def test_strings_that_are_not_utf8_are_refused() -> None:
    damaged = pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\xff\xfe"))
    with pytest.raises(InvalidArgumentError, match="UTF-8"):
        IdMap.build(damaged)


def test_other_hashable_ids() -> None:
    days = [dt.date(2024, 1, 2), dt.date(2024, 1, 1), dt.date(2024, 1, 2)]
    id_map, codes = IdMap.build(days)
    assert (id_map.kind, codes.tolist()) == ("object", [1, 0, 1])
    assert id_map.index_of(dt.date(2024, 1, 1)) == 0
    assert id_map.indices_of([days[0], dt.date(2000, 1, 1)]).tolist() == [1, -1]
    with pytest.raises(UnsupportedError, match="use strings or integers"):
        id_map.to_arrow()
    # What does not compare keeps the order of first appearance.
    assert IdMap.build([2j, 1j, 2j])[0].ids_of([0, 1]) == [2j, 1j]
    with pytest.raises(InvalidArgumentError, match="hashable"):
        id_map.index_of([])  # type: ignore[arg-type]


def test_lookups_of_the_wrong_type_are_refused() -> None:
    strings, _ = IdMap.build(["1", "2"])
    with pytest.raises(InvalidArgumentError, match="expected a string"):
        strings.index_of(1)
    with pytest.raises(InvalidArgumentError, match="expected strings"):
        strings.indices_of([1])
    for wrong in (1.0, True, None):
        with pytest.raises(InvalidArgumentError, match="expected an integer"):
            IdMap.range(3).index_of(wrong)
    with pytest.raises(InvalidArgumentError, match="expected integers"):
        IdMap.range(3).indices_of([(1, 2)])


@pytest.mark.parametrize("id_map", [IdMap.range(2), IdMap.build([5, 7])[0], IdMap.build(["a", "b"])[0]])
def test_indices_outside_of_the_map_are_refused(id_map: IdMap) -> None:
    for index in (-1, 2):
        with pytest.raises(InvalidArgumentError, match=r"expected numbers in \[0, 2\)"):
            id_map.id_of(index)
    with pytest.raises(InvalidArgumentError, match="1-d integers"):
        id_map.ids_of([0.5])


def test_a_mapped_file_serves_without_being_copied(tmp_path: Path) -> None:
    id_map, _ = IdMap.build([f"item-{number}" for number in range(1000)])
    path = tmp_path / "ids.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, id_map.to_arrow().schema) as writer:
        writer.write_table(id_map.to_arrow())
    before = pa.total_allocated_bytes()
    with pa.memory_map(str(path)) as source:
        mapped = IdMap.from_arrow(pa.ipc.open_file(source).read_all())
        assert pa.total_allocated_bytes() - before < 1000
        assert mapped.index_of("item-77") == id_map.index_of("item-77")


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"id": [1, 2]}),
        IdMap.build([3, 5])[0].to_arrow().slice(0, 0).append_column("other", pa.array([], pa.int64())).drop(["id"]),
        pa.table({"id": [2, 1]}).cast(IdMap.build([3, 5])[0].to_arrow().schema),
        pa.table({"id": [1, 1]}).cast(IdMap.build([3, 5])[0].to_arrow().schema),
        pa.table(
            {"id": ["b", "a"]}, schema=IdMap.build(["a"])[0].to_arrow().schema.set(0, pa.field("id", pa.string()))
        ),
        pa.table({"id": ["a"]}).replace_schema_metadata({"recocore.ids.kind": "integer"}),
        pa.table({"id": [1]}).replace_schema_metadata({"recocore.ids.kind": "range", "recocore.ids.size": "many"}),
        pa.table({"id": [1]}).replace_schema_metadata({"recocore.ids.kind": "range", "recocore.ids.size": "-1"}),
    ],
)
def test_a_table_that_is_no_id_map_is_refused(table: pa.Table) -> None:
    with pytest.raises(CorruptError, match="id map"):
        IdMap.from_arrow(table)


def test_native_lookup_refuses_offsets_outside_of_the_data() -> None:
    text = np.frombuffer(b"ab", np.uint8)
    good, bad = np.array([0, 1, 2]), np.array([0, 99, 2])
    assert _native.find_sorted_bytes(good, text, good, text).tolist() == [0, 1]
    with pytest.raises(CorruptError):
        _native.find_sorted_bytes(bad, text, good, text)
    with pytest.raises(InvalidArgumentError, match="sorted_offsets"):
        _native.find_sorted_bytes(good.astype(np.int32), text, good, text)
