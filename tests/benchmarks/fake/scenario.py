"""A scenario whose answer is the sum of some numbers, and whose competitors fail in every way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from benchmarks.harness.scenario import Case, Inputs, Scenario, UnavailableError, WrongResultError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Parameters:
    count: int

    def __str__(self) -> str:
        return f"the sum of {self.count} numbers"


class FakeScenario(Scenario[Parameters]):
    name: ClassVar[str] = "fake"
    title: ClassVar[str] = "Sums"
    about: ClassVar[str] = "Numbers are added."
    work_unit: ClassVar[str] = "additions"
    drawn: ClassVar[str | None] = "charm"
    roof: ClassVar[tuple[str, str] | None] = ("tests.benchmarks.fake.roof", "an addition")
    cases = (
        Case("good", Parameters(10), when="quick", competitors=("recocore", "slow")),
        Case("bad", Parameters(20), competitors=("recocore", "aborting", "late", "missing", "raising", "wrong")),
        Case("without_ours", Parameters(5), competitors=("slow", "wrong")),
        Case("absent", Parameters(0)),
        Case("big", Parameters(1000), when="large", competitors=("recocore",), curve="numbers"),
    )

    def prepare(self, parameters: Parameters, folder: Path, data: Path) -> Inputs:
        if parameters.count == 0:
            raise UnavailableError("there are no numbers")
        numbers = np.arange(parameters.count, dtype=np.int64)
        np.save(folder / "numbers.npy", numbers)
        (folder / "expected").write_text(str(numbers.sum()))
        return Inputs(
            {"numbers": folder / "numbers.npy"}, parameters.count, {"numbers": parameters.count}, folder / "expected"
        )

    def check(self, parameters: Parameters, inputs: Inputs, result: Path) -> None:
        assert inputs.expected is not None
        expected, found = inputs.expected.read_text(), result.read_text()
        if found != expected:
            raise WrongResultError(f"the sum should be {expected}, is {found}")

    def quality(self, parameters: Parameters, inputs: Inputs, result: Path) -> dict[str, float]:
        return {"charm": 0.5}


class RoofedScenario(FakeScenario):
    roof_in_cases: ClassVar[bool] = True


SCENARIO = FakeScenario()
ROOFED = RoofedScenario()
