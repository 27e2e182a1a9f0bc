"""Several processes on one registry: one of two wins, nobody reads half a change, and none that is killed does harm."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.registry.forks import Forks

from recocore import Index

if TYPE_CHECKING:
    from recocore.registry import Registry

Child = subprocess.Popen[str]


@pytest.fixture
def two(registry: Registry, versions: list[str]) -> tuple[str, str]:
    """Two versions, of which stable points to the first."""
    registry.set_alias("stable", versions[1])
    return versions[1], versions[2]


def spawn(code: str, *arguments: object) -> Child:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def tell(child: Child, line: object) -> None:
    assert child.stdin is not None
    child.stdin.write(f"{line}\n")
    child.stdin.flush()


def hear(child: Child) -> str:
    assert child.stdout is not None
    return child.stdout.readline().rstrip("\n")


SET_IF_UNCHANGED = """
import sys
from recocore.errors import ConflictError
from recocore.registry import Registry
registry = Registry(sys.argv[1], who=sys.argv[3])
print("ready", flush=True)
for line in sys.stdin:
    try:
        print(registry.set_alias("stable", sys.argv[2], expected=int(line)).generation, flush=True)
    except ConflictError:
        print("lost", flush=True)
"""


def test_of_two_who_expect_the_same_exactly_one_wins(registry: Registry, versions: list[str]) -> None:
    children = [spawn(SET_IF_UNCHANGED, registry.path, version, version) for version in versions[:2]]
    try:
        assert [hear(child) for child in children] == ["ready"] * 2
        generation, winners = 0, []
        for round_number in range(30):
            # Whoever is told second has a way to go; each is second as often.
            order = children if round_number % 2 else children[::-1]
            for child in order:
                tell(child, generation)
            answers = [hear(child) for child in children]
            assert answers.count("lost") == 1, answers
            winner = answers.index("lost") ^ 1
            alias = registry.aliases()["stable"]
            assert (alias.version, alias.generation) == (versions[winner], int(answers[winner]))
            winners.append(versions[winner])
            # Another version in between, so that winning is a change whoever wins.
            generation = registry.set_alias("stable", versions[2], expected=alias.generation).generation
        assert [change.who for change in registry.history() if change.who != "ann"] == winners
    finally:
        for child in children:
            child.communicate()


# Without waiting for the disk, which readers do not see: the more changes, the more moments to look at.
FLIP = """
import os, sys
from recocore.registry import Registry
os.fsync = lambda descriptor: None
registry, versions = Registry(sys.argv[1]), sys.argv[3:]
print("ready", flush=True)
for n in range(int(sys.argv[2])):
    registry.set_alias("stable", versions[(n + 1) % 2])
"""


def test_a_reader_sees_one_version_or_the_other_while_an_alias_flips(registry: Registry, two: tuple[str, str]) -> None:
    flips, looks, seen, tokens = 500, 0, set(), set()
    with spawn(FLIP, registry.path, flips, *two) as child:
        assert hear(child) == "ready"
        while child.poll() is None:
            version = registry.resolve("stable")
            info = registry.get("stable")
            assert {version, info.version} <= set(two)
            assert info.damaged is None
            tokens.add(registry.watch_token())
            if looks % 50 == 0:
                assert registry.load("stable").version in two
                assert registry.history("stable")[0].after == two[0]
            seen.add(version)
            looks += 1
        assert child.returncode == 0
    assert seen == set(two)
    assert looks > 100
    assert len(tokens) > 50
    assert registry.aliases()["stable"].generation == len(registry.history()) == 1 + flips


PUBLISH_AND_PRUNE = """
import os, sys
from recocore.registry import Registry
os.fsync = lambda descriptor: None
registry, folders = Registry(sys.argv[1]), sys.argv[2:]
for n in range(25):
    registry.publish(folders[n % len(folders)], alias="stable")
    registry.prune(0)
"""


def test_an_alias_loads_while_its_versions_come_and_go(registry: Registry, saved: list[str]) -> None:
    registry.publish(saved[3], alias="stable")
    known, loaded = {Index.load(folder).version for folder in saved}, set()
    with spawn(PUBLISH_AND_PRUNE, registry.path, *saved) as child:
        while child.poll() is None:
            loaded.add(registry.load("stable").version)
            assert all(info.damaged is None for info in registry.list())
        assert child.returncode == 0
    assert loaded <= known
    assert len(loaded) > 1


CHANGE = """
from pathlib import Path
from recocore.registry import Registry
registry, version = Registry(sys.argv[1]), sys.argv[2]
registry.load("stable")
os.fsync, Path.replace, Path.unlink = map(dying, (os.fsync, Path.replace, Path.unlink))
def work():
    registry.set_alias("stable", version) if version else registry.rollback("stable")
"""


def check_history(registry: Registry) -> None:
    """The journal leads to what the alias file says."""
    now: dict[str, str | None] = {}
    for number, change in enumerate(registry.history(), 1):
        assert (change.generation, change.before) == (number, now.get(change.alias))
        now[change.alias] = change.after
    there = {alias: version for alias, version in now.items() if version is not None}
    assert {name: alias.version for name, alias in registry.aliases().items()} == there


@pytest.mark.parametrize("action", ["set", "rollback"])
def test_kill_9_at_any_step_of_a_change(registry: Registry, versions: list[str], action: str) -> None:
    """Five steps: journal on disk, old leftover gone, new alias file on disk, in its place, the folder on disk."""
    old, new = versions[:2]
    registry.set_alias("stable", new)
    registry.set_alias("stable", old)
    moved, step = [], 0
    with Forks(CHANGE, registry.path, new if action == "set" else "") as forks:
        while forks.killed_at_step(step := step + 1):
            moved.append(registry.resolve("stable") == new)
            check_history(registry)
            assert registry.get("stable").damaged is None
            registry.set_alias("canary", versions[step % 4])
            registry.set_alias("stable", new)
            registry.set_alias("stable", old)
            assert sorted(os.listdir(registry.path)) == ["aliases.json", "journal.jsonl", "versions"]
            check_history(registry)
    assert moved == [False] * 4 + [True]
    assert registry.resolve("stable") == new


CHANGE_FOR_EVER = """
import itertools
from recocore.registry import Registry
registry, versions = Registry(sys.argv[1]), sys.argv[2:]
def change(n):
    registry.set_alias("stable", versions[n % 3])
    registry.set_alias(f"other-{n % 5}", versions[n % 2])
    registry.rollback("stable")
    registry.remove_alias(f"other-{n % 5}")
def work():
    for n in itertools.count():
        change(n)
change(0)
"""


def test_kill_9_at_random_times_of_changes(registry: Registry, versions: list[str]) -> None:
    registry.set_alias("stable", versions[3])
    rng, made = random.Random(9), 0
    with Forks(CHANGE_FOR_EVER, registry.path, *versions) as forks:
        for _ in range(20):
            before = len(registry.history())
            forks.kill_after(rng.uniform(0.0, 0.12))
            check_history(registry)
            made += len(registry.history()) - before
            registry.set_alias("stable", versions[0])
            registry.set_alias("stable", versions[3])
            check_history(registry)
    assert made > 5, "the kills came before the changes; the test shows little"
