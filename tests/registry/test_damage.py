"""Whatever happens to the files of a registry, it says which, or does not need them; links lead nowhere."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from tests.registry.damages import damage, mutations

from recocore.errors import CorruptError, NotFoundError
from recocore.registry import Registry
from recocore.registry.aliases import AliasFile
from recocore.storage.document import parse, seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def aliased(registry: Registry, versions: list[str]) -> Registry:
    """A registry with two aliases and five changes."""
    for version in versions[:3]:
        registry.set_alias("stable", version)
    registry.set_alias("canary", versions[3])
    registry.rollback("stable")
    return registry


def test_any_change_of_the_alias_file_is_refused_by_name(aliased: Registry, versions: list[str]) -> None:
    path = aliased.path / "aliases.json"
    whole, token, state = path.read_bytes(), aliased.watch_token(), aliased.aliases()
    for changed in (*mutations(whole, "aliases"), whole + b"\n", whole + whole):
        path.write_bytes(changed)
        for call in (
            lambda: aliased.resolve("stable"),
            lambda: aliased.load(versions[0]),
            aliased.list,
            aliased.history,
            lambda: aliased.set_alias("stable", versions[0]),
            lambda: aliased.rollback("stable"),
            lambda: aliased.prune(0),
            lambda: aliased.remove(versions[3]),
        ):
            with pytest.raises(CorruptError, match=r"aliases\.json: .*; restore it from a backup, or publish"):
                call()
        assert aliased.watch_token() != token
        assert path.read_bytes() == changed
    path.write_bytes(whole)
    assert (aliased.aliases(), aliased.watch_token()) == (state, token)


def test_publishing_to_a_damaged_registry_is_refused(aliased: Registry, saved: list[Path]) -> None:
    damage(aliased.path / "aliases.json")
    with pytest.raises(CorruptError, match=r"aliases\.json"):
        aliased.publish(saved[0])


def test_any_change_of_the_journal_is_refused_where_it_is_read(aliased: Registry, versions: list[str]) -> None:
    path = aliased.path / "journal.jsonl"
    whole, history = path.read_bytes(), aliased.history()
    for changed in mutations(whole, "journal"):
        path.write_bytes(changed)
        for call in (aliased.history, lambda: aliased.rollback("stable")):
            with pytest.raises(CorruptError, match=r"journal\.jsonl: .*restore .* from a backup"):
                call()
        # Nobody who reads the aliases reads the journal.
        assert aliased.load("stable").version == versions[1]
        if len(changed) < len(whole):
            with pytest.raises(CorruptError, match=rf"journal\.jsonl: expected at least {len(whole)} bytes"):
                aliased.set_alias("stable", versions[0])
        assert path.read_bytes() == changed
    path.write_bytes(whole)
    assert aliased.history() == history


def test_lines_of_the_journal_may_not_change_places(aliased: Registry) -> None:
    path = aliased.path / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 5
    path.write_bytes(b"".join([lines[1], lines[0], *lines[2:]]))
    with pytest.raises(CorruptError, match=r"journal\.jsonl: line 1: it does not follow the line before"):
        aliased.history()


@pytest.mark.parametrize("tail", [b"{", b"\0" * 4000, b'{"generation": 6}\n'])
def test_what_a_killed_writer_left_in_the_journal_is_ignored_and_cut(
    aliased: Registry, versions: list[str], tail: bytes
) -> None:
    path = aliased.path / "journal.jsonl"
    whole, history = path.read_bytes(), aliased.history()
    path.write_bytes(whole + tail)
    assert aliased.history() == history
    aliased.set_alias("stable", versions[3])
    assert path.read_bytes().startswith(whole + b'{"generation": 6, "time"')
    assert tail[:100] not in path.read_bytes() or len(tail) == 1
    assert len(aliased.history()) == 6


@pytest.mark.parametrize("name", ["aliases.json", "journal.jsonl", "versions"])
def test_what_is_missing_is_named(aliased: Registry, versions: list[str], saved: list[Path], name: str) -> None:
    path = aliased.path / name
    path.rename(aliased.path.parent / "elsewhere")
    with pytest.raises(CorruptError, match=f"models/{name}: "):
        aliased.set_alias("stable", versions[0])
    with pytest.raises(CorruptError, match=f"models/{name}: "):
        aliased.rollback("stable")
    if name != "journal.jsonl":
        for call in (aliased.list, aliased.watch_token, lambda: aliased.publish(saved[0])):
            with pytest.raises(CorruptError, match=f"models/{name}: "):
                call()
    assert not path.exists()


@pytest.mark.parametrize("name", ["aliases.json", "journal.jsonl", "versions"])
@pytest.mark.parametrize("kind", ["link", "pipe", "other"])
def test_links_and_devices_are_neither_followed_nor_waited_for(
    aliased: Registry, versions: list[str], name: str, kind: str
) -> None:
    path, elsewhere = aliased.path / name, aliased.path.parent / "elsewhere"
    is_folder = path.is_dir()
    path.rename(elsewhere)
    before = elsewhere.read_bytes() if not is_folder else b""
    if kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "pipe":
        os.mkfifo(path)
    elif is_folder:
        path.write_text("")
    else:
        path.mkdir()
    calls: list[Callable[[], object]] = [
        lambda: aliased.rollback("stable"),
        lambda: aliased.set_alias("stable", versions[0]),
    ]
    for call in calls:
        with pytest.raises(CorruptError, match=f"models/{name}: expected a (plain file|folder)"):
            call()
    assert is_folder or elsewhere.read_bytes() == before


def test_a_link_where_the_new_alias_file_is_written_is_not_followed(aliased: Registry, versions: list[str]) -> None:
    target = aliased.path.parent / "precious"
    target.write_text("mine")
    (aliased.path / ".aliases.json.tmp").symlink_to(target)
    aliased.set_alias("stable", versions[0])
    assert target.read_text() == "mine"
    assert aliased.resolve("stable") == versions[0]


def test_the_registry_itself_may_be_a_link(aliased: Registry, versions: list[str], saved: list[Path]) -> None:
    link = aliased.path.parent / "link"
    link.symlink_to(aliased.path)
    through = Registry(link)
    through.set_alias("stable", versions[0])
    through.publish(saved[0])
    assert aliased.resolve("stable") == versions[0]


def test_a_damaged_manifest_is_named_and_in_nobodys_way(aliased: Registry, versions: list[str]) -> None:
    damage(aliased.path / "versions" / versions[1] / "manifest.json")
    (aliased.path / "versions" / versions[2] / "manifest.json").unlink()
    listed = aliased.list()
    assert [info.version for info in listed] == [versions[3], versions[0], *sorted(versions[1:3])]
    reasons = {info.version: info.damaged for info in listed}
    assert reasons[versions[0]] is reasons[versions[3]] is None
    assert f"{versions[1]}/manifest.json: " in str(reasons[versions[1]])
    assert "it has no manifest.json" in str(reasons[versions[2]])
    assert aliased.get("stable").damaged == reasons[versions[1]]
    with pytest.raises(CorruptError, match=f"{versions[1]}/manifest.json"):
        aliased.load("stable")
    assert aliased.load("canary").version == versions[3]


def test_a_version_under_anothers_name_is_refused(aliased: Registry, versions: list[str]) -> None:
    folder = aliased.path / "versions"
    shutil.copytree(folder / versions[0], folder / "00000000000a")
    for call in (lambda: aliased.load("00000000000a"), lambda: aliased.set_alias("stable", "00000000000a")):
        with pytest.raises(CorruptError, match=f"00000000000a: holds version {versions[0]}"):
            call()
    assert f"holds version {versions[0]}" in str(aliased.get("00000000000a").damaged)
    assert aliased.resolve("stable") == versions[1]


def test_strangers_are_named_and_left_alone(aliased: Registry) -> None:
    for name in ("lost+found", "0123456789AB", "notes.txt", ".hidden"):
        (aliased.path / "versions" / name).mkdir()
    (aliased.path / "README").touch()
    assert aliased.strangers() == ("0123456789AB", "lost+found", "notes.txt")
    assert len(aliased.list()) == 4
    aliased.prune(0)
    assert {"lost+found", "0123456789AB", "notes.txt", ".hidden"} <= set(os.listdir(aliased.path / "versions"))


def set_version(value: object) -> Callable[[dict[str, Any]], object]:
    return lambda body: body["aliases"]["stable"].update(version=value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_version("../../etc"), "aliases: stable: expected twelve hexadecimal digits, got '../../etc'"),
        (set_version(None), "version: expected str, got None"),
        (
            lambda body: body["aliases"].update({"../x": {}}),
            "aliases: expected names that point to versions, got '../x'",
        ),
        (lambda body: body["aliases"].update(stable=[]), "aliases: expected names that point to versions"),
        (lambda body: body["aliases"]["stable"].update(generation=-1), "generation: expected at least 0"),
        (lambda body: body.update(generation=1.5), "generation: expected int, got 1.5"),
        (lambda body: body.update(aliases=[]), "aliases: expected dict"),
        (lambda body: body.update(journal={"size": 0}), "digest: expected str"),
        (lambda body: body["journal"].update(digest="\udcff"), "journal: expected a SHA-256"),
        (lambda body: body["journal"].update(size=1 << 63), r"size: expected at least 0 and less than 2\*\*63"),
        (lambda body: body.update(format="recocore-index"), 'not of a registry: expected format "recocore-registry"'),
        (lambda body: body.update(format_version=2), "format_version: expected 1, got 2; another recocore wrote it"),
        (lambda body: body.update(extra=1), "its digest does not match"),
    ],
)
def test_alias_files_that_lie_are_refused(
    aliased: Registry, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    """With a right digest, as a foreign writer could make it, unless the text is none that can be hashed."""
    path = aliased.path / "aliases.json"
    body = parse(path.read_bytes())
    del body["digest"]
    change(body)
    try:
        data = seal(body)
    except UnicodeEncodeError:
        data = path.read_bytes().replace(AliasFile.read(path).journal.digest.encode(), rb"\udcff")
    path.write_bytes(data)
    with pytest.raises(CorruptError, match=rf"aliases\.json: {reason}"):
        aliased.resolve("stable")


def test_an_alias_of_a_version_that_was_deleted_by_hand_is_said(aliased: Registry, versions: list[str]) -> None:
    shutil.rmtree(aliased.path / "versions" / versions[1])
    with pytest.raises(NotFoundError, match=f"{versions[1]} is not in"):
        aliased.load("stable")
    with pytest.raises(NotFoundError, match=f"{versions[1]} is not in"):
        aliased.get("stable")
    assert aliased.resolve("stable") == versions[1]
    aliased.set_alias("stable", versions[0])
