"""Whatever happens to the files of an index, loading refuses it by name and never crashes."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from recocore.errors import CorruptError
from recocore.index import Index, loading
from recocore.index.contents import MATRIX_FILES, POPULAR_FILES
from recocore.index.manifest import Manifest
from recocore.storage.file_entry import FileEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from recocore.types import AnyArray

FILES = [
    "manifest.json",
    "users.arrow",
    "items.arrow",
    *MATRIX_FILES,
    *POPULAR_FILES,
    "scorer.user_factors.npy",
    "scorer.objective.npy",
]


def truncations(data: bytes, rng: random.Random) -> Iterator[bytes]:
    for size in (0, 1, len(data) // 2, len(data) - 1, *(rng.randrange(len(data)) for _ in range(8))):
        yield data[:size]


def bit_flips(data: bytes, rng: random.Random) -> Iterator[bytes]:
    heads = [rng.randrange(min(160, len(data))) for _ in range(12)]
    for position in (*heads, *(rng.randrange(len(data)) for _ in range(18)), len(data) - 1):
        flipped = bytearray(data)
        flipped[position] ^= 1 << rng.randrange(8)
        yield bytes(flipped)


def insertions(data: bytes, rng: random.Random) -> Iterator[bytes]:
    yield data + b"\0"
    yield b"\0" + data
    yield data + data
    at = rng.randrange(len(data))
    yield data[:at] + rng.randbytes(5) + data[at:]
    yield rng.randbytes(len(data))


def mutations(data: bytes, seed: str) -> Iterator[bytes]:
    rng = random.Random(seed)
    for mutate in (truncations, bit_flips, insertions):
        yield from mutate(data, rng)


@pytest.mark.parametrize("name", FILES)
def test_any_change_of_any_file_is_refused_by_name(saved: Path, name: str) -> None:
    whole = (saved / name).read_bytes()
    for changed in mutations(whole, name):
        (saved / name).write_bytes(changed)
        with pytest.raises(CorruptError, match=name.replace(".", r"\.")):
            Index.load(saved)
    (saved / name).write_bytes(whole)
    Index.load(saved)


@pytest.mark.parametrize("name", FILES)
def test_without_hashes_a_change_is_refused_or_harmless(saved: Path, name: str) -> None:
    whole = (saved / name).read_bytes()
    for changed in mutations(whole, name):
        (saved / name).write_bytes(changed)
        try:
            index = Index.load(saved, verify=False)
        except CorruptError as error:
            assert name.split(".", maxsplit=1)[0] in str(error).rpartition("/")[2]  # noqa: PT017
        else:
            index.recommend([index.users.id_of(0), "nobody"], 5, explain=2)
            index.similar_items([index.items.id_of(0)], 5)
    (saved / name).write_bytes(whole)
    Index.load(saved, verify=False)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(CorruptError, match=name.replace(".", r"\.")):
        Index.load(saved)


def forge(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a manifest and make its digest right again, as a foreign writer could."""
    body = json.loads((folder / "manifest.json").read_text())
    change(body)
    manifest = Manifest(
        recocore_version=body["recocore_version"],
        created=Manifest.from_bytes((folder / "manifest.json").read_bytes()).created,
        model=body["model"]["name"],
        params=body["model"]["params"],
        scorer=body["scorer"],
        counts=body["counts"],
        metrics=body["metrics"],
        files={n: FileEntry(e["size"], e["sha256"], e["dtype"], tuple(e["shape"])) for n, e in body["files"].items()},
    )
    (folder / "manifest.json").write_bytes(manifest.to_bytes())


def put(folder: Path, name: str, array: AnyArray) -> None:
    """Replace an array by another with a right manifest."""
    np.save(folder / name, array)
    adopt(folder, name, array.dtype.str, list(array.shape))


def adopt(folder: Path, name: str, dtype: str, shape: list[int]) -> None:
    data = (folder / name).read_bytes()
    import hashlib  # noqa: PLC0415

    entry = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "dtype": dtype, "shape": shape}
    forge(folder, lambda body: body["files"].update({name: entry}))


