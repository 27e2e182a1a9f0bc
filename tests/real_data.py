"""The public data sets, which are no part of the project: each a folder of Parquet files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("RECOCORE_DATA") or Path(__file__).parents[2] / "shared" / "data")


def data_set(name: str) -> Path:
    """The folder of a data set; a test that asks for one that is absent is skipped."""
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"needs {name}, which is not in {DATA}; RECOCORE_DATA names another folder")
    return folder
