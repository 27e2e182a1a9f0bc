"""What a run found, as values and as JSON."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.harness.machine import Machine
from benchmarks.harness.scenario import Memory, Point, Race
from benchmarks.harness.statistics import Ratio, Summary

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OURS = "recocore"
_FORMAT = 1


def is_ours(name: str) -> bool:
    """Whether a competitor is recocore, or recocore in another way, such as `recocore-cg`."""
    return name == OURS or name.startswith(f"{OURS}-")


@dataclass(frozen=True, slots=True)
class Timed:
    """A competitor whose result was verified.

    Attributes:
        name: of the competitor.
        versions: of its packages.
        times: its timings.
        peak_bytes: memory above what the prepared process held, at the worst run.
        ratio: how many times longer it takes than recocore; None for recocore itself, or where that is not there.
        quality: by metric, where the scenario has any.
        group: what kind of answer it gives.
        trajectory: its quality in the course of a run.
    """

    name: str
    versions: Mapping[str, str]
    times: Summary
    peak_bytes: int
    ratio: Ratio | None = None
    quality: Mapping[str, float] = field(default_factory=dict)
    group: str = ""
    trajectory: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Dropped:
    """A competitor without figures, and why: not installed, a wrong result, or a failure."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Roof:
    """A rate to hold a case's rate against.

    Attributes:
        name: what is counted.
        rate: of them a second, with the run's threads.
    """

    name: str
    rate: float


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case, measured.

    Attributes:
        name: of the case.
        title: what its parameters say.
        parameters: by name.
        work: in the scenario's unit.
        facts: sizes, by name.
        curve: the curve it is a point of, or None.
        timed: the verified competitors, recocore first.
        dropped: the others.
        parts: of a run.
        memory: what a run cannot do without, or None.
        roof: measured on the case's inputs, or None.
    """

    name: str
    title: str
    parameters: Mapping[str, Any]
    work: float
    facts: Mapping[str, float]
    curve: str | None
    timed: tuple[Timed, ...]
    dropped: tuple[Dropped, ...]
    parts: int = 1
    memory: Memory | None = None
    roof: Roof | None = None

    @property
    def ours(self) -> Timed | None:
        """The figures of recocore, where its result was right."""
        return next((timed for timed in self.timed if timed.name == OURS), None)

    def work_of(self, entry: Timed, work_unit: str) -> float:
        """The work that a competitor says it did, or else that of the case."""
        return entry.quality.get(work_unit) or self.work

    def part_of_roof(self, entry: Timed, work_unit: str) -> float:
        """A competitor's rate over that of the case's own roof, which has to be there."""
        assert self.roof is not None
        return self.work_of(entry, work_unit) / entry.times.median / self.roof.rate


@dataclass(frozen=True, slots=True)
class Skipped:
    """A case that did not run, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Results:
    """One run of a scenario.

    Attributes:
        scenario: its name.
        title: its title.
        about: what is timed and how it is checked.
        work_unit: of each case's `work`.
        drawn: the quality that is drawn against time, or None.
        taken: the day, ISO 8601.
        machine: where.
        threads: of every competitor.
        repeats: rounds.
        roof: measured once in the same run, or None.
        cases: in order.
        skipped: cases that did not run.
        part: what a run consists of, or None.
        races: the qualities of trajectories, by metric.
    """

    scenario: str
    title: str
    about: str
    work_unit: str
    drawn: str | None
    taken: str
    machine: Machine
    threads: int
    repeats: int
    roof: Roof | None
    cases: tuple[CaseResult, ...]
    skipped: tuple[Skipped, ...]
    part: str | None = None
    races: Mapping[str, Race] = field(default_factory=dict)

    def to_json(self) -> str:
        """As text that `from_json` reads back."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Results:
        """Read what `to_json` wrote.

        Raises:
            ValueError: another format.
        """
        value = json.loads(text)
        found = value.pop("format", None)
        if found != _FORMAT:
            raise ValueError(f"results: expected format {_FORMAT}, got {found!r}; run the benchmark again")
        roof = value.pop("roof")
        races = value.pop("races", {})
        return cls(
            races={name: Race(**race) for name, race in races.items()},
            machine=Machine(**value.pop("machine")),
            roof=Roof(**roof) if roof else None,
            cases=tuple(_case(case) for case in value.pop("cases")),
            skipped=tuple(Skipped(**skipped) for skipped in value.pop("skipped")),
            **value,
        )


def _case(value: dict[str, Any]) -> CaseResult:
    memory, roof = value.pop("memory", None), value.pop("roof", None)
    return CaseResult(
        memory=Memory(**memory) if memory else None,
        roof=Roof(**roof) if roof else None,
        timed=tuple(_timed(timed) for timed in value.pop("timed")),
        dropped=tuple(Dropped(**dropped) for dropped in value.pop("dropped")),
        **value,
    )


def _timed(value: dict[str, Any]) -> Timed:
    times, ratio = value.pop("times"), value.pop("ratio")
    value["trajectory"] = tuple(Point(**point) for point in value.get("trajectory", ()))
    times["seconds"] = tuple(times["seconds"])
    return Timed(times=Summary(**times), ratio=Ratio(**ratio) if ratio else None, **value)


def write(path: Path, text: str) -> None:
    """Write a whole file or none."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