def test_a_newer_format_says_to_upgrade(saved: Path) -> None:
    body = json.loads((saved / "manifest.json").read_text())
    body["format_version"] = 2
    (saved / "manifest.json").write_text(json.dumps(body))
    with pytest.raises(CorruptError, match=r"manifest\.json: format_version 2 is newer .* upgrade recocore"):
        Index.load(saved)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("[]", "expected a JSON object, got list"),
        ("{}", "not a recocore index"),
        ('{"format": "other"}', "expected format \"recocore-index\", got 'other'"),
        ('{"format": "recocore-index", "format_version": true}', "format_version: expected int, got True"),
        ('{"format": "recocore-index", "format_version": 0}', "format_version: expected 1, got 0"),
        ('{"format": "recocore-index", "format_version": 1}', "model: expected dict, got None"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_foreign_manifest_is_refused(saved: Path, text: str, reason: str) -> None:
    (saved / "manifest.json").write_text(text)
    with pytest.raises(CorruptError) as caught:
        Index.load(saved)
    assert str(saved / "manifest.json") in str(caught.value)
    assert reason in str(caught.value)


def test_a_folder_or_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(CorruptError, match=r"not a recocore index: it has no manifest\.json"):
        Index.load(tmp_path)
    with pytest.raises(CorruptError, match="an index is a folder, this is a file"):
        Index.load(tmp_path / "notes.txt")


@pytest.mark.parametrize("name", ["../users.arrow", "/etc/passwd.npy", "scorer.x/../y.npy", "a\0b.npy", ".hidden.npy"])
def test_names_lead_nowhere_else(saved: Path, name: str) -> None:
    forge(saved, lambda body: body["files"].update({name: body["files"]["users.arrow"]}))
    with pytest.raises(CorruptError, match="is not the name of a file that an index holds"):
        Index.load(saved)


def test_links_and_devices_are_not_followed(saved: Path, tmp_path: Path) -> None:
    (saved / "users.arrow").rename(tmp_path / "elsewhere")
    (saved / "users.arrow").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CorruptError, match=r"users\.arrow: expected a plain file"):
        Index.load(saved)
    (saved / "users.arrow").unlink()
    os.mkfifo(saved / "users.arrow")
    with pytest.raises(CorruptError, match=r"users\.arrow: expected a plain file"):
        Index.load(saved)


def test_a_file_that_the_manifest_does_not_list_is_refused_unless_hidden(saved: Path) -> None:
    (saved / ".DS_Store").write_text("")
    Index.load(saved)
    shutil.copy(saved / "scorer.user_factors.npy", saved / "scorer.other.npy")
    with pytest.raises(CorruptError, match=r"scorer\.other\.npy: no part of this index"):
        Index.load(saved)
    adopt(saved, "scorer.other.npy", "<f4", [30, 4])
    with pytest.raises(CorruptError, match=r"scorer\.other: no part of a scorer of kind factors"):
        Index.load(saved)


def test_a_pickle_is_refused(saved: Path) -> None:
    name = "scorer.user_factors.npy"
    np.save(saved / name, np.array([{"evil": 1}], dtype=object), allow_pickle=True)
    adopt(saved, name, "|O", [1])
    with pytest.raises(CorruptError, match=rf"{name}: dtype '\|O' is none that is stored"):
        Index.load(saved)
    adopt(saved, name, "<f4", [1])
    with pytest.raises(CorruptError, match=rf"{name}: holds \|O"):
        Index.load(saved)
    (saved / name).write_bytes(pickle.dumps([1]))
    adopt(saved, name, "<f4", [1])
    with pytest.raises(CorruptError, match=rf"{name}: not a version 1.0 .npy file"):
        Index.load(saved)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["scorer.item_factors.npy", "interactions.values.npy"])
