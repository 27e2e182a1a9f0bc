"""A version appears whole or not at all, whatever happens to the process that publishes it."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.registry.damages import damage
from tests.registry.forks import Forks

from recocore import Index
from recocore.errors import CorruptError, InUseError, InvalidArgumentError, NotFoundError
from recocore.registry import Registry
from recocore.registry.locks import shared

if TYPE_CHECKING:
    from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def check(registry: Registry) -> None:
    """Everything that is there is whole."""
    for info in registry.list():
        assert info.damaged is None
        assert registry.load(info.version).version == info.version
    assert not list(registry.strangers())


def test_an_index_and_its_folder_are_published_alike(indexes: list[Index], saved: list[Path], tmp_path: Path) -> None:
    from_memory, from_disk = Registry(tmp_path / "memory"), Registry(tmp_path / "disk")
    for index, folder in zip(indexes, saved, strict=True):
        one, other = from_memory.publish(index), from_disk.publish(str(folder))
        assert one.version == other.version == index.version
        assert one.path == tmp_path / "memory" / "versions" / index.version
        assert contents(one.path) == contents(other.path) == contents(folder)
    assert [info.version for info in from_disk.list()] == [index.version for index in reversed(indexes)]


def test_a_version_is_described_by_its_manifest(registry: Registry, saved: list[Path]) -> None:
    info = registry.publish(saved[1], alias="stable")
    index = Index.load(saved[1])
    assert (info.model, info.created, info.aliases) == ("ItemKNN", index.created, ("stable",))
    assert info.counts == {
        "users": len(index.users),
        "items": len(index.items),
        "interactions": index.scorer.interactions.nnz,
    }
    assert info.bytes == sum(path.stat().st_size for path in saved[1].iterdir() if path.name != "manifest.json")
    assert info == registry.get("stable") == registry.get(info.version) == registry.list()[0]


def test_publishing_again_changes_nothing(registry: Registry, saved: list[Path], indexes: list[Index]) -> None:
    info = registry.publish(saved[0])
    before = info.path.stat(), registry.watch_token()
    assert registry.publish(saved[0]) == registry.publish(indexes[0]) == registry.publish(info.path) == info
    assert (info.path.stat(), registry.watch_token()) == before


def test_the_registry_does_not_share_files_with_what_was_published(
    registry: Registry, saved: list[Path], tmp_path: Path
) -> None:
    shutil.copytree(saved[0], tmp_path / "mine")
    info = registry.publish(tmp_path / "mine")
    damage(tmp_path / "mine" / "users.arrow")
    assert registry.load(info.version).version == info.version


@pytest.mark.parametrize("name", ["manifest.json", "users.arrow", "popularity.order.npy"])
def test_a_damaged_index_is_refused_by_name(registry: Registry, saved: list[Path], tmp_path: Path, name: str) -> None:
    shutil.copytree(saved[0], tmp_path / "mine")
    damage(tmp_path / "mine" / name)
    with pytest.raises(CorruptError, match=f"mine/{name}"):
        registry.publish(tmp_path / "mine", alias="stable")
    assert not registry.path.exists()
    registry.publish(saved[1], alias="stable")
    with pytest.raises(CorruptError, match=f"mine/{name}"):
        registry.publish(tmp_path / "mine", alias="stable")
    assert [info.version for info in registry.list()] == [registry.resolve("stable")]


@pytest.mark.parametrize("name", ["manifest.json", "users.arrow"])
@pytest.mark.parametrize("from_disk", [True, False])
def test_a_damaged_copy_is_replaced_and_readers_are_told(
    registry: Registry, saved: list[Path], indexes: list[Index], name: str, from_disk: bool
) -> None:
    info = registry.publish(saved[1], alias="stable")
    damage(info.path / name)
    token = registry.watch_token()
    with pytest.raises(CorruptError, match=name):
        registry.load("stable")
    assert registry.publish(saved[1] if from_disk else indexes[1]) == info
    assert registry.load("stable").version == info.version
    assert registry.watch_token() != token
    assert os.listdir(registry.path / "versions") == [info.version]


def test_a_source_that_changes_while_it_is_copied_is_refused(
    registry: Registry, saved: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(saved[0], tmp_path / "mine")
    copyfile = shutil.copyfile

    def swap_then_copy(source: Path, target: Path, *, follow_symlinks: bool) -> None:
        monkeypatch.setattr(shutil, "copyfile", copyfile)
        shutil.rmtree(tmp_path / "mine")
        shutil.copytree(saved[1], tmp_path / "mine")
        copyfile(source, target, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(shutil, "copyfile", swap_then_copy)
    with pytest.raises(CorruptError, match="mine: changed while it was copied"):
        registry.publish(tmp_path / "mine")
    assert os.listdir(registry.path / "versions") == []


def test_what_is_no_folder_is_neither_followed_nor_replaced(
    registry: Registry, saved: list[Path], indexes: list[Index]
) -> None:
    registry.publish(saved[0])
    place = registry.path / "versions" / indexes[1].version
    for make in (lambda: place.symlink_to(saved[1]), lambda: place.write_text("mine"), lambda: os.mkfifo(place)):
        make()
        with pytest.raises(CorruptError, match="expected a folder, got a link, file or device"):
            registry.publish(saved[1])
        with pytest.raises(CorruptError, match="expected a folder, got a link, file or device"):
            registry.load(indexes[1].version)
        assert "expected a folder" in str(registry.get(indexes[1].version).damaged)
        registry.remove(indexes[1].version)
        assert not os.path.lexists(place)
    assert registry.publish(saved[1]).damaged is None
    assert Index.load(saved[1]).version == indexes[1].version


def test_only_a_free_folder_becomes_a_registry(saved: list[Path], tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("cat")
    (tmp_path / "file").write_text("file")
    (tmp_path / "empty").mkdir()
    for name, message in (
        ("photos", "is not empty and no registry; name a folder that is free"),
        ("file", "is a file; a registry is a folder"),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            Registry(tmp_path / name).publish(saved[0])
    with pytest.raises(InvalidArgumentError, match="is not empty and no registry"):
        Registry(saved[0]).publish(saved[1])
    with pytest.raises(NotFoundError, match="absent does not exist; create it first"):
        Registry(tmp_path / "absent" / "models").publish(saved[0])
    with pytest.raises(NotFoundError, match="there is no index here"):
        Registry(tmp_path / "models").publish(tmp_path / "absent")
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "file", "empty"}
    Registry(tmp_path / "empty").publish(saved[0])
    assert {path.name for path in (tmp_path / "empty").iterdir()} == {"aliases.json", "journal.jsonl", "versions"}


@pytest.mark.parametrize("index", [None, 7, b"index", "a\0b"])
def test_what_is_no_index_is_refused(registry: Registry, index: object) -> None:
    with pytest.raises(InvalidArgumentError, match="path: expected a string"):
        registry.publish(index)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="path: expected a string"):
        Registry(index)  # type: ignore[arg-type]


@pytest.mark.parametrize("from_disk", [True, False])
def test_a_full_disk_leaves_the_registry_as_it_was(
    registry: Registry, saved: list[Path], indexes: list[Index], from_disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.publish(saved[0], alias="stable")
    token, calls = registry.watch_token(), 0
    for limit in range(100):
        left = limit

        def fail_later(descriptor: int) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", fail_later)
            try:
                registry.publish(saved[1] if from_disk else indexes[1])
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            else:
                calls = limit
                break
        # Only the wait for the last rename may come too late to take it back.
        whole = indexes[1].version in os.listdir(registry.path / "versions")
        assert set(os.listdir(registry.path / "versions")) <= {indexes[0].version, indexes[1].version}
        assert (registry.watch_token() == token) != whole
        check(registry)
        if whole:
            registry.remove(indexes[1].version)
    assert calls > 8  # each file, their folder, and the folder around it
    check(registry)


PUBLISH_WITH_A_LIMIT = """
import resource, sys
from recocore.registry import Registry
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
try:
    Registry(sys.argv[1]).publish(sys.argv[2])
