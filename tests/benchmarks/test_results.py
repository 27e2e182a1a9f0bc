from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from benchmarks.harness.machine import this_machine
from benchmarks.harness.process import ROOT
from benchmarks.harness.results import Results, write
from tests.benchmarks.made_up import results

if TYPE_CHECKING:
    from pathlib import Path


def test_results_come_back_from_json_as_they_were() -> None:
    assert Results.from_json(results().to_json()) == results()


def test_another_format_is_refused() -> None:
    text = json.dumps({**json.loads(results().to_json()), "format": 99})
    with pytest.raises(ValueError, match="expected format 1, got 99"):
        Results.from_json(text)


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    write(tmp_path / "page.html", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    with pytest.raises(UnicodeEncodeError):
        write(tmp_path / "page.html", "\udcff")
    assert (tmp_path / "page.html").read_text() == "new"


def test_the_machine_is_described_without_naming_it() -> None:
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.isa
    text = repr(machine)
    assert str(ROOT) not in text
    assert "/" not in text.replace(machine.cpu, "")
