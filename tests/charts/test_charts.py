"""Pictures are well-formed, escaped, and show the numbers that they were given."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from recocore.charts import Edge, Line, Node, Section, bars, facts, histogram, lines, network, page, rows_table

HOSTILE = '<script>alert("x")</script>&'
SVG = "{http://www.w3.org/2000/svg}"


def tree(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


@pytest.mark.parametrize(
    "svg",
    [
        lines([Line(HOSTILE, [0, 1, 2], [0, math.nan, 1]), Line("b", [], [])], HOSTILE, HOSTILE),
        bars([HOSTILE, "b"], [3, 0], HOSTILE),
        histogram([0, 1, 2], [(HOSTILE, [5, 0]), ("b", [1, 100])], HOSTILE),
        network([Node(HOSTILE, HOSTILE), Node("d", "device")], [Edge(HOSTILE, "d")]),
        lines([], "x", "y"),
        bars([], [], "x"),
    ],
)
def test_pictures_are_xml_and_hold_no_script(svg: str) -> None:
    root = tree(svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"]
    assert not [element for element in root.iter() if "script" in element.tag]
    assert "nan" not in svg.lower().replace("nano", "")


def test_bars_are_as_long_as_their_values() -> None:
    widths = [float(rect.attrib["width"]) for rect in tree(bars(["a", "b", "c"], [4, 2, 1], "n")).iter(f"{SVG}rect")]
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.01)
    assert widths[1] / widths[2] == pytest.approx(2, rel=0.01)


def test_names_around_a_network_are_inside_of_the_picture() -> None:
    nodes = [Node(f"{place}", "account", "a-long-account-name") for place in range(12)]
    root = tree(network(nodes, []))
    for label in root.iter(f"{SVG}text"):
        if label.attrib["text-anchor"] == "end":
            # A letter of the system's fonts is about 0.6 of its size wide.
            assert float(label.attrib["x"]) - 0.6 * float(label.attrib["font-size"]) * len(label.text or "") >= 0


def test_the_page_knows_the_dark() -> None:
    made = page("A", "b", [Section("c", bars(["d"], [1], "e"))])
    assert "prefers-color-scheme:dark" in made
    assert 'fill="currentColor"' in made


def test_a_line_goes_through_its_points_and_breaks_at_nan() -> None:
    svg = lines([Line("a", [0, 1, 2, 3, 4], [0, 1, math.nan, 1, 0])], "x", "y")
    (path,) = tree(svg).iter(f"{SVG}path")
    steps = re.findall(r"([ML])([\d.]+) ([\d.]+)", path.attrib["d"])
    assert [step[0] for step in steps] == ["M", "L", "M", "L"]
    assert steps[0][2] == steps[3][2]
    assert steps[1][2] == steps[2][2]


def test_the_page_is_one_file_without_scripts() -> None:
    made = page(HOSTILE, HOSTILE, [Section(HOSTILE, facts({HOSTILE: HOSTILE}), HOSTILE, wide=True)])
    tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)

    Reader().feed(made)
    assert "script" not in tags
    assert "link" not in tags
    assert rows_table(["n", "v"], [["a", 1.23456], ["b", None]]).count("<td") == 4
    assert "1.235" in rows_table(["v"], [[1.23456]])
