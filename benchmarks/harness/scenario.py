"""What a scenario is: cases, their inputs, and what makes a result right."""

from __future__ import annotations

import importlib
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOUSE = Path(__file__).resolve().parent.parent

# quick: also with --quick; usual: unless --quick; large: with --large; named: only when asked for by name.
When = Literal["quick", "usual", "large", "named"]

P = TypeVar("P")


class WrongResultError(Exception):
    """A result is not what the case asks for; says where it differs."""


class UnavailableError(Exception):
    """A case cannot run here, its data being absent for example; says what is needed."""


@dataclass(frozen=True, slots=True)
class Case(Generic[P]):
    """One set of parameters under a name.

    Attributes:
        name: what `--case` takes.
        parameters: a frozen dataclass whose text says what is measured.
        when: which runs include it.
        competitors: names of those that take part; None is all of the folder.
        curve: cases of one curve are drawn as time against work.
    """

    name: str
    parameters: P
    when: When = "usual"
    competitors: tuple[str, ...] | None = None
    curve: str | None = None


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a case is run on.

    Attributes:
        files: given to every competitor, by name.
        work: how much there is to do, in the scenario's unit.
        facts: sizes to show, by name.
        expected: what the scenario itself computed to check against; no competitor sees it.
        parts: into how many equal parts a run falls, in the scenario's `part`.
        memory: what a run cannot do without, or None.
    """

    files: Mapping[str, Path]
    work: float
    facts: Mapping[str, float] = field(default_factory=dict)
    expected: Path | None = None
    parts: int = 1
    memory: Memory | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """A yardstick for the peak of memory.

    Attributes:
        held: bytes of it that the prepared process holds before the run.
        needed: bytes of inputs and outputs together.
    """

    held: int
    needed: int


@dataclass(frozen=True, slots=True)
class Point:
    """How good a result was at some time of a run.

    Attributes:
        share: of the run's time that had gone by.
        quality: by metric.
    """

    share: float
    quality: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Race:
    """A quality whose way up (or down) is drawn against time, and how long everyone takes to what the fastest peer reaches.

    Attributes:
        rising: whether more is better.
        tolerance: a competitor has converged once it is within this part of its last value.
        near: a peer sets the pace only where it ends within this part of the best peer.
    """

    rising: bool
    tolerance: float = 1e-3
    near: float = 1e-2


class Scenario(ABC, Generic[P]):
    """A question that several libraries answer. A folder's `scenario.py` defines one as `SCENARIO`.

    Attributes:
        name: what `recocore bench` takes; the folder's name.
        title: a few words.
        about: what is timed and how results are checked, for the page.
        work_unit: of `Inputs.work`, in the plural.
        drawn: the quality that is drawn against time, more being better; or None.
        roof: the module of a competitor whose rate bounds or scales the work, and what its rate is called; or None.
        roof_in_cases: whether the roof is measured on the inputs of each case, in turn with its competitors, not once.
        part: what a run consists of equal parts of, such as an epoch; or None.
        races: the qualities of trajectories, by metric.
        repeats: rounds, unless the caller or --quick says otherwise.
        cases: in the order of the page.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]
    work_unit: ClassVar[str]
    drawn: ClassVar[str | None] = None
    roof: ClassVar[tuple[str, str] | None] = None
    roof_in_cases: ClassVar[bool] = False
    part: ClassVar[str | None] = None
    races: ClassVar[Mapping[str, Race]] = {}
    repeats: ClassVar[int] = 7
    cases: Sequence[Case[P]]

    @abstractmethod
    def prepare(self, parameters: P, folder: Path, data: Path) -> Inputs:
        """Write the inputs into `folder`.

        Raises:
            UnavailableError: something is absent here, a data set under `data` for example.
        """

    @abstractmethod
    def check(self, parameters: P, inputs: Inputs, result: Path) -> None:
        """Compare a saved result with what is expected, independently of every competitor.

        Raises:
            WrongResultError: it is wrong.
        """

    def agree(self, parameters: P, result: Path, accepted: Path) -> None:
        """Compare a result that passed the check with the first one that did.

        Raises:
            WrongResultError: they differ.
        """

    def quality(self, parameters: P, inputs: Inputs, result: Path) -> Mapping[str, float]:
        """What else is to be known of a result, by name: how good it is, or how exact.

        Named as the `work_unit`, it is the work that the competitor says it really did.
        """
        return {}

    def trajectory(self, parameters: P, inputs: Inputs, result: Path) -> tuple[Point, ...]:
        """How good the result was in the course of the run, at rising shares of its time."""
        return ()

    def group(self, competitor: str) -> str:
        """What kind of answer a competitor gives; verdicts compare within a kind."""
        return ""

    def competitors(self) -> dict[str, str]:
        """Modules by name: the scenario's files `competitor_*.py`, the project's own first."""
        module = sys.modules[type(self).__module__]
        assert module.__file__ is not None
        package = module.__name__.rpartition(".")[0]
        stems = sorted(path.stem for path in Path(module.__file__).parent.glob("competitor_*.py"))
        found = {stem.removeprefix("competitor_").replace("_", "-"): f"{package}.{stem}" for stem in stems}
        return dict(sorted(found.items(), key=lambda item: (item[0] != "recocore", item[0])))


def load_scenarios() -> dict[str, Scenario[object]]:
    """Every scenario of the house by name."""
    folders = sorted(path.parent.name for path in HOUSE.glob("*/scenario.py") if path.parent.name != "harness")
    scenarios = [importlib.import_module(f"benchmarks.{folder}.scenario").SCENARIO for folder in folders]
    return {scenario.name: scenario for scenario in scenarios}
