"""Runs a case: start everyone, verify everyone, and only then time those who are right, in turns."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks.harness.process import CompetitorError, Process
from benchmarks.harness.results import OURS, CaseResult, Dropped, Roof, Timed
from benchmarks.harness.scenario import WrongResultError
from benchmarks.harness.statistics import ratio_of_medians, summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.harness.scenario import Case, Inputs, Point, Scenario

P = TypeVar("P")

# Threads of a run that spin on for a while after it must not meet the next competitor.
_PAUSE = 0.05
_ROOF_RUNS = 5
# What a roof that is timed with a case's competitors is called among them: no file has such a name.
_ROOF = "the roof"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a scenario is run.

    Attributes:
        threads: of each competitor.
        repeats: rounds; each times every competitor once.
        data: where data sets lie.
        limit: seconds that one run may take.
        log: takes what competitors print.
        tell: hears what is being done.
    """

    threads: int
    repeats: int
    data: Path
    limit: float
    log: Path
    tell: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Verified:
    process: Process
    versions: Mapping[str, str]
    quality: Mapping[str, float]
    trajectory: tuple[Point, ...]
    group: str


def run_case(scenario: Scenario[P], case: Case[P], settings: Settings) -> CaseResult:
    """Measure one case.

    Raises:
        UnavailableError: the case cannot run here.
    """
    with tempfile.TemporaryDirectory(prefix="recocore-bench-") as folder, ExitStack() as open_until_done:
        settings.tell(f"{case.name}: making the inputs")
        inputs = scenario.prepare(case.parameters, Path(folder), settings.data)
        log = open_until_done.enter_context(settings.log.open("ab"))
        dropped: list[Dropped] = []
        verified: dict[str, _Verified] = {}
        accepted: Path | None = None
        for name, module in _entrants(scenario, case).items():
            settings.tell(f"{case.name}: verifying {name}")
            process = open_until_done.enter_context(Process(module, settings.threads, settings.limit, log))
            result = Path(folder) / f"{name}.result"
            try:
                versions = process.prepare(inputs.files, parameters_of(case))["versions"]
                process.run()
                process.save(result)
                quality = _verify(scenario, case, inputs, result, accepted)
                trajectory = scenario.trajectory(case.parameters, inputs, result)
            except (CompetitorError, WrongResultError) as error:
                process.close()
                dropped.append(Dropped(name, _reason(error)))
                continue
            verified[name] = _Verified(process, versions, quality, trajectory, scenario.group(name))
            if accepted is None:
                accepted = result
            else:
                result.unlink()  # some are gigabytes, and only the first is looked at again
        processes = {name: entry.process for name, entry in verified.items()}
        amount = 0.0
        if scenario.roof is not None and scenario.roof_in_cases:
            settings.tell(f"{case.name}: preparing the roof")
            process = open_until_done.enter_context(Process(scenario.roof[0], settings.threads, settings.limit, log))
            try:
                amount = _prepare_roof(process, inputs.files, parameters_of(case))
            except CompetitorError as error:
                dropped.append(Dropped(_ROOF, _reason(error)))
            else:
                processes[_ROOF] = process
        seconds, peaks = _time(case.name, processes, settings, dropped)
    beside = seconds.pop(_ROOF, None)
    return CaseResult(
        name=case.name,
        title=str(case.parameters),
        parameters=parameters_of(case),
        work=inputs.work,
        facts=inputs.facts,
        curve=case.curve,
        timed=_timed(verified, seconds, peaks),
        dropped=tuple(dropped),
        parts=inputs.parts,
        memory=inputs.memory,
        roof=Roof(scenario.roof[1], amount / summarize(beside).median) if scenario.roof and beside else None,
    )


def measure_roof(scenario: Scenario[P], settings: Settings) -> Roof | Dropped | None:
    """The rate of the scenario's roof; why there is none, where it failed; None where the scenario has none of its own."""
    if scenario.roof is None or scenario.roof_in_cases:
        return None
    module, name = scenario.roof
    settings.tell(f"measuring the roof: {name}")
    with settings.log.open("ab") as log, Process(module, settings.threads, settings.limit, log) as process:
        try:
            amount = _prepare_roof(process, {}, {})
            seconds = [process.run()[0] for _ in range(_ROOF_RUNS)]
        except CompetitorError as error:
            return Dropped(name, _reason(error))
    return Roof(name, amount / summarize(seconds).median)


def parameters_of(case: Case[P]) -> dict[str, Any]:
    """The parameters by name, as JSON takes them."""
    found: dict[str, Any] = asdict(case.parameters)  # type: ignore[call-overload]
    return found


def _prepare_roof(process: Process, inputs: Mapping[str, Path], parameters: Mapping[str, Any]) -> float:
    """Load it and run it once; gives the work of one run."""
    amount = float(process.prepare(inputs, parameters)["amount"])
    process.run()
    return amount


def _entrants(scenario: Scenario[P], case: Case[P]) -> dict[str, str]:
    present = scenario.competitors()
    return present if case.competitors is None else {name: present[name] for name in case.competitors}


def _verify(
    scenario: Scenario[P], case: Case[P], inputs: Inputs, result: Path, accepted: Path | None
) -> Mapping[str, float]:
    scenario.check(case.parameters, inputs, result)
    if accepted is not None:
        scenario.agree(case.parameters, result, accepted)
    return scenario.quality(case.parameters, inputs, result)


def _time(
    case: str, processes: Mapping[str, Process], settings: Settings, dropped: list[Dropped]
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Times everyone once a round, so that a noisy minute meets all alike; gives seconds and peaks of memory."""
    seconds: dict[str, list[float]] = {name: [] for name in processes}
    peaks: dict[str, int] = dict.fromkeys(processes, 0)
    for turn in range(settings.repeats):
        for name in list(seconds):
            settings.tell(f"{case}: round {turn + 1} of {settings.repeats}, {name}")
            time.sleep(_PAUSE)
            try:
                taken, peak = processes[name].run()
            except CompetitorError as error:
                dropped.append(Dropped(name, f"{_reason(error)} (in round {turn + 1})"))
                del seconds[name]
                continue
            seconds[name].append(taken)
            peaks[name] = max(peaks[name], peak)
    return seconds, peaks


def _timed(
    verified: Mapping[str, _Verified], seconds: Mapping[str, list[float]], peaks: Mapping[str, int]
) -> tuple[Timed, ...]:
    """The figures of everyone who came through all rounds."""
    timed = [
        Timed(
            name,
            entry.versions,
            summarize(times),
            peaks[name],
            quality=entry.quality,
            group=entry.group,
            trajectory=entry.trajectory,
        )
        for name, times in seconds.items()
        for entry in (verified[name],)
    ]
    ours = seconds.get(OURS)
    if ours is None:
        return tuple(timed)
    return tuple(
        entry if entry.name == OURS else replace(entry, ratio=ratio_of_medians(entry.times.seconds, ours))
        for entry in timed
    )


def _reason(error: CompetitorError | WrongResultError) -> str:
    if isinstance(error, WrongResultError):
        return f"wrong result: {error}"
    return str(error) if error.missing else f"failed: {error}"
