"""Attributes of items: what is taken, how it is kept, and what damage to it is."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from tests.index.conftest import fit
from tests.index.test_damage import change_array, mutations, put

from recocore.data import IdMap, Interactions
from recocore.errors import CorruptError, InvalidArgumentError
from recocore.index import Ask, Index, filters
from recocore.index.id_file import write_ids
from recocore.index.kept import Kept
from recocore.index.matching import matches

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WORDS = ["tea", "pot", "cup", "jar"]


@pytest.fixture(scope="session")
def words() -> Interactions:
    """Items tea, pot, cup and jar, which cup < jar < pot < tea are in the index."""
    return Interactions.from_coo(["ann", "ann", "bob", "bob", "cid"], ["tea", "pot", "cup", "tea", "jar"])


def build(words: Interactions, attributes: Any) -> Index:
    return Index.build(fit("popularity", words), words, attributes=attributes)


COLUMNS: dict[str, Any] = {
    "item_id": [*WORDS, "unheard of"],
    "brand": pa.array(["acme", None, "", "bolt", "acme"]).dictionary_encode(),
    "tags": pa.array([["b", "a", "b"], [], None, ["", None, "c"], ["d"]]),
    "price": pa.array([1.5, None, float("nan"), -3, 9]),
    "stock": pa.array([1, 2**40, None, 0, 5]),
    "weight": pa.array([Decimal("1.25"), None, Decimal("0.50"), None, None]),
    "since": pa.array([datetime(2026, 1, 1, tzinfo=UTC), None, None, datetime(1969, 12, 31, tzinfo=UTC), None]),
    "local": pa.array([datetime(2026, 1, 1), None, None, None, None], pa.timestamp("ms")),
    "day": pa.array([date(2026, 1, 1), None, None, None, None]),
    "sold_out": pa.array([True, False, None, True, False]),
    "empty": pa.nulls(5),
}
SECONDS = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
WANTED: list[dict[str, Any]] = [
    {
        **{"brand": "acme", "tags": ["b", "a"], "price": 1.5, "stock": 1.0, "weight": 1.25, "since": SECONDS},
        **{"local": SECONDS, "day": SECONDS, "sold_out": True},
    },
    {"stock": 2.0**40, "sold_out": False},
    {"weight": 0.5},
    {"brand": "bolt", "tags": ["c"], "price": -3.0, "stock": 0.0, "since": -86400.0, "sold_out": True},
]


def test_columns_are_taken_by_their_types(words: Interactions, tmp_path: Path) -> None:
    index = build(words, pa.table(COLUMNS))
    index.save(tmp_path / "index")
    for known in (index, Index.load(tmp_path / "index"), Index.load(tmp_path / "index", verify=False)):
        assert dict(known.fields) == {
            **dict.fromkeys(["brand", "empty", "tags"], "text"),
            **dict.fromkeys(["day", "local", "price", "since", "stock", "weight"], "number"),
            "sold_out": "flag",
        }
        assert known.attributes_of([*WORDS, "unheard of"]) == [*WANTED, {}]
        assert known.attributes_of(["jar", "tea"], ["price", "empty"]) == [{"price": -3.0}, {"price": 1.5}]
        assert known.version == index.version
        found = known.ask(["ann"], Ask(k=9, exclude_seen=False, where=filters.In("tags", ("a", "c"))))[0]
        assert {item.item_id for item in found.items} == {"tea", "jar"}
    assert [type(value) for value in index.attributes_of(["tea"], ["sold_out", "price"])[0].values()] == [bool, float]
    with pytest.raises(InvalidArgumentError, match=r"fields\[1\]: 'colour' is no attribute .* it has brand \(text\)"):
        index.attributes_of(["tea"], ["brand", "colour"])


def test_mappings_and_several_tables(words: Interactions) -> None:
    index = build(words, {"item_id": ["pot"], "brand": ["acme"]})
    assert index.attributes_of(["pot", "tea"]) == [{"brand": "acme"}, {}]
    both = build(words, [{"item_id": ["pot"], "brand": ["acme"], "a": [1]}, {"item_id": ["tea"], "brand": ["bolt"]}])
    assert both.attributes_of(["pot", "tea"]) == [{"a": 1.0}, {"brand": "bolt"}]
    assert build(words, {"item_id": pa.array([], pa.string()), "x": pa.array([], pa.float64())}).fields == {
        "x": "number"
    }


def test_ids_of_items_may_be_numbers_or_their_text() -> None:
    log = Interactions.from_coo(["ann", "bob"], [7, 12])
    for ids in ([7, 12], ["7", "12"], pa.array(["12", "7"])[::-1]):
        assert build(log, {"item_id": ids, "x": [1, 2]}).attributes_of([7, 12]) == [{"x": 1.0}, {"x": 2.0}]
    text = Interactions.from_coo(["ann", "bob"], ["7", "12"])
    assert build(text, {"item_id": [7, 12], "x": [1, 2]}).attributes_of(["7", "12"]) == [{"x": 1.0}, {"x": 2.0}]


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (5, "attributes: expected a pyarrow.Table"),
        ({"sku": ["tea"]}, r"attributes: expected a column item_id, got sku; rename .* \(--item-id COLUMN\)"),
        ({"item_id": ["tea", None]}, "attributes: expected an item_id in each row, got 1 null"),
        ({"item_id": ["tea", "pot", "tea"]}, "attributes: expected a row an item, got 2 of 'tea'"),
        ({"item_id": ["tea"], "": [1]}, "attributes: expected a name for each column"),
        ({"item_id": ["tea"], "size": [{"x": 1}]}, "attributes.size: expected text, numbers, .* got struct"),
        ({"item_id": ["tea"], "sizes": [[1, 2]]}, "attributes.sizes: expected text, numbers, .* got list"),
        ({"item_id": ["tea"], "price": [float("inf")]}, "attributes.price: expected finite numbers, got infinity"),
        (
            pa.table([["tea"], [1], [2]], names=["item_id", "x", "x"]),
            "attributes: expected column names once, got item_id, x, x",
        ),
    ],
)
def test_what_cannot_be_kept_is_named(words: Interactions, attributes: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        build(words, attributes)
    assert caught.value.field == message.split(":", maxsplit=1)[0]


def test_versions_follow_attributes(words: Interactions) -> None:
    tables: list[Any] = [
        None,
        {"item_id": ["tea"], "x": [1.0]},
        {"item_id": ["tea"], "x": [2.0]},
        {"item_id": ["tea"], "y": [1.0]},
        {"item_id": ["pot"], "x": [1.0]},
        {"item_id": ["tea"], "x": ["1"]},
        {"item_id": ["tea"], "x": [["1"]]},
        {"item_id": ["tea"], "x": [True]},
    ]
    assert len({build(words, table).version for table in tables}) == len(tables)
    assert build(words, tables[1]).version == build(words, {"x": [1.0, 5], "item_id": ["tea", "other"]}).version


def test_an_index_without_attributes_has_none(saved: Path) -> None:
    assert not [file for file in saved.iterdir() if file.name.startswith("attributes")]
    index = Index.load(saved)
    assert index.fields == {}
    assert index.attributes_of([10, 7]) == [{}, {}]
    with pytest.raises(InvalidArgumentError, match="is no attribute of the items of this index; it has none"):
        index.ask(["user-01"], Ask(where=filters.Exists("brand")))


def test_arrays_are_read_only_maps(kept: Path) -> None:
    maps, arrays = Index.load(kept)._data.attributes.files()
    assert len(maps) == 3
    assert len(arrays) == 7
    for name, array in arrays.items():
        if name != "attributes.kinds.npy":
            assert isinstance(array.base, np.memmap)
            assert not array.flags.writeable


@pytest.fixture
def kept(words: Interactions, tmp_path: Path) -> Path:
    """A saved index whose fields are, in the order of their names, a number, a flag, texts and a text."""
    table = {
        "item_id": WORDS,
        "price": [1.5, None, 2.5, 3.5],
        "sold_out": [True, False, None, True],
        "tags": [["b", "a"], [], None, ["c"]],
        "word": ["x", None, "y", "x"],
    }
    build(words, table).save(tmp_path / "kept")
    return tmp_path / "kept"


FILES = [
    "attributes.fields.arrow",
    "attributes.kinds.npy",
    "attributes.0.values.npy",
    "attributes.1.values.npy",
    "attributes.2.words.arrow",
    "attributes.2.indptr.npy",
    "attributes.2.codes.npy",
    "attributes.3.indptr.npy",
]


@pytest.mark.parametrize("name", FILES)
def test_any_change_of_any_file_is_refused_by_name(kept: Path, name: str) -> None:
    whole = (kept / name).read_bytes()
    for changed in mutations(whole, name):
        (kept / name).write_bytes(changed)
        with pytest.raises(CorruptError, match=name.replace(".", r"\.")):
            Index.load(kept)
    (kept / name).unlink()
    with pytest.raises(CorruptError, match=name.replace(".", r"\.")):
        Index.load(kept)
    (kept / name).write_bytes(whole)
    Index.load(kept)


@pytest.mark.parametrize("name", FILES)
def test_without_hashes_a_change_is_refused_or_harmless(kept: Path, name: str) -> None:
    whole = (kept / name).read_bytes()
    for changed in mutations(whole, name):
        (kept / name).write_bytes(changed)
        try:
            index = Index.load(kept, verify=False)
        except CorruptError as error:
            assert "attributes" in str(error)  # noqa: PT017
        else:
            index.attributes_of(WORDS)
            for field, kind in index.fields.items():
                index.ask(["ann"], Ask(where=filters.Exists(field)))
                if kind == "text":
                    index.ask(["ann"], Ask(where=filters.In(field, ("x", "a"))))


def change_words(name: str, ids: list[Any]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with (folder / name).open("wb") as file:
            write_ids(file, IdMap.build(ids)[0])  # type: ignore[arg-type]
        from tests.index.test_damage import adopt  # noqa: PLC0415

        adopt(folder, name, IdMap.build(ids)[0].kind, [len(IdMap.build(ids)[0])])

    return change


def forget(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        from tests.index.test_damage import forge  # noqa: PLC0415

        os.unlink(folder / name)
        forge(folder, lambda body: body["files"].pop(name))

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            change_array("attributes.kinds.npy", lambda a: a + 2),
            r"attributes\.kinds\.npy: expected numbers in \[0, 4\)",
        ),
        (change_array("attributes.kinds.npy", lambda a: a[:-1]), r"attributes\.fields\.arrow: expected 3 names, got 4"),
        (change_array("attributes.kinds.npy", lambda a: a.astype(np.int32)), r"attributes\.kinds\.npy: expected int8"),
        (change_array("attributes.0.values.npy", lambda a: a[:-1]), r"attributes\.0\.values\.npy: expected float64"),
        (change_array("attributes.0.values.npy", lambda a: a / 0), r"attributes\.0\.values: .* not infinite"),
        (change_array("attributes.1.values.npy", lambda a: a + 1), r"attributes\.1\.values: expected flags"),
        (change_array("attributes.2.indptr.npy", lambda a: a[::-1].copy()), r"attributes\.2\.indptr: .* rise from 0"),
        (
            change_array("attributes.2.codes.npy", lambda a: a + 1),
            r"attributes\.2\.codes: expected numbers in \[0, 3\)",
        ),
        (
            change_array("attributes.3.indptr.npy", lambda a: np.array([0, 2, 2, 2, 3])),
            r"attributes\.3\.indptr: expected at most one text an item",
        ),
        (change_words("attributes.2.words.arrow", [4, 5, 9]), r"attributes\.2\.words: expected texts, got integer"),
        (change_words("attributes.fields.arrow", [4, 5, 7, 9]), r"attributes\.fields\.arrow: expected 4 names, got"),
        (forget("attributes.2.words.arrow"), r"attributes\.2\.words\.arrow: missing"),
        (forget("attributes.0.values.npy"), r"attributes\.0\.values\.npy: expected this array"),
        (forget("attributes.fields.arrow"), r"attributes\.fields\.arrow: missing"),
        (forget("attributes.kinds.npy"), r"attributes\.kinds\.npy: expected this array"),
        (
            lambda folder: put(folder, "attributes.4.values.npy", np.zeros(4)),
            r"attributes\.4\.values\.npy: belongs to no",
        ),
    ],
)
def test_files_that_do_not_belong_together_are_refused(kept: Path, change: Callable[[Path], None], reason: str) -> None:
    with np.errstate(divide="ignore"):
        change(kept)
    for verify in (True, False):
        with pytest.raises(CorruptError, match=reason):
            Index.load(kept, verify=verify)


def test_what_is_kept_stays_within_bounds() -> None:
    made: list[int] = []

    def make(key: int) -> Callable[[], bytes]:
        def value() -> bytes:
            made.append(key)
            return bytes(key)

        return value

    kept: Kept[bytes] = Kept(100, len)
    for key in (40, 50, 40, 60, 40, 50, 200, 200, 40):
        assert len(kept.get(key, make(key))) == key
        assert kept.held <= 100
    # 60 pushed out 50, which was used longest ago, and 50 pushed out 60; 200 never fits.
    assert made == [40, 50, 60, 50, 200, 200]


def test_an_unknown_text_matches_nothing_and_masks_are_bool(words: Interactions) -> None:
    attributes = build(words, pa.table(COLUMNS))._data.attributes
    assert not matches(filters.In("brand", ("none", "zero")), attributes, 4).any()
    assert not matches(filters.In("empty", ("x",)), attributes, 4).any()
    assert not matches(filters.In("brand", ()), attributes, 4).any()
    assert matches(filters.All(()), attributes, 4).all()
    assert matches(filters.Not(filters.Exists("empty")), attributes, 4).dtype == np.bool_