except OSError as error:
    sys.exit(f"refused: {error.strerror}")
"""


def test_a_write_that_the_system_cuts_leaves_nothing(registry: Registry, saved: list[Path], tmp_path: Path) -> None:
    registry.publish(saved[0])
    before = os.listdir(registry.path / "versions")
    for root in (registry.path, tmp_path / "new"):
        child = subprocess.run(
            [sys.executable, "-c", PUBLISH_WITH_A_LIMIT, root, saved[1]], capture_output=True, text=True, check=False
        )
        assert child.stderr == "refused: File too large\n"
    assert os.listdir(registry.path / "versions") == before
    assert {path.name for path in tmp_path.iterdir()} == {"models"}


# Nobody waits for the disk: what was written before a kill is there after it.
PUBLISH = """
import shutil
from pathlib import Path
from recocore import Index
from recocore.registry import Registry
root, folder, kind = sys.argv[1:]
index = Index.load(folder)
source = index if kind == "memory" else folder
os.fsync, Path.rename, Path.mkdir, shutil.copyfile, shutil.rmtree = map(
    dying, (lambda descriptor: None, Path.rename, Path.mkdir, shutil.copyfile, shutil.rmtree)
)
def work():
    Registry(root).publish(source, alias="stable")
"""


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_kill_9_at_any_step_leaves_whole_versions_only(
    registry: Registry, saved: list[Path], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the making of the registry to the setting of the alias."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    left_behind = whole = step = 0
    with Forks(PUBLISH, registry.path, saved[1], kind) as forks:
        while forks.killed_at_step(step := step + 1):
            if not registry.path.exists():
                continue
            left_behind += any(name.startswith(".") for name in os.listdir(registry.path / "versions"))
            check(registry)
            whole += bool(registry.list())
            assert set(registry.aliases()) <= {"stable"}
            info = registry.publish(saved[1], alias="stable")
            assert os.listdir(registry.path / "versions") == [info.version]
            assert [change.action for change in registry.history()] == ["set"]
            shutil.rmtree(registry.path)
    assert step > 30
    assert left_behind > 15
    assert whole > 3
    assert [info.aliases for info in registry.list()] == [("stable",)]


PUBLISH_FOR_EVER = """
from recocore.registry import Registry
registry = Registry(sys.argv[1])
def publish_all():
    for folder in sys.argv[2:]:
        registry.remove(registry.publish(folder).version)
