from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks.harness.command import run_scenario, select
from benchmarks.harness.process import CompetitorError, Process
from benchmarks.harness.results import Results, Roof
from benchmarks.harness.runner import Settings, measure_roof, run_case
from rich.console import Console
from tests.benchmarks.fake.scenario import ROOFED, SCENARIO

if TYPE_CHECKING:
    from pathlib import Path

CASES = {case.name: case for case in SCENARIO.cases}


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def settings(tmp_path: Path, told: list[str]) -> Settings:
    return Settings(threads=1, repeats=3, data=tmp_path, limit=60, log=tmp_path / "log", tell=told.append)


def test_competitors_are_the_files_of_the_folder_ours_first() -> None:
    assert list(SCENARIO.competitors()) == ["recocore", "aborting", "late", "missing", "raising", "slow", "wrong"]


def test_right_competitors_are_timed_in_turns_after_all_are_verified(settings: Settings, told: list[str]) -> None:
    result = run_case(SCENARIO, CASES["good"], settings)
    assert [entry.name for entry in result.timed] == ["recocore", "slow"]
    assert result.dropped == ()
    steps = [line.removeprefix("good: ") for line in told]
    assert steps == [
        "making the inputs",
        "verifying recocore",
        "verifying slow",
        *(f"round {turn} of 3, {name}" for turn in (1, 2, 3) for name in ("recocore", "slow")),
    ]
    ours, slow = result.timed
    assert ours.ratio is None
    assert slow.ratio is not None
    assert len(slow.times.seconds) == 3
    assert slow.ratio.value == slow.times.median / ours.times.median
    assert list(ours.versions) == ["numpy"]
    assert ours.quality == {"charm": 0.5}
    assert (result.title, result.work, result.parameters) == ("the sum of 10 numbers", 10, {"count": 10})


def test_who_fails_is_dropped_and_why_is_said(settings: Settings) -> None:
    result = run_case(SCENARIO, CASES["bad"], settings)
    assert [entry.name for entry in result.timed] == ["recocore"]
    assert {dropped.name: dropped.reason for dropped in result.dropped} == {
        "aborting": "failed: its process ended with code 3",
        "missing": "a_library_that_nobody_has is not installed",
        "raising": "failed: ValueError: no sums today",
        "wrong": "wrong result: the sum should be 190, is 191",
        "late": "failed: RuntimeError: tired (in round 2)",
    }
    assert b"no sums today" in settings.log.read_bytes()


def test_without_ours_there_are_no_ratios(settings: Settings) -> None:
    result = run_case(SCENARIO, CASES["without_ours"], settings)
    assert [(entry.name, entry.ratio) for entry in result.timed] == [("slow", None)]


def test_a_case_without_its_data_is_skipped_and_said(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    found = run_scenario(SCENARIO, [CASES["absent"], CASES["good"]], settings, Console(width=120))
    assert [(skipped.name, skipped.reason) for skipped in found.skipped] == [("absent", "there are no numbers")]
    assert [case.name for case in found.cases] == ["good"]
    printed = capsys.readouterr().out
    assert "absent: skipped: there are no numbers" in printed
    assert "times the roof" in printed
    assert Results.from_json(found.to_json()) == found


def test_the_roof_is_a_rate(settings: Settings) -> None:
    roof = measure_roof(SCENARIO, settings)
    assert isinstance(roof, Roof)
    assert 0 < roof.rate <= 100 / 0.001


def test_a_roof_in_cases_is_timed_in_turn_with_the_competitors(
    settings: Settings, told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = run_scenario(ROOFED, [CASES["good"]], settings, Console(width=120))
    (case,) = found.cases
    assert found.roof is None
    assert [line for line in told if "roof" in line] == [
        "good: preparing the roof",
        *(f"good: round {turn} of 3, the roof" for turn in (1, 2, 3)),
    ]
    assert [entry.name for entry in case.timed] == ["recocore", "slow"]
    assert case.roof is not None
    assert case.roof.name == "an addition"
    assert 0 < case.roof.rate <= 100 / 0.001
    ours = case.timed[0]
    assert case.part_of_roof(ours, "additions") == 10 / ours.times.median / case.roof.rate
    printed = capsys.readouterr().out
    assert f" {case.part_of_roof(ours, 'additions'):.2f} " in printed
    assert "times the roof" in printed
    assert Results.from_json(found.to_json()) == found


def test_a_roof_in_cases_that_fails_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(ROOFED), "roof", ("tests.benchmarks.fake.competitor_missing", "an addition"))
    result = run_case(ROOFED, CASES["good"], settings)
    assert result.roof is None
    assert [(dropped.name, dropped.reason) for dropped in result.dropped] == [
        ("the roof", "a_library_that_nobody_has is not installed")
    ]
    assert [entry.name for entry in result.timed] == ["recocore", "slow"]


def test_a_competitor_that_hangs_is_given_up(tmp_path: Path) -> None:
    with (
        (tmp_path / "log").open("wb") as log,
        Process("tests.benchmarks.fake.competitor_slow", 1, 0.001, log) as process,
        pytest.raises(CompetitorError, match=r"prepare took longer than 0\.001 s"),
    ):
        process.prepare({}, {})


@pytest.mark.parametrize(
    ("names", "quick", "large", "expected"),
    [
        ((), False, False, ["good", "bad", "without_ours", "absent"]),
        ((), True, False, ["good"]),
        ((), False, True, ["good", "bad", "without_ours", "absent", "big"]),
        (("big", "good"), False, False, ["good", "big"]),
    ],
)
def test_cases_are_chosen(names: tuple[str, ...], quick: bool, large: bool, expected: list[str]) -> None:
    assert [case.name for case in select(SCENARIO, names, quick, large)] == expected


def test_what_saving_takes_is_not_counted_to_the_runs(tmp_path: Path) -> None:
    np.save(tmp_path / "numbers.npy", np.ones(10))
    with (
        (tmp_path / "log").open("wb") as log,
        Process("tests.benchmarks.fake.hoarding", 1, 60, log) as process,
    ):
        process.prepare({"numbers": tmp_path / "numbers.npy"}, {"count": 10})
        process.run()
        process.save(tmp_path / "result")
        assert process.run()[1] < 2**26
