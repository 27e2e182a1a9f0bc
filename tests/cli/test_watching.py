"""`recocore serve --config`, `--check` and `recocore top`."""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from tests.service.watched import WatchedProcess

from recocore.cli import main
from recocore.cli.top import frame
from recocore.client import Client
from recocore.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

SECRET = "correct horse battery staple"


@pytest.fixture(scope="module")
def watched(index: Path) -> Iterator[WatchedProcess]:
    with WatchedProcess.watch(index, workers=2) as server:
        yield server


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "key").write_text(SECRET, encoding="utf-8")
    path = tmp_path / "recocore.toml"
    path.write_text(
        f"[server]\nport = 0\nmax_calls = 7\nthreads = 3\npseudonym_key_file = '{tmp_path / 'key'}'\n"
        "[metrics]\nenabled = true\nport = 0\n",
        encoding="utf-8",
    )
    return path


def test_check_says_the_settings_and_that_all_is_well(
    index: Path, config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOCORE_SERVER_THREADS", "2")
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["serve", str(index), "--config", str(config), "--check", "--max-calls", "9", "--json"]) == 0
    said = capsys.readouterr().out
    found = json.loads(said)
    assert found["ok"] is True
    assert {check["ok"] for check in found["checks"]} == {True}
    server = found["settings"]["server"]
    assert (server["port"], server["threads"], server["max_calls"]) == (0, 2, 9)
    assert found["sources"]["server.threads"] == "environment RECOCORE_SERVER_THREADS"
    assert found["sources"]["server.max_calls"] == "command line"
    assert server["pseudonym_key_file"] == "(redacted)"
    assert main(["serve", str(index), "--config", str(config), "--check"]) == 0
    table = capsys.readouterr().out
    [row] = [line.split() for line in table.splitlines() if "server.max_calls" in line]
    assert row == ["server.max_calls", "7", str(config)]
    assert SECRET not in said + table


