"""Every command and example in the docs is run, in the order of the page."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.commands import ROOT, Chapters, blocks, environment, joined, run
from tests.real_data import DATA

if TYPE_CHECKING:
    from pathlib import Path

README = (ROOT / "README.md").read_text(encoding="utf-8")

# The first two bash blocks install the project and run these tests: continuous integration runs them as they stand.
INSTALL_BLOCKS = 2


@pytest.fixture(scope="session")
def chapters(tmp_path_factory: pytest.TempPathFactory) -> Chapters:
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "chapters"
    shared.mkdir(exist_ok=True)
    return Chapters(shared)


@pytest.mark.timeout(300)
def test_your_own_data_from_log_to_served_answer(chapters: Chapters, tmp_path: Path) -> None:
    """The chapter's commands and snippets on one folder; the server gets a free port in place of its usual one."""
    chapter = README.split("## Your own data")[1].split("\n## ")[0]
    server: subprocess.Popen[str] | None = None
    address = ""
    ran = 0
    try:
        for language, content in blocks(chapter):
            if language == "python":
                printed = run([sys.executable, "-c", content.replace("localhost:50051", address)], tmp_path)
                assert "client.recommend" not in content or len(printed.splitlines()) == 5
                ran += 1
                continue
            for line in content.splitlines():
                ran += 1
                if line.startswith("recocore serve"):
                    command = shlex.split(line.replace("50051", "0"))
                    server = subprocess.Popen(
                        command,
                        cwd=tmp_path,
                        env=environment(),
                        stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL,
                        text=True,
                    )
                    assert server.stdout is not None
                    address = json.loads(server.stdout.readline())["address"]
                else:
                    chapters.run(line, tmp_path)
        assert ran >= 7
        assert (tmp_path / "nightly-index" / "manifest.json").exists()
        if server is not None:
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0
    finally:
        if server is not None:
            server.kill()
            assert server.stdout is not None
            server.stdout.close()
            server.wait()


@pytest.mark.timeout(300)
def test_versions(chapters: Chapters, tmp_path: Path) -> None:
    """The chapter's commands and snippet, on the log that the chapter before keeps; stable ends where it began."""
    chapters.log(tmp_path)
    chapter = README.split("## Versions")[1].split("\n## ")[0]
    printed = ""
    for language, content in blocks(chapter):
        if language == "python":
            printed = run([sys.executable, "-c", content], tmp_path)
        else:
            for line in content.splitlines():
                chapters.run(line, tmp_path)
    monday = json.loads((tmp_path / "monday" / "manifest.json").read_text(encoding="utf-8"))
    assert printed.split()[0] == monday["version"]


@pytest.mark.timeout(300)
def test_the_page_on_the_state(tmp_path: Path) -> None:
    """Its snippet, and its commands on the state that the snippet makes; the last one restores a state that ann has left."""
    page = (ROOT / "docs" / "state.md").read_text(encoding="utf-8")
    printed = ""
    for language, content in blocks(page):
        if language == "python":
            assert run([sys.executable, "-c", content], tmp_path) == "ok ('tea',)\n"
        else:
            for line in content.splitlines():
                printed = run(line, tmp_path)
    assert printed == "restored restored\n0 events, 0 users\n"
    for name in re.findall(r"`(\w+)`", page.split("The docstrings of ")[1].split(" in ")[0]):
        assert (ROOT / "python" / "recocore" / "state" / f"{name}.py").exists(), name


@pytest.mark.timeout(300)
def test_in_operation(chapters: Chapters, tmp_path: Path) -> None:
    """The chapter's settings, commands and snippet, on the log that an earlier chapter keeps and on free ports."""
    chapters.log(tmp_path)
    chapter = README.split("## In operation")[1].split("\n## ")[0]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        page = free.getsockname()[1]
    ports = {"RECOCORE_SERVER_PORT": "0", "RECOCORE_METRICS_PORT": str(page)}
    server: subprocess.Popen[str] | None = None
    address, ran = "", 0
    try:
        for language, content in blocks(chapter):
            if language == "toml":
                (tmp_path / "recocore.toml").write_text(content, encoding="utf-8")
            elif language == "python":
                printed = run([sys.executable, "-c", content.replace("localhost:50051", address)], tmp_path)
                assert "Experiment(id='autumn'" in printed
            else:
                for line in content.splitlines():
                    ran += 1
                    if line == "recocore serve --config recocore.toml":
                        server = subprocess.Popen(
                            shlex.split(line),
                            cwd=tmp_path,
                            env={**environment(), **ports},
                            stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL,
                            text=True,
                        )
                        assert server.stdout is not None
                        address = json.loads(server.stdout.readline())["address"]
                    else:
                        chapters.run(line.replace("top --once", f"top --once --url http://127.0.0.1:{page}"), tmp_path)
        assert ran == 9
        assert server is not None
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    finally:
        if server is not None:
            server.kill()
            assert server.stdout is not None
            server.stdout.close()
            server.wait()


