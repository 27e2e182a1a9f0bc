"""Rows that one process writes and another reads."""

from __future__ import annotations

import multiprocessing
import threading
from typing import TYPE_CHECKING

import pytest

from recocore.errors import CorruptError
from recocore.service.observe.board import OVERFLOW, Board, read_board

if TYPE_CHECKING:
    from pathlib import Path

KEY = ("calls", (("method", "Recommend"), ("status", "OK")))


def _count(path: Path, times: int) -> None:
    board = Board(path)
    row = board.row("calls", method="Recommend", status="OK")
    for _ in range(times):
        board.add(row)


def test_what_is_added_is_read(tmp_path: Path) -> None:
    board = Board(tmp_path / "board")
    board.add(board.row("calls", method="Recommend", status="OK"), 2.5)
    board.add(board.row("calls", method="Recommend", status="OK"), 1.0)
    board.add(board.row("waiting"), -3.0)
    assert read_board(tmp_path / "board") == {(OVERFLOW, ()): 0.0, KEY: 3.5, ("waiting", ()): -3.0}


def test_a_successor_goes_on_where_a_process_ended(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    for _ in range(2):
        process = context.Process(target=_count, args=(tmp_path / "board", 1000))
        process.start()
        process.join()
        assert process.exitcode == 0
    assert read_board(tmp_path / "board")[KEY] == 2000


def test_threads_lose_no_count(tmp_path: Path) -> None:
    board = Board(tmp_path / "board")

    def count() -> None:
        row = board.row("calls", method="Recommend", status="OK")
        for _ in range(5000):
            board.add(row)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_board(tmp_path / "board")[KEY] == 20_000


def test_labels_may_hold_anything(tmp_path: Path) -> None:
    board = Board(tmp_path / "board")
    nasty = '"},\n\x00é\\'
    board.add(board.row("calls", alias=nasty))
    assert read_board(tmp_path / "board")["calls", (("alias", nasty),)] == 1


def test_what_finds_no_room_is_counted_as_such(tmp_path: Path) -> None:
    board = Board(tmp_path / "board")
    board.add(board.row("calls", alias="x" * 1000))
    for number in range(3000):
        board.add(board.row("calls", alias=str(number)))
    rows = read_board(tmp_path / "board")
    assert rows[OVERFLOW, ()] >= 1
    assert sum(rows.values()) == 3001


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "board").write_text("a shopping list")
    with pytest.raises(CorruptError, match="board: expected 524288 bytes, got 15"):
        read_board(tmp_path / "board")
