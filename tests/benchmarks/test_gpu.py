"""The GPU's benchmark says what it measured, and what it could not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from benchmarks.gpu.__main__ import main
from click.testing import CliRunner

from recocore import _native

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(_native.cuda_device_count() > 0, reason="there is a device")
def test_without_a_device_the_cpu_alone_is_measured(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--rounds", "1", "--out", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "device: none: the figures of a GPU are unmeasured here" in done.output
    record = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert record["device"] is record["roofs"] is None
    assert [list(work["ways"]) for work in record["works"]] == [["recocore cpu"]] * 3
    for work in record["works"]:
        assert work["missing"] == ["cuda: no device here; only the CPU's column is measured"]
        assert work["ways"]["recocore cpu"]["agrees"] is True
