from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

from benchmarks.harness.page import render
from benchmarks.harness.results import Results, Roof
from tests.benchmarks.made_up import results


def test_wins_and_losses_are_said_with_their_ratios() -> None:
    page = render(results())
    verdict = page.split('<ul class="verdicts">')[1].split("</ul>")[0]
    assert '<span class="loss">recocore is 2.00× slower</span> than hare, the fastest peer' in verdict  # noqa: RUF001
    bars = page.split("<figure>")[1].split("</figure>")[0]
    assert "12.2 s: recocore is 12.2× faster" in bars  # noqa: RUF001
    assert "500 ms: recocore is 2.00× slower" in bars  # noqa: RUF001
    assert "2.00 G steps: recocore does 2.00 G steps/s, 2.00 times the roof of 1.00 G/s (a step)" in page


def test_a_roof_of_the_case_stands_among_its_bars_and_in_its_table() -> None:
    small, *others = results().cases
    page = render(replace(results(), cases=(replace(small, roof=Roof("a hop", 4e9)), *others)))
    bars = page.split("<figure>")[1].split("</figure>")[0]
    assert "500 ms: a hop" in bars
    assert "2.00 G steps: recocore does 2.00 G steps/s, 0.50 times the roof of 4.00 G/s (a hop)" in page
    table = page.split("<table>")[1].split("</table>")[0]
    assert "<th>of the roof</th>" in table
    assert [row.split("</td><td>")[5] for row in table.split("<tbody>")[1].split("</tr>")[:3]] == [
        "1.00",
        "0.50",
        "0.04",
    ]
    assert "<th>of the roof</th>" not in render(results())


def test_what_is_missing_is_named() -> None:
    page = render(results())
    assert "owl has no figures: wrong result: 1 &lt; 2" in page
    assert "far: its data is absent" in page


def test_the_curve_states_its_slope() -> None:
    assert "recocore, slope 1.00" in render(results())


def test_time_is_drawn_against_quality_where_there_is_any() -> None:
    assert "ndcg (up is better)" in render(results())
    assert "(up is better)" not in render(replace(results(), drawn=None))


def test_the_page_needs_nothing_beside_it_and_knows_no_place() -> None:
    page = render(results())
    assert not re.search(r"<(script|link|img|iframe)\b|@import|url\((?!#)", page)
    assert "prefers-color-scheme: dark" in page
    assert "<figures>" not in page


def test_the_plots_are_sound_and_share_no_names() -> None:
    seen: set[str] = set()
    plots = re.findall(r"<svg.*?</svg>", render(results()), re.DOTALL)
    assert len(plots) == 3
    for plot in plots:
        tree = ET.fromstring(plot)
        names = {element.get("id", "") for element in tree.iter()} - {""}
        assert not names & seen
        seen |= names
        for used in re.findall(r'(?:url\(#|href="#)([^")]+)', plot):
            assert used in names
        assert not re.search(r"#0[0-9]0[0-9]0[0-9]", plot)


def test_the_same_results_give_the_same_page() -> None:
    assert render(results()) == render(Results.from_json(results().to_json()))


def test_a_run_without_figures_has_a_page_too() -> None:
    page = render(replace(results(), cases=(), roof=None))
    assert "Not measured" in page
