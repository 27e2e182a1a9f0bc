"""Small files are replaced whole, by a name of their own, and never read or written through a link."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from recocore.errors import CorruptError
from recocore.storage.plain_file import read_plain, replace_plain

if TYPE_CHECKING:
    from pathlib import Path


def test_the_content_is_replaced_and_nothing_is_left(tmp_path: Path) -> None:
    for content in (b"old", b"", b"new" * 100_000):
        replace_plain(tmp_path / "file", content)
        assert read_plain(tmp_path / "file") == content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_who_has_the_old_file_open_reads_on(tmp_path: Path) -> None:
    replace_plain(tmp_path / "file", b"old")
    with (tmp_path / "file").open("rb") as source:
        replace_plain(tmp_path / "file", b"new")
        assert source.read() == b"old"


def test_what_a_killed_writer_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / ".file.tmp").symlink_to("precious")
    replace_plain(tmp_path / "file", b"new")
    assert (tmp_path / "precious").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "precious"]


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_failure_leaves_the_old_content(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(f"no {step}")

    replace_plain(tmp_path / "file", b"old")
    monkeypatch.setattr(*(("os.fsync", fail) if step == "fsync" else ("os.replace", fail)))
    with pytest.raises(OSError, match=f"no {step}"):
        replace_plain(tmp_path / "file", b"new")
    assert read_plain(tmp_path / "file") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("real")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "folder", "pipe"):
        with pytest.raises(CorruptError, match=f"{name}: expected a plain file, got a link, folder or device"):
            read_plain(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_plain(tmp_path / "absent")