def run_page(page: str, folder: Path, chapters: Chapters) -> list[str]:
    """Run the commands and snippets of a page in its order, against the server that it starts, on a free port.

    Returns:
        The lines that its snippets print.
    """
    printed, address = "", ""
    server: subprocess.Popen[str] | None = None
    try:
        for language, content in blocks(page):
            if language == "python":
                printed += run([sys.executable, "-c", content.replace("localhost:50051", address)], folder)
                continue
            if language == "toml":
                (folder / "recocore.toml").write_text(content, encoding="utf-8")
                continue
            for line in joined(content):
                if not line.startswith("recocore serve") or "--check" in line:
                    chapters.run(line, folder)
                    continue
                server = subprocess.Popen(
                    shlex.split(line.replace("50051", "0")),
                    cwd=folder,
                    env=environment(),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
                assert server.stdout is not None
                address = json.loads(server.stdout.readline())["address"]
        if server is not None:
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0
    finally:
        if server is not None:
            server.kill()
            assert server.stdout is not None
            server.stdout.close()
            server.wait()
    return printed.splitlines()


@pytest.mark.timeout(300)
def test_events_and_people(chapters: Chapters, tmp_path: Path) -> None:
    lines = run_page((ROOT / "docs" / "events.md").read_text(encoding="utf-8"), tmp_path, chapters)
    assert lines[:3] == ["2 recorded", "False", "3 recorded, 0 dropped"]
    assert lines[3] == "{'n_events': 2} Taipei ['cookie-17']"
    assert lines[4:6] == ["[('cookie-8', 'event')]", "1 merged; 2 events forgotten"]
    assert lines[6] == "{'personalization': True, 'profiling': True, 'marketing': False, 'analytics': True}"
    assert lines[7].startswith("2 events, ")
    assert lines[-1] == "('ann',) ()"
    assert (tmp_path / "next-index" / "manifest.json").exists()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "chapter", ["Events and privacy", "Security", "Profiles", "Segments and lifetime", "Anomalies and rings", "Fraud"]
)
def test_a_chapter(chapter: str, chapters: Chapters, tmp_path: Path) -> None:
    """Its commands and snippets, on the log that an earlier chapter keeps."""
    chapters.log(tmp_path)
    page = README.split(f"## {chapter}\n")[1].split("\n## ")[0]
    assert blocks(page)
    run_page(page, tmp_path, chapters)


@pytest.mark.timeout(300)
def test_long_fits(chapters: Chapters, tmp_path: Path) -> None:
    """The chapter's commands and snippet, on the log that the chapter before keeps."""
    chapters.log(tmp_path)
    chapter = README.split("## Long fits")[1].split("\n## ")[0]
    for language, content in blocks(chapter):
        if language == "python":
            printed = run([sys.executable, "-c", content], tmp_path)
            assert " MB (" in printed
            assert printed.count("EpochReport(epoch=") > 2
        else:
            for line in content.splitlines():
                run(line, tmp_path)
    for folder in ("validated/manifest.json", "run/epoch-000016", "mapped-run", "interactions/users_indptr.npy"):
        assert (tmp_path / folder).exists(), folder


@pytest.mark.timeout(300)
def test_the_search_of_the_chapter_on_als(chapters: Chapters, tmp_path: Path) -> None:
    chapters.log(tmp_path)
    chapter = README.split("## ALS: defaults and search")[1].split("\n## ")[0]
    [(language, command), (other, snippet)] = blocks(chapter)
    assert (language, other) == ("bash", "python")
    assert "next: recocore fit events.parquet --model als --factors" in run(command, tmp_path)
    assert run([sys.executable, "-c", snippet], tmp_path) == ""


def test_the_page_on_cuda_names_what_is_missing(tmp_path: Path) -> None:
    """Its commands need nvcc and are text; its snippet runs in every build."""
    page = (ROOT / "docs" / "cuda.md").read_text(encoding="utf-8")
    [snippet] = [content for language, content in blocks(page) if language == "python"]
    printed = run([sys.executable, "-c", snippet], tmp_path)
    assert "device" in printed or not printed


def real_data_commands() -> list[str]:
    chapter = README.split("## Real data")[1].split("\n## ")[0]
    return [line for language, content in blocks(chapter) if language == "bash" for line in joined(content)]


