"""Aliases move in one step, only to what is sound, never over somebody else's change unseen, and back again."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.registry.damages import damage

from recocore.errors import ConflictError, CorruptError, InUseError, InvalidArgumentError, NotFoundError
from recocore.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_an_alias_stands_for_its_version(registry: Registry, versions: list[str]) -> None:
    registry.set_alias("stable", versions[0])
    registry.set_alias("canary", versions[1])
    assert registry.resolve("stable") == registry.resolve(versions[0]) == versions[0]
    assert registry.load("canary").version == registry.get("canary").version == versions[1]
    assert [(name, alias.version) for name, alias in registry.aliases().items()] == [
        ("canary", versions[1]),
        ("stable", versions[0]),
    ]
    registry.set_alias("stable", "canary")
    assert registry.get(versions[1]).aliases == ("canary", "stable")
    registry.remove_alias("canary")
    assert list(registry.aliases()) == ["stable"]


def test_what_is_not_there_is_said(registry: Registry, versions: list[str], tmp_path: Path) -> None:
    registry.set_alias("stable", versions[0])
    calls: list[Callable[[], Any]] = [
        lambda: registry.resolve("canary"),
        lambda: registry.get("canary"),
        lambda: registry.load("canary"),
        lambda: registry.remove_alias("canary"),
        lambda: registry.set_alias("stable", "canary"),
    ]
    for call in calls:
        with pytest.raises(NotFoundError, match=r"alias: expected one of .*models \(stable\), got canary; set it"):
            call()
    for call in (
        lambda: registry.resolve("0" * 12),
        lambda: registry.get("0" * 12),
        lambda: registry.load("0" * 12),
        lambda: registry.set_alias("stable", "0" * 12),
    ):
        with pytest.raises(NotFoundError, match=r"version: 0{12} is not in .*models; list the registry"):
            call()
    absent = Registry(tmp_path / "absent")
    for call in (
        absent.list,
        absent.aliases,
        absent.history,
        absent.watch_token,
        absent.strangers,
        lambda: absent.prune(1),
        lambda: absent.load("stable"),
        lambda: absent.remove("0" * 12),
        lambda: absent.rollback("stable"),
        lambda: absent.set_alias("stable", "0" * 12),
    ):
        with pytest.raises(NotFoundError, match="absent: there is no registry here"):
            call()
    assert not (tmp_path / "absent").exists()


MALFORMED = [
    "",
    "Stable",
    "a/b",
    "../x",
    "..",
    ".",
    "-x",
    "_x",
    "a" * 65,
    "ä",
    "a\n",
    "a b",
    "a\0",
    "²",
    "\udcff",
    7,
    b"a",
]


@pytest.mark.parametrize("name", [*MALFORMED, "0123456789ab"])
def test_a_malformed_alias_is_refused(registry: Registry, versions: list[str], name: Any) -> None:
    before = registry.watch_token()
    for call in (
        lambda: registry.set_alias(name, versions[0]),
        lambda: registry.remove_alias(name),
        lambda: registry.rollback(name),
        lambda: registry.history(name),
        lambda: registry.publish(registry.path / "versions" / versions[0], alias=name),
    ):
        with pytest.raises(InvalidArgumentError, match="alias: expected 1 to 64 of a-z") as caught:
            call()
        assert caught.value.field == "alias"
    assert registry.watch_token() == before


@pytest.mark.parametrize("name", [*MALFORMED, None])
def test_a_malformed_version_or_alias_is_refused(registry: Registry, versions: list[str], name: Any) -> None:
    for call in (registry.resolve, registry.get, registry.load, lambda name: registry.set_alias("stable", name)):
        with pytest.raises(InvalidArgumentError, match="version: expected twelve hexadecimal digits, or an alias"):
            call(name)


@pytest.mark.parametrize("alias", ["a", "7", "a" * 64, "a-b_c-9", "0123456789a", "0123456789abc"])
def test_well_formed_names_are_taken(registry: Registry, versions: list[str], alias: str) -> None:
    registry.set_alias(alias, versions[0])
    assert registry.resolve(alias) == versions[0]


def test_only_who_has_seen_the_last_change_may_make_the_next(registry: Registry, versions: list[str]) -> None:
    first = registry.set_alias("stable", versions[0], expected=0)
    with pytest.raises(
        ConflictError, match=rf"of generation 0, got {first.generation}, at {versions[0]}; somebody else"
    ):
        registry.set_alias("stable", versions[1], expected=0)
    second = registry.set_alias("stable", versions[1], expected=first.generation)
    assert second.generation > first.generation
    third = registry.set_alias("stable", versions[0])
    # Back at the same version, and yet changed since.
    for stale in (first.generation, second.generation, 99):
        for call in (
            lambda stale=stale: registry.set_alias("stable", versions[1], expected=stale),
            lambda stale=stale: registry.set_alias("stable", versions[0], expected=stale),
            lambda stale=stale: registry.rollback("stable", expected=stale),
            lambda stale=stale: registry.remove_alias("stable", expected=stale),
        ):
            with pytest.raises(ConflictError, match="somebody else changed it"):
                call()
    assert registry.aliases()["stable"] == third
    registry.remove_alias("stable", expected=third.generation)
    with pytest.raises(ConflictError, match="got 0: there is no such alias"):
        registry.set_alias("stable", versions[1], expected=third.generation)
    for expected in (-1, True, 1.0, "1"):
        with pytest.raises(InvalidArgumentError, match="expected: expected an alias's generation"):
            registry.set_alias("stable", versions[1], expected=expected)  # type: ignore[arg-type]


def test_one_alias_is_not_in_anothers_way(registry: Registry, versions: list[str]) -> None:
    stable = registry.set_alias("stable", versions[0])
    registry.set_alias("canary", versions[1])
    registry.set_alias("stable", versions[2], expected=stable.generation)


@pytest.mark.parametrize("name", ["manifest.json", "items.arrow", "interactions.values.npy", "popularity.order.npy"])
def test_a_damaged_version_is_refused_and_the_alias_stays(registry: Registry, versions: list[str], name: str) -> None:
    before = registry.set_alias("stable", versions[1])
    damage(registry.path / "versions" / versions[2] / name)
    with pytest.raises(CorruptError, match=f"{versions[2]}/{name}"):
        registry.set_alias("stable", versions[2])
    assert registry.aliases() == {"stable": before}
    assert len(registry.history()) == 1


def test_rolling_back_undoes_changes_from_the_last(registry: Registry, versions: list[str]) -> None:
    a, b, c, d = versions
    for version in (a, b, c):
        registry.set_alias("stable", version)
    registry.set_alias("canary", d)
    assert registry.rollback("stable").version == b
    assert registry.rollback("stable").version == a
    with pytest.raises(NotFoundError, match="alias: stable has pointed to no earlier version; set it to one"):
        registry.rollback("stable")
    assert registry.resolve("stable") == a
    registry.set_alias("stable", d)
    assert registry.rollback("stable").version == a
    registry.remove_alias("stable")
    assert registry.rollback("stable").version == a
    with pytest.raises(NotFoundError, match="canary has pointed to no earlier version"):
        registry.rollback("canary")


@pytest.mark.parametrize("seed", range(4))
def test_rolling_back_follows_an_undo_stack(registry: Registry, versions: list[str], seed: int) -> None:
    """Random changes of two aliases beside a list of versions for each, which a rollback pops."""
    rng = random.Random(seed)
    now: dict[str, str] = {}
    undo: dict[str, list[str]] = {"stable": [], "canary": []}
    for _ in range(40):
        alias = rng.choice(list(undo))
        action = rng.choice(["set", "set", "rollback", "remove"])
        if action == "set":
            version = rng.choice(versions)
            registry.set_alias(alias, version)
            if alias in now and now[alias] != version:
                undo[alias].append(now[alias])
            now[alias] = version
        elif action == "remove" and alias in now:
            registry.remove_alias(alias)
            undo[alias].append(now.pop(alias))
        elif action == "rollback" and undo[alias]:
            now[alias] = undo[alias].pop()
            assert registry.rollback(alias).version == now[alias]
        assert {name: found.version for name, found in registry.aliases().items()} == now


def test_a_rollback_to_what_is_gone_or_damaged_is_refused(registry: Registry, versions: list[str]) -> None:
    for version in versions[:3]:
        registry.set_alias("stable", version)
    before = registry.aliases()
    damage(registry.path / "versions" / versions[1] / "users.arrow")
    with pytest.raises(CorruptError, match=rf"{versions[1]}/users\.arrow"):
        registry.rollback("stable")
    registry.remove(versions[1])
    with pytest.raises(NotFoundError, match=f"{versions[1]} is not in"):
        registry.rollback("stable")
    assert registry.aliases() == before


def test_the_journal_says_who_moved_what_when(registry: Registry, versions: list[str]) -> None:
    started = datetime.now(UTC) - timedelta(seconds=1)
    registry.set_alias("stable", versions[0])
    Registry(registry.path, who="bob & co.").set_alias("stable", versions[1])
    registry.set_alias("stable", versions[1])
    registry.set_alias("canary", versions[1])
    registry.rollback("stable")
    registry.remove_alias("stable")
    assert [(change.who, change.action, change.before, change.after) for change in registry.history("stable")] == [
        ("ann", "set", None, versions[0]),
        ("bob & co.", "set", versions[0], versions[1]),
        ("ann", "rollback", versions[1], versions[0]),
        ("ann", "remove", versions[0], None),
    ]
    changes = registry.history()
    assert [change.generation for change in changes] == [1, 2, 3, 4, 5]
    assert all(started <= change.time <= datetime.now(UTC) for change in changes)
    assert Registry(registry.path).history() == changes
    assert registry.history("absent") == ()
    for who in ("", "a\nb", "x" * 129, 7, "\udcff"):
        with pytest.raises(InvalidArgumentError, match="who: expected 1 to 128 printable characters"):
            Registry(registry.path, who=who)  # type: ignore[arg-type]


def test_the_token_changes_when_aliases_or_versions_do_and_only_then(
    registry: Registry, saved: list[Path], tmp_path: Path
) -> None:
    a, b = (registry.publish(folder).version for folder in saved[:2])
    seen = {registry.watch_token()}
    for change in (
        lambda: registry.publish(saved[2]),
        lambda: registry.set_alias("stable", a),
        lambda: registry.set_alias("stable", b),
        lambda: registry.set_alias("stable", a),
        lambda: registry.rollback("stable"),
        lambda: registry.set_alias("canary", a),
        lambda: registry.remove_alias("canary"),
        lambda: registry.remove(a),
        lambda: registry.publish(saved[3], alias="canary"),
        lambda: registry.prune(0),
    ):
        change()
        token = Registry(registry.path).watch_token()
        assert token not in seen
        seen.add(token)
    (registry.path / "versions" / b / ".DS_Store").touch()
    for no_change in (
        lambda: registry.set_alias("stable", b),
        lambda: registry.publish(saved[1], alias="stable"),
        lambda: registry.prune(0),
        lambda: registry.load("stable"),
        registry.list,
        registry.history,
        (registry.path / "versions" / ".DS_Store").touch,
        (registry.path / "versions" / f".{a}.tmp-0123456789ab").mkdir,
        (registry.path / "notes.txt").touch,
    ):
        no_change()
        assert registry.watch_token() == token
    for refused, error in (
        (lambda: registry.set_alias("stable", "0" * 12), NotFoundError),
        (lambda: registry.remove(b), InUseError),
        (lambda: registry.publish(tmp_path / "absent"), NotFoundError),
        (lambda: registry.set_alias("stable", b, expected=99), ConflictError),
    ):
        with pytest.raises(error):
            refused()
        assert registry.watch_token() == token


@pytest.mark.parametrize("calls", range(3))
def test_a_full_disk_leaves_the_old_alias(
    registry: Registry, versions: list[str], calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change waits for the disk three times: for the journal, the new alias file and, that being in place, its folder."""
    before = registry.set_alias("stable", versions[0])
    left = calls

    def fail_later(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail_later)
        with pytest.raises(OSError, match="No space left"):
            registry.set_alias("stable", versions[1])
    moved = calls == 2
    assert registry.resolve("stable") == versions[1 if moved else 0]
    assert moved or registry.aliases() == {"stable": before}
    assert len(registry.history()) == (2 if moved else 1)
    assert sorted(os.listdir(registry.path)) == ["aliases.json", "journal.jsonl", "versions"]
    registry.set_alias("stable", versions[2])
    assert registry.rollback("stable").version == versions[1 if moved else 0]


