"""Results with a win, a loss, a curve, a dropped competitor and a skipped case."""

from __future__ import annotations

from benchmarks.harness.machine import Machine
from benchmarks.harness.results import CaseResult, Dropped, Results, Roof, Skipped, Timed
from benchmarks.harness.statistics import ratio_of_medians, summarize

OURS = (1.0, 1.1, 1.0)


def timed(name: str, seconds: tuple[float, ...], quality: float | None = None) -> Timed:
    return Timed(
        name,
        {name: "1.2.3"},
        summarize(seconds),
        3 * 2**20,
        None if name == "recocore" else ratio_of_medians(seconds, OURS),
        {} if quality is None else {"ndcg": quality},
    )


def point(size: int) -> CaseResult:
    ours = timed("recocore", (size / 1e6, size / 1e6))
    return CaseResult(f"scaled_{size}", "grown", {}, 270.0 * size, {"non-zeros": size}, "non-zeros", (ours,), ())


def results() -> Results:
    compared = (
        timed("recocore", OURS, 0.30),
        timed("snail", (12.0, 12.5, 12.2), 0.28),
        timed("hare", (0.5, 0.5, 0.6), 0.25),
    )
    owl = Dropped("owl", "wrong result: 1 < 2")
    return Results(
        scenario="made_up",
        title="Made-up <figures>",
        about="Nothing was measured.",
        work_unit="steps",
        drawn="ndcg",
        taken="2026-01-02",
        machine=Machine("A & B", 2, 8 * 2**30, "avx2", "Linux", "3.11", "0.1.0", "2.0", "0123456789abcdef", True),
        threads=2,
        repeats=3,
        roof=Roof("a step", 1e9),
        cases=(
            CaseResult(
                "small",
                "the small one",
                {"k": 3},
                2e9,
                {"rows": 7},
                None,
                compared,
                (owl,),
            ),
            *(point(size) for size in (1_000_000, 3_000_000, 10_000_000)),
        ),
        skipped=(Skipped("far", "its data is absent"),),
    )
