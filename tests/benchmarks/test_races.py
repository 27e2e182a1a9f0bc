from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.harness.page import render
from benchmarks.harness.races import finish
from benchmarks.harness.results import CaseResult, Results, Timed, is_ours
from benchmarks.harness.scenario import Memory, Point, Race
from benchmarks.harness.words import needs
from tests.benchmarks.made_up import results, timed

FALLING = Race(rising=False, tolerance=0.01, near=0.05)
RISING = Race(rising=True, tolerance=0.01, near=0.05)


def runner(name: str, seconds: float, losses: list[float]) -> Timed:
    points = tuple(Point((at + 1) / len(losses), {"loss": loss, "gain": 100 - loss}) for at, loss in enumerate(losses))
    return replace(timed(name, (seconds,) * 3), trajectory=points)


def case(*runners: Timed) -> CaseResult:
    return CaseResult("race", "made up", {}, 1.0, {}, None, runners, (), parts=4)


RUN = case(
    runner("recocore", 4.0, [20, 12, 10.2, 10.0]),
    runner("recocore-cg", 2.0, [30, 25, 22, 20]),
    runner("tortoise", 40.0, [15, 10.1, 9.9, 9.8]),
    runner("hare", 8.0, [14, 10.4, 10.05, 10.0]),
    runner("frog", 1.0, [50, 50, 50, 50]),
)


def test_the_fastest_peer_near_the_best_one_sets_the_pace() -> None:
    raced = finish(RUN, "loss", FALLING)
    assert raced is not None
    # The frog is there at once, but where it is nobody wants to be.
    assert raced.pacemaker == "hare"
    assert raced.target == pytest.approx(10.1)
    assert raced.seconds == {"recocore": 4.0, "recocore-cg": None, "tortoise": 20.0, "hare": 6.0, "frog": None}
    assert (raced.ours, raced.peer) == (("recocore", 4.0), ("hare", 6.0))
    assert raced.last["frog"] == 50


def test_where_more_is_better_the_same_run_goes_up() -> None:
    raced = finish(RUN, "gain", RISING)
    assert raced is not None
    assert raced.pacemaker == "hare"
    assert raced.target == pytest.approx(90 * 0.99)
    assert raced.seconds["recocore"] == 3.0


def test_without_a_peer_there_is_no_race() -> None:
    assert finish(case(RUN.timed[0]), "loss", FALLING) is None
    assert finish(RUN, "beauty", RISING) is None
    assert is_ours("recocore-cg")
    assert not is_ours("recocorex")


def test_the_page_says_who_won_and_who_never_came() -> None:
    race = replace(results(), part="lap", races={"loss": FALLING}, cases=(RUN,))
    page = render(race)
    verdict = page.split('<ul class="verdicts">')[1].split("</ul>")[0]
    assert '<span class="win">recocore is 1.50× faster</span> to loss 10.1 than hare' in verdict  # noqa: RUF001
    assert "loss above the lowest (down is better)" in page
    assert page.count("<td>never</td>") == 2
    assert "<th>a lap</th>" in page
    slow = replace(race, cases=(replace(RUN, timed=RUN.timed[1:]),))
    assert '<span class="loss">recocore does not come</span> to loss 10.1, as hare does' in render(slow)
    assert Results.from_json(race.to_json()) == race


def test_verdicts_compare_answers_of_one_kind() -> None:
    kinds = tuple(
        replace(entry, group="quick" if entry.name in {"frog", "recocore-cg"} else "sure") for entry in RUN.timed
    )
    page = render(replace(results(), cases=(replace(RUN, timed=kinds),)))
    verdict = page.split('<ul class="verdicts">')[1].split("</ul>")[0]
    assert "slower</span> than frog, the fastest quick peer" in verdict
    assert "faster</span> than hare, the fastest sure peer" in verdict


def test_memory_is_held_against_the_need() -> None:
    assert needs(0, Memory(held=50, needed=100)).startswith("0.50")
    page = render(replace(results(), cases=(replace(RUN, memory=Memory(held=0, needed=2**20)),)))
    assert "<th>of need</th>" in page
    assert "<td>3.00× </td>".replace(" ", "") in page  # noqa: RUF001
