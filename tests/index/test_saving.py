"""A save that fails or is killed leaves the target as it was."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.index import Index
from recocore.index.manifest import Manifest
from recocore.storage import folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recocore.data import Interactions


def test_an_empty_folder_is_taken(factors: Index, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    factors.save(tmp_path / "index")
    assert Index.load(tmp_path / "index").version == factors.version
    assert [entry.name for entry in tmp_path.iterdir()] == ["index"]


@pytest.mark.parametrize("exchange", [True, False])
def test_overwrite_swaps_whole_indexes(
    factors: Index, built: Index, tmp_path: Path, exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:
        monkeypatch.setattr(folder, "_exchange", lambda *_: False)
    factors.save(tmp_path / "index")
    with pytest.raises(InvalidArgumentError, match="is not empty; choose another name, or overwrite"):
        built.save(tmp_path / "index")
    before = Index.load(tmp_path / "index")
    answer = before.recommend(["user-01"], 5)
    built.save(tmp_path / "index", overwrite=True)
    assert Index.load(tmp_path / "index").version == built.version
    assert before.recommend(["user-01"], 5) == answer  # maps of a deleted index stay readable
    assert [entry.name for entry in tmp_path.iterdir()] == ["index"]


@pytest.mark.parametrize("overwrite", [True, False])
def test_what_is_no_index_is_never_replaced(factors: Index, tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("cat")
    (tmp_path / "file").write_text("file")
    for name in ("photos", "file"):
        with pytest.raises(InvalidArgumentError, match=name):
            factors.save(tmp_path / name, overwrite=overwrite)
    assert (tmp_path / "photos" / "cat.jpg").read_text() == "cat"
    assert (tmp_path / "file").read_text() == "file"


def test_an_index_with_something_of_the_users_in_it_is_not_replaced(factors: Index, saved: Path) -> None:
    (saved / "notes.txt").write_text("mine")
    with pytest.raises(InvalidArgumentError, match=r"notes\.txt is no part of an index"):
        factors.save(saved, overwrite=True)
    assert (saved / "notes.txt").read_text() == "mine"


def test_a_missing_parent_is_named(factors: Index, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="absent does not exist; create it first"):
        factors.save(tmp_path / "absent" / "index")


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("calls", range(0, 12, 3))
def test_a_full_disk_leaves_the_target_as_it_was(
    factors: Index, built: Index, tmp_path: Path, calls: int, overwrite: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if overwrite:
        factors.save(tmp_path / "index")
    left = calls

    def fail_later(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail_later)
        with pytest.raises(OSError, match="No space left"):
            built.save(tmp_path / "index", overwrite=overwrite)
    if overwrite:
        assert Index.load(tmp_path / "index").version == factors.version
    assert [entry.name for entry in tmp_path.iterdir()] == (["index"] if overwrite else [])


SAVE_WITH_A_LIMIT = """
import resource, sys
from recocore.index import Index
index = Index.load(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
try:
    index.save(sys.argv[2])
except OSError as error:
    sys.exit(f"refused: {error.strerror}")
"""


def test_a_write_that_the_system_cuts_leaves_nothing(saved: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    child = subprocess.run(
        [sys.executable, "-c", SAVE_WITH_A_LIMIT, saved, target], capture_output=True, text=True, check=False
    )
    assert child.stderr == "refused: File too large\n"
    assert {entry.name for entry in tmp_path.iterdir()} == {"saved"}


SAVE_FOR_EVER = """
import itertools, sys
from pathlib import Path
from recocore.index import Index
index, root, overwrite = Index.load(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "overwrite"
print("ready", flush=True)
for n in itertools.count():
    index.save(root / ("index" if overwrite else f"index-{n}"), overwrite=overwrite)
"""


@pytest.mark.parametrize("mode", ["overwrite", "fresh"])
def test_kill_9_during_a_save_leaves_whole_indexes_only(saved: Path, factors: Index, tmp_path: Path, mode: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    torn = 0
    for delay in (0.0, 0.003, 0.011, 0.03, 0.07):
        with subprocess.Popen(
            [sys.executable, "-c", SAVE_FOR_EVER, saved, root, mode], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            time.sleep(delay)
            child.kill()
        for entry in root.iterdir():
            if entry.name.startswith("."):
                assert ".tmp-" in entry.name
                torn += 1
            else:
                assert Index.load(entry).version == factors.version
        if mode == "fresh":
            for entry in list(root.iterdir()):
                entry.rename(tmp_path / f"done-{delay}-{entry.name}")
    assert torn > 0, "no kill hit a save; the test shows nothing"


OVERWRITE_AGAIN_AND_AGAIN = """
import sys
from recocore.index import Index
versions = [Index.load(path) for path in sys.argv[2:]]
for n in range(5000):
    versions[n % len(versions)].save(sys.argv[1], overwrite=True)
    if n == 0:
        print("ready", flush=True)
"""


def test_an_index_that_is_being_overwritten_loads_whole(factors: Index, built: Index, tmp_path: Path) -> None:
    factors.save(tmp_path / "one")
    built.save(tmp_path / "other")
    target = tmp_path / "index"
    arguments = [
        sys.executable,
        "-c",
        OVERWRITE_AGAIN_AND_AGAIN,
        *map(str, (target, tmp_path / "one", tmp_path / "other")),
    ]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            for _ in range(100):
                assert Index.load(target).version in {factors.version, built.version}
        finally:
            child.kill()


def test_a_folder_replaced_while_it_is_read_is_read_again(
    factors: Index, built: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factors.save(tmp_path / "index")
    from_bytes = Manifest.from_bytes

    def overwrite_once(data: bytes) -> Manifest:
        monkeypatch.setattr(Manifest, "from_bytes", from_bytes)
        built.save(tmp_path / "index", overwrite=True)
        return from_bytes(data)

    monkeypatch.setattr(Manifest, "from_bytes", overwrite_once)
    assert Index.load(tmp_path / "index").version == built.version


@pytest.mark.parametrize("name", ["n" * 255, "ü" * 127, "i"])
def test_every_name_that_the_file_system_takes_can_be_saved_to(
    factors: Index, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    factors.save(tmp_path / name)
    factors.save(tmp_path / name, overwrite=True)
    monkeypatch.setattr(folder, "_exchange", lambda *_: False)
    factors.save(tmp_path / name, overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_the_next_save_removes_what_a_killed_one_left_a_day_ago(factors: Index, tmp_path: Path) -> None:
    left = {
        ".index.tmp-0123456789ab": 2,  # the only one that is old and this target's
        ".index.tmp-0123456789ac": 0.5,
        ".other.tmp-0123456789ab": 2,
        ".index.tmp-mine": 2,
    }
    for name, days in left.items():
        (tmp_path / name).mkdir()
        then = time.time() - days * 86400
        os.utime(tmp_path / name, (then, then))
    factors.save(tmp_path / "index")
    assert {entry.name for entry in tmp_path.iterdir()} == {"index", *list(left)[1:]}


def test_what_no_loader_would_take_is_not_saved(log: Interactions, fitted: Callable[..., Any], tmp_path: Path) -> None:
    model = fitted("factors", log)
    model.scorer.item_factors[3, 1] = np.nan
    with pytest.raises(
        InvalidArgumentError, match=r"scorer\.item_factors: expected finite .* fit with other parameters"
    ):
        Index.build(model, log).save(tmp_path / "index")
    assert list(tmp_path.iterdir()) == []