def work():
    while True:
        publish_all()
publish_all()
"""


def test_kill_9_at_random_times_leaves_whole_versions_only(registry: Registry, saved: list[Path]) -> None:
    stable = registry.publish(saved[0], alias="stable").version
    rng, left_behind = random.Random(3), 0
    with Forks(PUBLISH_FOR_EVER, registry.path, *saved[1:]) as forks:
        for _ in range(20):
            forks.kill_after(rng.uniform(0.0, 0.1))
            left_behind += any(name.startswith(".") for name in os.listdir(registry.path / "versions"))
            check(registry)
            assert registry.resolve("stable") == stable
    assert left_behind, "no kill hit a publication; the test shows nothing"
    published = {stable, *(registry.publish(folder).version for folder in saved[1:])}
    assert set(os.listdir(registry.path / "versions")) == published


def test_what_is_being_written_is_not_cleaned_up(registry: Registry, saved: list[Path]) -> None:
    version = registry.publish(saved[0]).version
    names = (f".{version}.tmp-0123456789ab", f"..{version}.tmp-0123456789ab.tmp-ba9876543210")
    others = (f".removed-{version}-0123456789ab", ".DS_Store", "notes", f".{version}.tmp-mine")
    for name in (*names, *others):
        (registry.path / "versions" / name).mkdir()
    with shared(registry.path / "versions"):
        registry.publish(saved[1])
        registry.prune(2)
    assert {*names, *others} <= set(os.listdir(registry.path / "versions"))
    registry.publish(saved[1])
    left = set(os.listdir(registry.path / "versions"))
    assert left == {*others[1:], *(info.version for info in registry.list())}


PUBLISH_ALL = """
import os, sys
from recocore.registry import Registry
os.fsync = lambda descriptor: None
sys.stdin.readline()
for folder in sys.argv[2:]:
    print(Registry(sys.argv[1]).publish(folder).version, flush=True)
"""


def test_two_processes_publish_the_same_versions_at_once(
    registry: Registry, saved: list[Path], indexes: list[Index], tmp_path: Path
) -> None:
    for number in range(2):
        root = tmp_path / f"models-{number}"
        children = [
            subprocess.Popen(
                [sys.executable, "-c", PUBLISH_ALL, root, *saved],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        for child in children:
            out, _ = child.communicate(timeout=60)
            assert (child.returncode, out.split()) == (0, [index.version for index in indexes])
        check(Registry(root))
        assert {path.name for path in tmp_path.iterdir()} == {f"models-{n}" for n in range(number + 1)}


def test_remove_takes_what_no_alias_points_to(registry: Registry, versions: list[str]) -> None:
    registry.set_alias("stable", versions[0])
    registry.set_alias("canary", versions[0])
    with pytest.raises(InUseError, match=f"got {versions[0]}, which is canary, stable; point that elsewhere first"):
        registry.remove(versions[0])
    mapped = registry.load(versions[1])
    answer = mapped.recommend(["user-01"], 5)
    registry.remove(versions[1])
    assert mapped.recommend(["user-01"], 5) == answer
    with pytest.raises(NotFoundError, match=f"{versions[1]} is not in .*models; list the registry"):
        registry.remove(versions[1])
    damage(registry.path / "versions" / versions[2] / "manifest.json")
    registry.remove(versions[2])
    assert sorted(os.listdir(registry.path / "versions")) == sorted([versions[0], versions[3]])
    for wrong in ("stable", "../models", None, versions[0].upper(), f"{versions[0]}\n"):
        with pytest.raises(InvalidArgumentError, match="version: expected twelve hexadecimal digits"):
            registry.remove(wrong)  # type: ignore[arg-type]


def test_prune_keeps_the_newest_the_aliased_and_the_unreadable(registry: Registry, versions: list[str]) -> None:
    registry.set_alias("stable", versions[0])
    damage(registry.path / "versions" / versions[1] / "manifest.json")
    assert registry.prune(2) == ()
    assert registry.prune(1) == (versions[2],)
    assert registry.prune(0) == (versions[3],)
    assert sorted(os.listdir(registry.path / "versions")) == sorted(versions[:2])
    for keep in (-1, True, 1.0, "2", None):
        with pytest.raises(InvalidArgumentError, match="keep: expected a whole number of at least 0"):
            registry.prune(keep)  # type: ignore[arg-type]
