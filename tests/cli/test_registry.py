"""`recocore registry` through the real console script."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from recocore.index import Index
from recocore.registry import Registry

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def other(run: Run, log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second index."""
    path = tmp_path_factory.mktemp("other") / "index"
    done = run("fit", log, "--model", "popularity", "--out", path)
    assert done.returncode == 0, done.stderr
    return path


def call(run: Run, *arguments: object) -> Any:
    """What a command prints as JSON."""
    done = run("registry", *arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_versions_go_in_and_aliases_move_and_come_back(run: Run, index: Path, other: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    first, second = Index.load(index).version, Index.load(other).version
    published = call(run, "publish", models, index, "--alias", "stable", "--who", "nightly job")
    assert (published["version"], published["aliases"], published["damaged"]) == (first, ["stable"], None)
    assert published["counts"]["items"] == len(Index.load(index).items)
    assert call(run, "publish", models, other)["aliases"] == []
    assert call(run, "alias", models, "canary", second)["generation"] == 2
    moved = call(run, "alias", models, "stable", "canary", "--expected", 1)
    assert moved == {"alias": "stable", "version": second, "generation": 3}
    listed = call(run, "list", models)
    assert {info["version"]: info["aliases"] for info in listed["versions"]} == {
        first: [],
        second: ["canary", "stable"],
    }
    assert listed["aliases"]["stable"] == {"version": second, "generation": 3}
    assert call(run, "rollback", models, "stable", "--who", "bob")["version"] == first
    assert call(run, "alias", models, "canary", "--delete") == {"alias": "canary", "version": None}
    history = call(run, "history", models, "stable")
    assert [(change["who"], change["action"], change["to"]) for change in history][::2] == [
        ("nightly job", "set", first),
        ("bob", "rollback", first),
    ]
    assert call(run, "prune", models, "--keep", 0) == {"removed": [second]}
    assert call(run, "publish", models, other)["version"] == second
    assert call(run, "remove", models, second) == {"removed": [second]}
    assert list(Registry(models).aliases()) == ["stable"]


def test_people_are_told_what_happened_and_what_comes_next(run: Run, index: Path, other: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    first, second = Index.load(index).version, Index.load(other).version
    for arguments, said in (
        (("publish", models, index), f"published {first}; next: recocore registry alias {models} stable {first}\n"),
        (("alias", models, "stable", first), f"stable points to {first} (generation 1)\n"),
        (("publish", models, other, "--alias", "stable"), f"published {second}; stable points to it\n"),
        (("rollback", models, "stable"), f"stable points to {first} (generation 3)\n"),
        (("prune", models, "--keep", "2"), "removed nothing\n"),
        (("remove", models, second), f"removed {second}\n"),
        (("alias", models, "stable", "--delete"), "removed stable\n"),
    ):
        done = run("registry", *arguments)
        assert (done.returncode, done.stderr, done.stdout) == (0, "", said)
    shutil.copytree(other, models / "versions" / second)
    (models / "versions" / second / "manifest.json").write_text("{}")
    (models / "versions" / "notes").mkdir()
    done = run("registry", "list", models, columns=200)
    assert done.returncode == 0
    assert first in done.stdout
    assert "ItemKNN" in done.stdout
    assert done.stderr.splitlines()[0] == "recocore: versions/notes is no version, and is left alone"
    assert f"recocore: {second} is damaged: " in done.stderr
    done = run("registry", "history", models, columns=200)
    assert [line.split()[2:4] for line in done.stdout.splitlines() if "rollback" in line] == [["stable", "rollback"]]


def test_a_refusal_is_one_line_and_changes_nothing(run: Run, index: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    version = call(run, "publish", models, index, "--alias", "stable")["version"]
    before = Registry(models).watch_token()
    for arguments, code, message in (
        (("alias", models, "stable", version, "--expected", 7), 1, "expected stable to be of generation 7, got 1"),
        (("alias", models, "Stable", version), 1, "alias: expected 1 to 64 of a-z"),
        (("alias", models, "stable"), 2, "expected either a VERSION to point to, or --delete"),
        (("alias", models, "stable", version, "--delete"), 2, "expected either a VERSION to point to, or --delete"),
        (("alias", models, "stable", "canary"), 1, "alias: expected one of"),
        (("rollback", models, "stable"), 1, "has pointed to no earlier version"),
        (("remove", models, version), 1, "which is stable; point that elsewhere first"),
        (("remove", models, "stable"), 1, "version: expected twelve hexadecimal digits"),
        (("prune", models), 2, "Missing option '--keep'"),
        (("list", tmp_path / "absent"), 1, "there is no registry here"),
        (("publish", models, tmp_path / "absent"), 1, "there is no index here"),
        (("dance",), 2, "No such command 'dance'. (see `recocore registry --help`)"),
    ):
        done = run("registry", *arguments)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert done.stderr.startswith("recocore: error: ")
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert Registry(models).watch_token() == before


@pytest.mark.parametrize("name", ["publish", "list", "alias", "rollback", "history", "remove", "prune"])
def test_help_of_each_command_teaches_by_example(run: Run, name: str) -> None:
    done = run("registry", name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Examples:" in done.stdout
    assert f"  recocore registry {name} models/" in done.stdout
    assert f"\n  {name} " in run("registry", "--help").stdout
