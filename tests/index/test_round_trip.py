"""A saved index answers as the one in memory, from memory maps, and its bytes depend on its content alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from recocore.data import Interactions
from recocore.errors import InvalidArgumentError, NotFoundError, UnsupportedError
from recocore.index import Index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recocore.index import FittedModel
    from recocore.types import AnyArray

    Fit = Callable[..., FittedModel]


def answers(index: Index) -> object:
    users = [index.users.id_of(row) for row in range(len(index.users))]
    items = [index.items.id_of(column) for column in range(len(index.items))]
    return (
        index.recommend([*users, "nobody"], 7, explain=2, block=items[:2]),
        index.similar_items(items, 5),
        [index.score(user, items).scores.tolist() for user in users[:5]],
        [index.explain(users[0], item) for item in items],
    )


def test_saved_answers_as_built(built: Index, tmp_path: Path) -> None:
    built.save(tmp_path / "index")
    first, second = Index.load(tmp_path / "index"), Index.load(tmp_path / "index", verify=False)
    assert answers(first) == answers(built)
    assert answers(second) == answers(built)
    assert first.version == second.version == built.version
    assert (first.model, first.params) == (built.model, built.params)
    assert first.created == built.created
    assert 0 <= (datetime.now(UTC) - built.created).total_seconds() < 100


def test_saving_a_loaded_index_gives_the_same_bytes(built: Index, tmp_path: Path) -> None:
    built.save(tmp_path / "first")
    Index.load(tmp_path / "first").save(tmp_path / "second")
    names = sorted(file.name for file in (tmp_path / "first").iterdir())
    assert names == sorted(file.name for file in (tmp_path / "second").iterdir())
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


def test_bytes_depend_on_content_and_time_alone(log: Interactions, fitted: Fit, tmp_path: Path) -> None:
    for name in ("first", "second"):
        Index.build(fitted("popularity", log), log).save(tmp_path / name)
    manifests = []
    for name in ("first", "second"):
        body = json.loads((tmp_path / name / "manifest.json").read_text())
        del body["created"], body["digest"]
        manifests.append(body)
    assert manifests[0] == manifests[1]


def test_arrays_are_read_only_maps(built: Index, tmp_path: Path) -> None:
    built.save(tmp_path / "index")
    loaded = Index.load(tmp_path / "index")
    matrix = loaded.scorer.interactions
    arrays: list[AnyArray] = [
        *(matrix.indptr, matrix.indices, matrix.values, loaded.popular.counts, loaded.popular.order),
        *loaded.scorer.arrays().values(),
    ]
    for array in arrays:
        assert isinstance(array.base, np.memmap)
        assert not array.flags.writeable
        assert array.flags.c_contiguous


def test_the_manifest_is_readable(saved: Path) -> None:
    body = json.loads((saved / "manifest.json").read_text())
    assert (body["format"], body["format_version"]) == ("recocore-index", 1)
    assert body["model"]["name"] == "Fitted"
    assert body["model"]["params"] == {"size": 4, "rate": 0.1, "kind": "x", "bound": None}
    assert body["counts"]["users"] == 30
    assert body["metrics"] == {"recall@20": 0.25}
    assert body["files"]["users.arrow"]["dtype"] == "string"
    listed = {name: entry["size"] for name, entry in body["files"].items()}
    assert listed == {f.name: f.stat().st_size for f in saved.iterdir() if f.name != "manifest.json"}


def test_numpy_reads_the_arrays_too(saved: Path) -> None:
    for file in saved.glob("*.npy"):
        assert np.load(file, allow_pickle=False).dtype.str in {"<f4", "<f8", "<i4", "<i8", "|i1"}


def test_version_follows_content(log: Interactions, fitted: Fit, factors: Index) -> None:
    assert Index.build(fitted("popularity", log), log).version != factors.version
    assert len(factors.version) == 12


def test_integer_and_range_ids_survive(fitted: Fit, tmp_path: Path) -> None:
    for name, users in (("range", [0, 1, 1]), ("integer", [-7, 10**12, 10**12])):
        log = Interactions.from_coo(users, ["a", "b", "a"])
        index = Index.build(fitted("popularity", log), log)
        index.save(tmp_path / name)
        loaded = Index.load(tmp_path / name)
        assert loaded.users.kind == name
        assert loaded.recommend([users[0]], 2) == index.recommend([users[0]], 2)
        assert loaded.recommend([str(users[0])], 2) == index.recommend([users[0]], 2)


def test_ids_that_no_file_holds_are_refused(fitted: Fit, tmp_path: Path) -> None:
    log = Interactions.from_coo([("a", 1), ("b", 2)], ["x", "y"])
    with pytest.raises(UnsupportedError, match="string"):
        Index.build(fitted("popularity", log), log).save(tmp_path / "index")
    assert list(tmp_path.iterdir()) == []


def test_build_wants_the_interactions_of_the_fit(log: Interactions, fitted: Fit) -> None:
    other = Interactions.from_coo(["a"], [1])
    with pytest.raises(InvalidArgumentError, match=r"1 users x 1 items .* got others, 30 x 20 with"):
        Index.build(fitted("popularity", other), log)


def test_parameters_that_json_cannot_hold_are_refused(log: Interactions, fitted: Fit, tmp_path: Path) -> None:
    index = Index.build(fitted("popularity", log, rate=float("nan")), log)
    with pytest.raises(InvalidArgumentError, match="JSON"):
        index.save(tmp_path / "index")
    assert list(tmp_path.iterdir()) == []


def test_load_of_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no index here"):
        Index.load(tmp_path / "absent")