def test_numbers_that_are_not_finite_are_refused(saved: Path, name: str, bad: float) -> None:
    array = np.load(saved / name)
    array.flat[5] = bad
    put(saved, name, array)
    for verify in (True, False):
        with pytest.raises(CorruptError, match=rf"{name.rsplit('.', 2)[0]}.*: expected finite values"):
            Index.load(saved, verify=verify)


def change_array(name: str, change: Callable[[AnyArray], AnyArray]) -> Callable[[Path], None]:
    return lambda folder: put(folder, name, change(np.load(folder / name)))


def swap_ends(array: AnyArray) -> AnyArray:
    array[[0, -1]] = array[[-1, 0]]
    return array


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_array("interactions.indices.npy", lambda a: a + 1000), r"interactions\.indices: expected numbers in"),
        (change_array("interactions.indptr.npy", lambda a: a[::-1].copy()), r"interactions\.indptr"),
        (change_array("interactions.indptr.npy", lambda a: a[:-1]), r"interactions\.indptr: expected rows \+ 1"),
        (change_array("interactions.indptr.npy", lambda a: a.astype(np.int32)), r"indptr\.npy: expected <i8"),
        (change_array("interactions.values.npy", lambda a: a[:-1]), r"interactions\.values: expected one for each"),
        (change_array("popularity.counts.npy", lambda a: -a), r"popularity\.counts: expected counts"),
        (change_array("popularity.order.npy", lambda a: a + 1), r"popularity\.order: expected item indices"),
        (change_array("popularity.order.npy", swap_ends), r"popularity\.order: expected items by falling count"),
        (change_array("popularity.order.npy", lambda a: a[:-1]), r"popularity: expected 20 items"),
        (change_array("scorer.item_factors.npy", lambda a: a[:-1]), "item_factors"),
        (change_array("scorer.item_factors.npy", lambda a: a[:, :-1].copy()), "factors"),
        (change_array("scorer.item_factors.npy", lambda a: a.view(np.int32)), "item_factors"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(
    saved: Path, change: Callable[[Path], None], reason: str
) -> None:
    change(saved)
    for verify in (True, False):
        with pytest.raises(CorruptError, match=reason):
            Index.load(saved, verify=verify)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda body: body["counts"].update(users=31), r"id maps: expected 31 users and 20 items, got 30 and 20"),
        (lambda body: body["counts"].update(interactions=1), r"interactions: expected 1, got"),
        (lambda body: body["files"]["users.arrow"].update(dtype="integer"), r"users\.arrow: holds 30 string ids"),
        (lambda body: body["files"]["users.arrow"].update(shape=[29]), r"users\.arrow: holds 30 string ids"),
        (lambda body: body["files"]["users.arrow"].update(shape=[-1]), r"shape: expected whole numbers"),
        (lambda body: body.update(scorer="oracle"), r"scorer 'oracle': expected one of"),
        (lambda body: body["files"].pop("scorer.user_factors.npy"), r"user_factors\.npy: no part of this index"),
        (lambda body: body["files"].pop("users.arrow"), r"files: expected users\.arrow, which every index has"),
        (lambda body: body["files"].update({"extra.npy": body["files"]["users.arrow"]}), r"extra\.npy is no part"),
    ],
)
def test_manifests_that_lie_are_refused(saved: Path, change: Callable[[dict[str, Any]], None], reason: str) -> None:
    forge(saved, change)
    with pytest.raises(CorruptError, match=reason):
        Index.load(saved)


def test_id_maps_of_another_index_are_refused(saved: Path) -> None:
    shutil.copy(saved / "items.arrow", saved / "users.arrow")
    adopt(saved, "users.arrow", "integer", [20])
    with pytest.raises(CorruptError, match="id maps: expected 30 users and 20 items, got 20 and 20"):
        Index.load(saved)


def test_read_manifest_needs_no_other_file(saved: Path) -> None:
    manifest = loading.read_manifest(saved)
    assert manifest.version == Index.load(saved).version