def test_check_finds_everything_that_is_wrong(tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = [
            "serve",
            str(tmp_path / "none"),
            "--config",
            str(config),
            "--port",
            str(port),
            "--metrics-port",
            str(port),
        ]
        assert main([*line, "--check", "--json"]) == 1
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["ok"] is False
    said = {check["name"]: (check["ok"], check["said"]) for check in found["checks"]}
    assert said["address"] == (
        False,
        f"cannot listen on 127.0.0.1:{port}: Address already in use; try another port, or 0 for any",
    )
    assert said["index"] == (
        False,
        f"{tmp_path / 'none'}: there is no index here; write one with Index.save or `recocore fit`",
    )
    assert said["metrics address"][0] is False
    assert said["ports"] == (
        False,
        f"metrics.port: expected another port than server.port, got {port} for both; choose another",
    )
    assert err.startswith("recocore: error: the service would not start")


def test_check_reads_the_index_through(run: Run, index: Path, tmp_path: Path) -> None:
    copied = tmp_path / "index"
    subprocess.run(["cp", "-r", index, copied], check=True)
    array = next(copied.glob("scorer.*.npy"))
    content = bytearray(array.read_bytes())
    content[-1] ^= 1
    array.write_bytes(content)
    done = run("serve", copied, "--check", "--port", 0)
    assert done.returncode == 1
    assert array.name in done.stdout


def test_check_reads_what_an_alias_leads_to(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry(tmp_path / "models", who="ann")
    version = registry.publish(index).version
    line = ["serve", "--registry", str(registry.path), "--port", "0", "--check", "--json"]
    assert main(line) == 1
    assert "expected an alias of the registry (none yet), got stable" in capsys.readouterr().out
    registry.set_alias("stable", version)
    assert main(line) == 0
    checks = {check["name"]: check["said"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["registry"] == f"stable of {registry.path} leads to version {version}, read through"
    settings = tmp_path / "recocore.toml"
    for text, name in (
        ("[shadow]\nalias = 'next'\n", "shadow.alias"),
        (
            "[experiment]\nid = 'x'\nvariants = {a = {alias = 'stable', share = 0.5}, b = {alias = 'next', share = 0.5}}\n",
            "experiment.variants.b.alias",
        ),
    ):
        settings.write_text(text, encoding="utf-8")
        assert main([*line, "--config", str(settings)]) == 1
        assert f"{name}: expected an alias of the registry (stable), got next; set it first" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "arguments", "code", "message"),
    [
        ("[server]\nprot = 1\n", [], 1, "recocore.toml: server.prot: no such key; did you mean port?"),
        ("", ["--port", "-1"], 1, "command line: section [server]: port must be from 0 to 65535, got -1"),
        ("", ["--json"], 2, "--json goes with --check"),
        ("[models]\nregistry = 'models'\n", [], 2, "expected either INDEX or --registry DIR"),
    ],
)
def test_wrong_settings_are_one_line(
    text: str, arguments: list[str], code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recocore.toml").write_text(text, encoding="utf-8")
    assert main(["serve", "x", "--config", str(tmp_path / "recocore.toml"), *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert len(err.splitlines()) == 1


def test_serve_reads_its_settings(start: Any, script: str, index: Path, config: Path) -> None:
    server = start([script, "serve", index, "--config", config])
    assert server.stdout is not None
    address = json.loads(server.stdout.readline())["address"]
    with Client(address, timeout=20) as client:
        assert client.health() == "SERVING"
    server.terminate()
    _, log = server.communicate(timeout=30)
    assert server.returncode == 0, log
    assert [json.loads(line)["event"] for line in log.splitlines()].count("metrics") == 1


def test_top_shows_a_running_service(run: Run, watched: WatchedProcess) -> None:
    with Client(watched.address, timeout=20) as client:
        client.recommend("user-1")
    # The one that stands by comes in its own time, and may come between two looks.
    report = watched.until(lambda report: len(report["workers"]) == 3)
    done = run("top", "--url", watched.url, "--once", columns=100)
    assert done.returncode == 0, done.stderr
    for text in ("serving", watched.address, "Recommend", report["models"][0]["version"], "ItemKNN"):
        assert text in done.stdout
    assert all(str(worker["pid"]) in done.stdout for worker in report["workers"])
    asked = json.loads(run("top", "--url", watched.url, "--json").stdout)
    assert asked["models"] == report["models"]
    assert {worker["pid"] for worker in asked["workers"]} == {worker["pid"] for worker in report["workers"]}


def shown(report: dict[str, Any], width: int = 100) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(frame(report))
    return capture.get()


def test_a_frame_tells_of_trouble(watched: WatchedProcess) -> None:
    report = watched.report()
    report["methods"] = [
        {
            "method": "Recommend",
            "calls": 1234567.0,
            "calls_per_second": 1234.5,
            "fault_share": 0.0215,
            "refused_share": None,
            "p50_seconds": 0.00123,
            "p99_seconds": 2.5,
        }
    ]
    report["workers"][1]["state"] = "starting"
    report["workers"][1]["usage"] = None
    report["models"][0]["alias"] = "[red]canary"
    report["live"] |= {"shed_per_second": 12.0, "cache_hit_share": 0.5}
    text = shown(report)
    assert "serving, 1 of 2 workers down" in text
    row = next(line for line in text.splitlines() if "Recommend" in line)
    assert row.split() == ["Recommend", "1,234", "1.23", "ms", "2.50", "s", "2.15", "%", "–", "1,234,567"]  # noqa: RUF001
    assert "[red]canary" in text
    assert "12.0 shed/s" in text
    assert "cache hits 50 %" in text
    report["ready"] = False
    assert "not serving" in shown(report)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_frame_keeps_to_the_terminal(watched: WatchedProcess, width: int) -> None:
    assert all(len(line) <= width for line in shown(watched.report(), width).splitlines())


def test_lines_of_a_frame_end_between_figures(watched: WatchedProcess) -> None:
    report = watched.report()
    events = {"recorded": 1_234_567, "duplicate": 12_345, "refused": 0}
    report["state"] = {
        "events_per_second": 1234.5, "commit_p99_seconds": 0.0147, "events": events, "restarts": 0, "pid": 1
    }  # fmt: skip
    outcomes = [
        {"outcome": name, "decisions": 123_456.0, "per_second": 1.0} for name in ("approve", "review", "decline")
    ]
    report["fraud"] = {
        "outcomes": outcomes, "rule_errors": 0, "failing_rules": [], "p50_seconds": 0.001, "p99_seconds": 0.002,
        "rule_set": "0123456789abcdef", "restarts": 3, "pid": None,
    }  # fmt: skip
    told = (
        "1,234,567 recorded",
        "12,345 duplicates",
        "0 refused",
        "0 owner restarts",
        "123,456 review",
        "nothing decides",
    )
    for width in (30, 60, 80):
        lines = shown(report, width).splitlines()
        assert all(any(figure in line for line in lines) for figure in told), width


def test_curves_follow_the_figures(watched: WatchedProcess) -> None:
    report = watched.report()
    point = {"time": 0.0, "fault_share": None, "p50_seconds": None, "p99_seconds": None, "in_flight": 0}
    report["curves"] = [{**point, "calls_per_second": float(value)} for value in (0, 1, 4, 8)]
    text = shown(report)
    assert "▁▂▅█" in text


class _Other(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"kind": "other"}' if "json" in self.path else b"<html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def test_top_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert main(["top", "--url", url, "--once"]) == 1
    assert "is the service running, with --metrics-port?" in capsys.readouterr().err
    assert main(["top", "--url", "file:///etc/passwd"]) == 2
    assert "expected a URL such as" in capsys.readouterr().err
    with http.server.HTTPServer(("127.0.0.1", 0), _Other) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        assert main(["top", "--url", f"http://127.0.0.1:{other.server_port}", "--once"]) == 1
        other.shutdown()
        thread.join()
    assert "that is no metrics port of recocore" in capsys.readouterr().err


def test_top_lives_on_a_terminal_until_ctrl_c(script: str, watched: WatchedProcess) -> None:
    main_end, child_end = os.openpty()
    process = subprocess.Popen(
        [script, "top", "--url", watched.url, "--every", "0.2"],
        stdin=child_end,
        stdout=child_end,
        stderr=child_end,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"},
        start_new_session=True,
    )
    os.close(child_end)
    seen = b""
    while seen.count(b"ItemKNN") < 3:
        seen += os.read(main_end, 65_536)
    process.send_signal(2)
    try:
        while chunk := os.read(main_end, 65_536):
            seen += chunk
    except OSError:
        pass  # the terminal's other end is closed
    assert process.wait(20) == 130
    os.close(main_end)
    assert b"\x1b[?1049h" in seen
    assert b"\x1b[?1049l" in seen
