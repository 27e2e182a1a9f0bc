from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recocore.data import synthetic_shop

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., "subprocess.CompletedProcess[str]"]

SCRIPT = Path(sys.executable).with_name("recocore")


@pytest.fixture(scope="session")
def script() -> str:
    """The console script beside this Python."""
    if not SCRIPT.exists():
        pytest.skip(f"{SCRIPT} is not there: the package is not installed in this environment")
    return str(SCRIPT)


@pytest.fixture(scope="session")
def run(script: str) -> Run:
    """Runs a command line to its end."""

    def call(*arguments: object, columns: int = 80) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [script, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
            env={**os.environ, "COLUMNS": str(columns)},
        )

    return call


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small log with faults in it, as Parquet."""
    path = tmp_path_factory.mktemp("log") / "events.parquet"
    synthetic_shop(n_users=200, n_items=120, n_events=5_000, seed=3, dirt=0.05).events.to_parquet(path)
    return path


@pytest.fixture(scope="session")
def index(run: Run, log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index that `recocore fit` made."""
    path = tmp_path_factory.mktemp("index") / "index"
    done = run("fit", log, "--model", "itemknn", "--neighbors", 20, "--out", path)
    assert done.returncode == 0, done.stderr
    return path