SET_WITHOUT_PERMISSION = """
import os, sys
from recocore.registry import Registry
os.chdir(sys.argv[1])
registry = Registry("models")
registry.load(sys.argv[2])  # Python itself may be out of reach below: whatever is imported late, is imported now
if os.geteuid() == 0:
    os.setuid(65534)
assert registry.load(sys.argv[2]).version == sys.argv[2]
assert registry.resolve("stable") != sys.argv[2]
registry.watch_token()
for call in (lambda: registry.set_alias("stable", sys.argv[2]), lambda: registry.remove_alias("stable"),
             lambda: registry.remove(sys.argv[2]), lambda: registry.publish(sys.argv[3])):
    try:
        call()
    except OSError as error:
        print(error.strerror, error.filename)
"""


def test_who_may_only_read_changes_nothing(registry: Registry, versions: list[str]) -> None:
    registry.set_alias("stable", versions[0])
    folder, new = registry.path.parent, registry.path.parent / "models" / "versions" / versions[3]
    new.rename(folder / "new")
    modes = [(registry.path, 0o555), (registry.path / "versions", 0o555), (registry.path / "journal.jsonl", 0o444)]
    folder.chmod(0o755)
    for path, mode in modes:
        path.chmod(mode)
    try:
        child = subprocess.run(
            [sys.executable, "-c", SET_WITHOUT_PERMISSION, folder, versions[1], "new"],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        for path, mode in modes:
            path.chmod(mode | 0o200)
    assert child.stderr == ""
    lines = child.stdout.splitlines()
    assert [line.split(" models/")[0] for line in lines] == ["Permission denied"] * 4
    assert registry.resolve("stable") == versions[0]
    assert len(registry.history()) == 1
