"""Every failure is one line with a next step, and an exit code; never a traceback."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recocore.cli import main
from recocore.cli.app import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Start

    Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["fit"], 2, "Missing option '--out'. (see `recocore fit --help`)"),
        (["fit", "--out", "y"], 2, "expected either EVENTS or --from-state"),
        (["fit", "x.parquet"], 2, "Missing option '--out'. (see `recocore fit --help`)"),
        (["fit", "x", "--out", "y", "--model", "magic"], 2, "'magic' is not one of 'als', 'itemknn'"),
        (["fit", "x", "--out", "y", "--weights", "view"], 2, "expected NAME=VALUE,..., got 'view'"),
        (["fit", "x", "--out", "y", "--weights", "view=much"], 2, "expected TYPE=NUMBER,..., got 'view=much'"),
        (["fit", "x", "--out", "y", "--half-life", "soon"], 2, "such as 30d, got 'soon'"),
        (["fit", "x", "--out", "y", "--columns", "a=b,a=c"], 2, "a comes twice"),
        (["fit", "x", "--out", "y", "--model", "itemknn", "--factors", "3"], 2, "--factors is no parameter of itemknn"),
        (["fit", "x", "--out", "y", "--factors", "-3"], 1, "factors: expected an integer from 1 to 2048, got -3"),
        (["serve", "x", "--workers", "100000"], 2, "100000 is not in the range 1<=x<=256"),
        (["fit", "x", "--out", "y", "--seed", "-1"], 2, "-1 is not in the range x>=0"),
        (["demo", "--seed", "-1"], 2, "-1 is not in the range x>=0"),
        (["fit", "\udcff.parquet", "--out", "y"], 1, r"path: expected a name in UTF-8, got '\udcff.parquet'"),
        (["fit", "/dev/null", "--out", "y"], 1, "expected a Parquet file or a folder of them, got a device"),
        (["fit", "x", "--out", "y", "--quarantine", "/"], 1, "/ is a folder; name a file"),
        (["fit", "x", "--out", "y", "--quarantine", "absent/q"], 1, "its folder does not exist; create absent first"),
        (["recommend", "x", "--user", "u", "-k", "9" * 20], 2, "is not in the range 1<=x<=100000"),
        (["fit", "absent.parquet", "--out", "y"], 1, "absent.parquet: no such Parquet file"),
        (["fit", "absent.parquet", "--out", "absent/y"], 1, "does not exist; create it first"),
        (["evaluate", "x", "--k", "0"], 2, "expected whole numbers of at least 1, such as 5,10,20, got '0'"),
        (["recommend", "absent", "--user", "ann"], 1, "absent: there is no index here"),
        (["recommend", "."], 2, "Missing option '--user'"),
        (["serve", "absent"], 1, "absent: there is no index here"),
        (["info", "."], 1, "not a recocore index: it has no manifest.json"),
        (["fit", "x", "--out", "y", "--metric", "recall@20"], 2, "--metric says how --validate judges epochs"),
        (["fit", "x", "--out", "y", "--patience", "3"], 2, "--patience says how --validate judges epochs"),
        (
            ["profiles", "build", "x", "--out", "y", "--as-of", "now"],
            2,
            "Invalid value for --as-of: expected a time such",
        ),
        (["dance"], 2, "No such command 'dance'. (see `recocore --help`)"),
    ],
)
def test_a_failure_is_one_line(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("recocore: error: ")
    assert message in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_console_script_fails_alike(run: Run, tmp_path: Path) -> None:
    done = run("recommend", tmp_path, "--user", "ann")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"recocore: error: {tmp_path}: not a recocore index: it has no manifest.json\n"


def test_a_damaged_index_is_named(run: Run, log: Path, tmp_path: Path) -> None:
    assert run("fit", log, "--model", "popularity", "--out", tmp_path / "index").returncode == 0
    with (tmp_path / "index" / "users.arrow").open("r+b") as file:
        file.truncate(100)
    for command in (["recommend", "--user", "ann"], ["serve"]):
        done = run(command[0], tmp_path / "index", *command[1:])
        assert done.returncode == 1
        assert "users.arrow: expected" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_columns_outside_of_the_schema_are_refused(run: Run, tmp_path: Path) -> None:
    pq.write_table(pa.table({"user_id": [1], "item_id": [2], "shoe_size": [43]}), tmp_path / "log.parquet")
    done = run("fit", tmp_path / "log.parquet", "--out", tmp_path / "index")
    assert done.returncode == 1
    assert "shoe_size" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_by_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Examples:" in out
    assert f"  recocore {name}" in out
    assert "Traceback" not in out


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in out


@pytest.mark.parametrize("name", ["audit", "fraud", "keys", "profiles", "registry", "state"])
def test_help_has_whole_sentences_of_what_commands_do(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    told = capsys.readouterr().out.split("Commands:")[1]
    assert "..." not in told


def test_a_file_that_is_no_parquet_is_told_when_it_would_be_csv(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log.txt").write_text("user_id,item_id\nann,tea\n")
    assert main(["fit", str(tmp_path / "log.txt"), "--out", str(tmp_path / "index")]) == 1
    assert "a file is read as CSV where its name ends in .csv" in capsys.readouterr().err


def test_ctrl_c_stops_a_fit_and_leaves_nothing(start: Start, script: str, log: Path, tmp_path: Path) -> None:
    fit = start([script, "fit", log, "--iterations", "1000000", "--out", tmp_path / "index"])
    assert fit.stdout is not None
    while "sound" not in fit.stdout.readline():
        pass
    fit.send_signal(signal.SIGINT)
    _, err = fit.communicate(timeout=60)
    # click ends the line on which a terminal shows ^C.
    assert (fit.returncode, err.lstrip("\n")) == (130, "recocore: error: stopped\n")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_who_leaves_gets_no_traceback(script: str, index: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [script, "info", index], stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_closed_standard_output_is_said(script: str, index: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" "$@" >&-', script, "info", index], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("recocore: error: standard output is closed; redirect it")
    assert len(done.stderr.splitlines()) == 1


def test_long_work_shows_a_bar_on_a_terminal_only(script: str, log: Path, tmp_path: Path) -> None:
    main_end, terminal = pty.openpty()
    done = subprocess.run(
        [script, "fit", log, "--factors", "16", "--iterations", "40", "--out", tmp_path / "index", "--json"],
        stdout=subprocess.PIPE,
        stderr=terminal,
        check=False,
        timeout=60,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(terminal)
    shown = os.read(main_end, 1 << 16).decode()
    os.close(main_end)
    assert done.returncode == 0
    assert "fitting als" in shown
    assert b"fitting" not in done.stdout


def test_no_command_is_answered_with_the_help(run: Run) -> None:
    done = run()
    assert done.returncode == 2
    assert done.stdout == ""
    for command in COMMANDS:
        assert f"\n  {command} " in done.stderr
