"""The report: what it says, that it is safe and loads nothing, and how it looks in a browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from tests.browser import browser, colours, complaints, contrast, luminance, show_as
from tests.profiles.made_up import made_up

from recocore.data import synthetic_shop
from recocore.profiles.features import Features
from recocore.profiles.report import render
from recocore.profiles.segments import Segmentation, retention
from recocore.profiles.tags import TagSet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NASTY = "<img src=x onerror=document.title='broken'>"


@pytest.fixture(scope="module")
def page() -> str:
    profiles = made_up(names=("tea", NASTY))
    features = Features(profiles)
    tags = TagSet.parse(
        {"tags": [{"name": "rich", "when": "level >= 80", "about": NASTY}, {"name": "often", "when": "n_orders > 9"}]},
        features.kinds,
    )
    kept = retention(synthetic_shop(n_users=200, n_items=50, n_events=4_000).events, period="week")
    return render(
        profiles,
        title=f"Shop {NASTY}",
        retention=kept,
        segments=Segmentation.fit(features, k=3),
        tags=tags,
        before=made_up(300, seed=5),
    )


class Outline(HTMLParser):
    """Tags that are open, headings, and everything that a page could load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def outline(page: str) -> Outline:
    read = Outline()
    read.feed(page)
    read.close()
    return read


def test_it_has_every_section_and_closes_every_tag(page: str) -> None:
    read = outline(page)
    assert read.open == []
    assert read.headings == [
        "Life cycle", "RFM", "Distributions", "Segments", "Retention", "Customer lifetime", "Hours of the week",
        "Interests", "Tags", "Drift",
    ]  # fmt: skip


def test_it_loads_nothing_and_lets_no_markup_in(page: str) -> None:
    read = outline(page)
    assert read.loads == ["data:,"]
    assert not read.tags & {"script", "img", "iframe", "object", "form"}
    assert "url(" not in page
    assert "@import" not in page
    assert NASTY not in page
    assert page.count("&lt;img src=x onerror=") >= 3


def test_its_figures_are_those_of_the_profiles(page: str) -> None:
    profiles = made_up(names=("tea", NASTY))
    orders = Features(profiles).numbers("n_orders")
    values = dict(re.findall(r'<div class="label">(.*?)</div><div class="value">(.*?)</div>', page))
    assert values["Users"] == "400"
    assert values["Buyers"] == str(int((orders > 0).sum()))
    assert values["Repeat buyers"] == str(int((orders > 1).sum()))
    grid = page.split('class="heat grid"')[1].split("</table>", maxsplit=1)[0]
    assert sum(map(int, re.findall(r'">(\d+)<small>', grid))) == int((orders > 0).sum())
    cards = re.findall(r"<h3>Segment (\d)</h3><div>(\d+) users", page)
    assert [number for number, _ in cards] == ["1", "2", "3"]
    assert sum(int(size) for _, size in cards) == 400


def test_a_population_without_purchases_has_a_shorter_page() -> None:
    profiles = made_up(40)
    table = profiles.table
    for name in ("rfm_r", "rfm_f", "rfm_m", "rfm_recency", "rfm_monetary", "btyd_frequency", "btyd_mean_spend"):
        place = table.column_names.index(name)
        table = table.set_column(place, table.schema.field(name), pa.nulls(40, table.schema.field(name).type))
    bare = type(profiles)(table, profiles.as_of, profiles.config, profiles.cuts, None, 2)
    headings = outline(render(bare)).headings
    assert "RFM" not in headings
    assert "Customer lifetime" not in headings
    assert "Life cycle" in headings
    nobody = type(profiles)(table.slice(0, 0), profiles.as_of, profiles.config, profiles.cuts, None, 2)
    assert outline(render(nobody)).open == []


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def opened(driver: Any, page: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page, encoding="utf-8")
    driver.get(path.as_uri())
    return driver


def test_the_browser_has_nothing_to_complain_of(opened: Any) -> None:
    assert opened.title == f"Shop {NASTY}"
    assert complaints(opened) == []
    assert opened.execute_script("return performance.getEntriesByType('resource').length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_and_can_be_read(opened: Any, width: int, scheme: str) -> None:
    """No scrolling sideways, and text as WCAG 2 wants it (AA, 4.5), on the strongest cell too."""
    show_as(opened, width, scheme)
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width
    shown = colours(opened, "card", "ground", "ink", "soft", "good", "bad", "accent")
    for name in ("ink", "soft"):
        assert contrast(shown[name], shown["card"]) >= 4.5, name
        assert contrast(shown[name], shown["ground"]) >= 4.5, name
    for name in ("good", "bad"):
        assert contrast(shown[name], shown["ground"]) >= 4.5, name
    assert contrast(shown["ink"], mixed(shown["accent"], shown["card"], 0.5)) >= 4.5
    assert (luminance(shown["ground"]) < 0.2) == (scheme == "dark")
    heights = opened.execute_script("return [...document.querySelectorAll('svg')].map((svg) => svg.clientHeight)")
    assert len(heights) >= 8
    assert min(heights) > 50


def mixed(over: str, under: str, part: float) -> str:
    sides = [[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in (over, under)]
    return "#" + "".join(f"{round(part * one + (1 - part) * other):02x}" for one, other in zip(*sides, strict=True))
