"""Every command of docs/threat-model.md is run, in the order of the page; what it names exists."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import blocks, environment, run
from tests.service.small_index import small_index
from tests.service.watched import until

from recocore.models import Popularity
from recocore.service.security.roles import read_roles
from recocore.service.settings import Settings

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_index(Popularity()).save(tmp_path / "index")
    return tmp_path


@pytest.mark.timeout(300)
def test_set_it_up(folder: Path) -> None:
    chapter = PAGE.split("## Set it up")[1].split("\n## ")[0]
    server: subprocess.Popen[str] | None = None
    address, ran = "", 0
    try:
        for language, content in blocks(chapter):
            if language == "toml":
                (folder / "recocore.toml").write_text(f"{content}anchor_seconds = 0.1\n", encoding="utf-8")
            elif language == "python":
                printed = run([sys.executable, "-c", content.replace("localhost:50051", address)], folder)
                assert re.fullmatch(r"\S+\nUNAUTHENTICATED\n", printed)
            else:
                for line in content.splitlines():
                    ran += 1
                    if line.endswith("2> service.log"):
                        command, log = line.replace("50051", "0").split(" 2> ")
                        with (folder / log).open("w", encoding="utf-8") as errors:
                            server = subprocess.Popen(
                                shlex.split(command),
                                cwd=folder,
                                env=environment(),
                                stdout=subprocess.PIPE,
                                stderr=errors,
                                text=True,
                            )
                        assert server.stdout is not None
                        address = json.loads(server.stdout.readline())["address"]
                    elif "audit verify" in line:
                        until(lambda: "audit anchor" in (folder / "service.log").read_text(encoding="utf-8"))
                        assert "anchored up to" in run(line, folder)
                    else:
                        run(line, folder)
        assert ran == 11
        assert server is not None
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    finally:
        if server is not None:
            server.kill()
            assert server.stdout is not None
            server.stdout.close()
            server.wait()


def test_the_file_of_roles_is_taken(tmp_path: Path) -> None:
    [(language, content)] = blocks(PAGE.split("## Roles")[1].split("\n## ")[0])
    assert language == "toml"
    (tmp_path / "roles.toml").write_text(content, encoding="utf-8")
    roles = read_roles(str(tmp_path / "roles.toml"))
    assert roles.certificates == {"spiffe://shop/front": ("recommender",)}


def test_what_the_page_names_exists() -> None:
    tests = ROOT / "tests" / "service" / "security"
    for name in set(re.findall(r"\btest_\w+\b(?!\.py)", PAGE)):
        assert (tests / f"{name}.py").exists(), name
    for path in re.findall(r"\b((?:tests|benchmarks)/[\w/]+\.py)", PAGE):
        assert (ROOT / path).exists(), path
    shown = Settings().shown()
    for section, key in re.findall(r"`(server|limits|tls|auth|audit)\.(\w+)(?: = \w+)?`", PAGE):
        assert key in shown[section], f"{section}.{key}"
