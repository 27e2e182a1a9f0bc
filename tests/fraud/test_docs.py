"""The commands and examples of docs/fraud_detectors.md run as they stand, in its order, in one folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import blocks
from tests.real_data import DATA

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fraud_detectors.md").read_text(encoding="utf-8")


def run(command: list[str] | str, folder: Path) -> str:
    scripts = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "DATA": str(DATA),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        shell=isinstance(command, str),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_examples_print_what_the_page_says(tmp_path: Path) -> None:
    ran = 0
    for language, content in blocks(PAGE):
        if language != "python":
            continue
        said = [line.split("# prints ", 1)[1] for line in content.splitlines() if "# prints " in line]
        assert run([sys.executable, "-c", content], tmp_path).splitlines() == said
        ran += 1
    assert ran >= 3


@pytest.mark.parametrize(
    "command", [line for kind, text in blocks(PAGE) if kind == "bash" for line in text.splitlines()]
)
def test_the_commands_run(command: str, tmp_path: Path) -> None:
    if "$DATA" in command and not DATA.is_dir():
        pytest.skip(f"{DATA} is absent: the real data sets are not part of the project")
    printed = run(command, tmp_path)
    assert "|" in printed or "edges" in printed
