"""`recocore registry`, in this process: the README's commands go through the real console script."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from recocore.cli import main
from recocore.index import Index
from recocore.registry import Registry

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Answer = tuple[int, str, str]
    Registered = Callable[..., Answer]


@pytest.fixture
def registered(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Registered:
    """Runs a subcommand: its exit code, and what it printed to either end."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        code = main(["registry", *map(str, arguments)])
        return code, *capsys.readouterr()

    return call


@pytest.fixture(scope="session")
def other(run: Run, log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second index."""
    path = tmp_path_factory.mktemp("other") / "index"
    done = run("fit", log, "--model", "popularity", "--out", path)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def asked(registered: Registered) -> Callable[..., Any]:
    """Runs a subcommand: what it prints as JSON."""

    def ask(*arguments: object) -> Any:
        code, out, err = registered(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return ask


def test_versions_go_in_and_aliases_move_and_come_back(
    asked: Callable[..., Any], index: Path, other: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    first, second = Index.load(index).version, Index.load(other).version
    published = asked("publish", models, index, "--alias", "stable", "--who", "nightly job")
    assert (published["version"], published["aliases"], published["damaged"]) == (first, ["stable"], None)
    assert published["counts"]["items"] == len(Index.load(index).items)
    assert asked("publish", models, other)["aliases"] == []
    assert asked("alias", models, "canary", second)["generation"] == 2
    moved = asked("alias", models, "stable", "canary", "--expected", 1)
    assert moved == {"alias": "stable", "version": second, "generation": 3}
    listed = asked("list", models)
    assert {info["version"]: info["aliases"] for info in listed["versions"]} == {
        first: [],
        second: ["canary", "stable"],
    }
    assert listed["aliases"]["stable"] == {"version": second, "generation": 3}
    assert asked("rollback", models, "stable", "--who", "bob")["version"] == first
    assert asked("alias", models, "canary", "--delete") == {"alias": "canary", "version": None}
    history = asked("history", models, "stable")
    assert [(change["who"], change["action"], change["to"]) for change in history][::2] == [
        ("nightly job", "set", first),
        ("bob", "rollback", first),
    ]
    assert asked("prune", models, "--keep", 0) == {"removed": [second]}
    assert asked("publish", models, other)["version"] == second
    assert asked("remove", models, second) == {"removed": [second]}
    assert list(Registry(models).aliases()) == ["stable"]


def test_people_are_told_what_happened_and_what_comes_next(
    registered: Registered, index: Path, other: Path, tmp_path: Path
) -> None:
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
        assert registered(*arguments) == (0, said, "")
    shutil.copytree(other, models / "versions" / second)
    (models / "versions" / second / "manifest.json").write_text("{}")
    (models / "versions" / "notes").mkdir()
    code, out, err = registered("list", models)
    assert code == 0
    assert first in out
    assert "ItemKNN" in out
    assert err.splitlines()[0] == "recocore: versions/notes is no version, and is left alone"
    assert f"recocore: {second} is damaged: " in err
    code, out, err = registered("history", models)
    assert (code, err) == (0, "")
    assert [line.split()[2:4] for line in out.splitlines() if "rollback" in line] == [["stable", "rollback"]]


def test_a_refusal_is_one_line_and_changes_nothing(registered: Registered, index: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    version = Registry(models).publish(index, alias="stable").version
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
        got, out, err = registered(*arguments)
        assert (got, out) == (code, "")
        assert err.startswith("recocore: error: ")
        assert message in err
        assert len(err.splitlines()) == 1
    assert Registry(models).watch_token() == before


@pytest.mark.parametrize("name", ["publish", "list", "alias", "rollback", "history", "remove", "prune"])
def test_help_of_each_command_teaches_by_example(registered: Registered, name: str) -> None:
    code, out, err = registered(name, "--help")
    assert (code, err) == (0, "")
    assert "Examples:" in out
    assert f"  recocore registry {name} models/" in out
    assert f"\n  {name} " in registered("--help")[1]


def test_names_that_look_like_markup_are_shown_as_they_are(registered: Registered, index: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    assert registered("publish", models, index, "--alias", "stable", "--who", "[/b]ann")[0] == 0
    code, out, _ = registered("history", models)
    assert code == 0
    assert "[/b]ann" in out
