"""Logs and tables that several tests of profiles share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.real_data import DATA

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real logs."""
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent: the real data sets are not part of the project (set RECOCORE_DATA)")
    return DATA
