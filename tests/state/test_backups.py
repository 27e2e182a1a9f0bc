"""Backups while the store is written: incremental, checked, restored whole or refused by name."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from tests.state.made import contents, ids, rows

from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.state import StateConfig, StateStore, back_up_registry, check_backup, restore

if TYPE_CHECKING:
    from pathlib import Path

SMALL = StateConfig(segment_events=100)


def test_a_backup_is_incremental_and_restored_to_the_same_state(path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    with StateStore.open(path, SMALL) as store:
        store.record(rows(350))
        first = store.backup(backup)
        assert first["copied"] == first["files"]
        store.record(rows(120, seed=1))
        store.set_consent("customer-1", "marketing", True)
        second = store.backup(backup)
        # The keys and the documents that say the same are there; so are the segments sealed before.
        assert 0 < second["copied"] < second["files"]
        assert store.backup(backup)["copied"] == 0
        digest, commit, keys = store.digest(), store.commit, store.keys
        store.record(rows(50, seed=2))
        assert check_backup(backup) == second["files"]
    assert restore(backup, tmp_path / "elsewhere") == "state"
    with StateStore.open(tmp_path / "elsewhere", SMALL, keys=keys) as store:
        assert (store.digest(), store.commit) == (digest, commit)
        assert ids(store.events()) == [e["event_id"] for e in rows(350) + rows(120, seed=1)]
        assert {result.code for result in store.record(rows(350)).results} == {"duplicate"}


def test_a_backup_follows_compaction_and_forgetting(path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    with StateStore.open(path, SMALL) as store:
        store.record(rows(350))
        store.backup(backup)
        store.forget("customer-1")
        store.compact()
        store.backup(backup)
        names = {each.name for each, _ in contents(backup / "files" / "log")}
        assert {each.name for each, _ in contents(path / "log") if each.suffix != ".ids"} == names
        digest = store.digest()
        restore(backup, tmp_path / "elsewhere")
        with StateStore.open(tmp_path / "elsewhere", SMALL, keys=store.keys) as again:
            assert again.digest() == digest


def test_a_damaged_backup_is_refused_by_name_and_mended_by_the_next(path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    rng = random.Random(1)
    with StateStore.open(path, SMALL) as store:
        store.record(rows(250))
        store.backup(backup)
        for number, (file, data) in enumerate([*contents(backup)]):
            if not data:
                continue
            damaged = bytearray(data)
            damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            for content in (bytes(damaged), data[: rng.randrange(len(data))], None):
                file.unlink() if content is None else file.write_bytes(content)
                missing_manifest = content is None and file.name == "manifest.json"
                with pytest.raises(
                    NotFoundError if missing_manifest else CorruptError,
                    match="no backup here" if missing_manifest else file.name,
                ):
                    restore(backup, tmp_path / f"elsewhere-{number}")
                assert not (tmp_path / f"elsewhere-{number}").exists()
                file.write_bytes(data)
            if file.name != "manifest.json":
                file.write_bytes(bytes(damaged))
                store.backup(backup)
                assert check_backup(backup) > 0


def test_a_damaged_segment_is_not_copied_over_a_sound_one(path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    with StateStore.open(path, SMALL) as store:
        store.record(rows(250))
        segment = next(file for file, _ in contents(path / "log") if file.suffix == ".seg")
        data = bytearray(segment.read_bytes())
        data[200] ^= 1
        segment.write_bytes(bytes(data))
        with pytest.raises(CorruptError, match=segment.name):
            store.backup(backup)


def test_a_registry_is_backed_up_and_restored(tmp_path: Path) -> None:
    registry = tmp_path / "models"
    (registry / "versions" / "0123456789ab").mkdir(parents=True)
    (registry / "versions" / "0123456789ab" / "factors.npy").write_bytes(bytes(1_000))
    (registry / "versions" / ".0123.tmp-1").mkdir()
    (registry / "aliases.json").write_text("{}")
    (registry / "journal.jsonl").write_text("")
    first = back_up_registry(registry, tmp_path / "backup")
    assert (first["files"], first["copied"]) == (3, 3)
    (registry / "aliases.json").write_text("{ }")
    assert back_up_registry(registry, tmp_path / "backup")["copied"] == 1
    assert restore(tmp_path / "backup", tmp_path / "again") == "registry"
    assert [(file.relative_to(tmp_path / "again"), data) for file, data in contents(tmp_path / "again")] == [
        (file.relative_to(registry), data) for file, data in contents(registry)
    ]


def test_other_folders_are_left_alone(store: StateStore, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no backup here"):
        restore(tmp_path / "nothing", tmp_path / "x")
    other = tmp_path / "other"
    (other / "files").mkdir(parents=True)
    (other / "files" / "mine.txt").write_text("mine")
    with pytest.raises(InvalidArgumentError, match="with other files"):
        store.backup(other)
    store.backup(tmp_path / "backup")
    with pytest.raises(InvalidArgumentError, match="expected a new or empty folder"):
        restore(tmp_path / "backup", other)
    with pytest.raises(InvalidArgumentError, match="expected a backup of a registry"):
        back_up_registry(other, tmp_path / "backup")