@pytest.mark.timeout(300)
def test_the_tables_script_runs_on_the_smallest_log(tmp_path: Path) -> None:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent: the real data sets are not part of the project")
    assert "`python benchmarks/real_data.py $DATA`" in README
    script = str(ROOT / "benchmarks" / "real_data.py")
    printed = run([sys.executable, script, str(DATA), "--only", "ml-latest-small", "--json", "rows.json"], tmp_path)
    assert len(printed.splitlines()) == 4
    rows = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert [row["model"] for row in rows] == ["als", "itemknn"]
    assert all(row["recall@20"] > row["popularity recall@20"] for row in rows)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("command", real_data_commands())
def test_real_data_commands_run_and_beat_popularity(command: str, tmp_path: Path) -> None:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent: the real data sets are not part of the project")
    judged = json.loads(run(f"{command} --json", tmp_path))["models"]
    by_model = {entry["model"]: entry["metrics"] for entry in judged}
    baseline = by_model.pop("popularity")["recall@20"]["mean"]
    assert by_model
    for name, metrics in by_model.items():
        assert metrics["recall@20"]["mean"] > baseline, name


@pytest.mark.timeout(300)
def test_the_page_on_segments(chapters: Chapters, tmp_path: Path) -> None:
    """Everything on one folder, in the order of the page."""
    page = (ROOT / "docs" / "segments.md").read_text(encoding="utf-8")
    ran = 0
    for language, content in blocks(page):
        if language == "toml":
            (tmp_path / "tags.toml").write_text(content, encoding="utf-8")
        elif language == "python":
            assert run([sys.executable, "-c", content], tmp_path)
            ran += 1
        else:
            for line in joined(content):
                chapters.run(line, tmp_path)
                ran += 1
    assert ran == 12
    assert "<h2>Retention</h2>" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_paths_that_the_docs_name_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8") + README
    named = re.findall(r"`((?:cpp|python|proto|tests|benchmarks)/[\w/.]+)`", text)
    real = [path for path in named if not re.search(r"(/|_)x(_cpu)?\.", path)]  # x stands for a new file's name
    assert real
    for path in real:
        assert (ROOT / path).exists(), path


def test_pictures_are_those_that_the_readme_shows() -> None:
    shown = set(re.findall(r"^!\[[^]]+\]\((docs/pictures/[\w.]+)\)$", README, re.MULTILINE))
    spec = importlib.util.spec_from_file_location("take_pictures", ROOT / "docs" / "take_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    pictures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pictures)
    there = {f"docs/pictures/{picture.name}" for picture in pictures.PICTURES.iterdir()}
    assert shown == there == {f"docs/pictures/{name}.png" for name in pictures.PAGES}
    for picture in shown:
        assert (ROOT / picture).read_bytes().startswith(b"\x89PNG"), picture
    for chapter, _ in pictures.PAGES.values():
        assert "--out report.html" in pictures.commands(chapter)


@pytest.mark.parametrize("page", ["als.md", "profiles.md"])
def test_the_examples_of_a_page(page: str, tmp_path: Path) -> None:
    examples = [content for language, content in blocks((ROOT / "docs" / page).read_text(encoding="utf-8"))
                if language == "python"]  # fmt: skip
    assert examples
    for example in examples:
        run([sys.executable, "-c", example], tmp_path)


def test_only_the_install_blocks_are_left_to_continuous_integration() -> None:
    bash = [content for language, content in blocks(README) if language == "bash"]
    assert all(".venv/bin/pip install" in content for content in bash[:INSTALL_BLOCKS])
    assert not any("pip install" in content for content in bash[INSTALL_BLOCKS:])


@pytest.mark.timeout(300)
def test_the_page_on_fraud(chapters: Chapters, tmp_path: Path) -> None:
    """Every block of docs/fraud.md in one folder; its settings are taken by the command that checks them."""
    page, served = (ROOT / "docs" / "fraud.md").read_text(encoding="utf-8").split("\n## Served\n")
    printed: list[str] = []
    for language, content in blocks(page):
        if language == "python":
            printed.append(run([sys.executable, "-c", content], tmp_path))
        elif language == "toml":
            (tmp_path / "page.toml").write_text(content, encoding="utf-8")
            run("recocore fraud backtest shop/learn.parquet --settings page.toml", tmp_path)
        else:
            for line in content.splitlines():
                run(line, tmp_path)
    assert "account_farm" in printed[0]
    assert (tmp_path / "report.html").stat().st_size > 20_000
    outcome, again, accepted, found = run_page(served, tmp_path, chapters)
    assert outcome.split()[1] == "EXPECTED_COST"
    assert (again, accepted, found) == ("True", "1", "same ['good'] True")
