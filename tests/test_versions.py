"""The version is the same wherever it is written."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import recocore
from recocore import _native

ROOT = Path(__file__).parent.parent


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    cmake = re.search(r"project\(recocore VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))
    assert cmake is not None
    changelog = re.search(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert changelog is not None
    installed = importlib.metadata.version("recocore")
    assert {project, cmake[1], changelog[1], recocore.__version__, _native.__version__, installed} == {project}
