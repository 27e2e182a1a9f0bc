"""Logs and tables that several tests of profiles share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("RECOCORE_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real logs."""
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent: the real data sets are not part of the project (set RECOCORE_DATA)")
    return DATA
