"""The page for people in a real browser without a window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.browser import browser, colours, complaints, contrast, luminance, show_as
from tests.service.watched import WatchedProcess

from recocore import Index, Interactions
from recocore.client import Client
from recocore.models import ItemKNN

if TYPE_CHECKING:
    from collections.abc import Iterator

NASTY = "<img src=x onerror=document.title='broken'>"


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedProcess]:
    """A server whose items have names that are markup."""
    path = tmp_path_factory.mktemp("nasty") / "index"
    users = ["ann", "ann", "bob", "bob", "eve"]
    log = Interactions.from_coo(users, ["tea", NASTY, "tea", "pot", NASTY])
    Index.build(ItemKNN(k=10).fit(log), log).save(path)
    with WatchedProcess.watch(path, workers=2) as server:
        yield server


def wait(driver: Any, condition: Any) -> Any:
    from selenium.webdriver.support.wait import WebDriverWait  # noqa: PLC0415  (a test extra)

    return WebDriverWait(driver, 20, poll_frequency=0.05).until(condition)


def text(driver: Any, id_: str) -> str:
    return str(driver.find_element("id", id_).text)


@pytest.fixture
def page(driver: Any, nasty: WatchedProcess) -> Any:
    driver.get(nasty.url)
    wait(driver, lambda seen: text(seen, "state") != "connecting")
    return driver


def test_it_shows_the_service(page: Any, nasty: WatchedProcess) -> None:
    with Client(nasty.address, timeout=20) as client:
        client.recommend("ann")
    wait(page, lambda seen: "Recommend" in text(seen, "methods"))
    report = nasty.report()
    assert text(page, "state") == "serving"
    assert nasty.address in text(page, "about")
    assert report["models"][0]["version"] in text(page, "models")
    assert all(str(worker["pid"]) in text(page, "workers") for worker in report["workers"])
    wait(page, lambda seen: len(seen.find_elements("css selector", "#tiles svg polyline")) >= 1)
    assert complaints(page) == []


def test_try_it_gives_items_with_reasons(page: Any, nasty: WatchedProcess) -> None:
    page.find_element("id", "user").send_keys("bob\n")
    wait(page, lambda seen: NASTY in text(seen, "items"))
    rows = page.find_elements("css selector", "#items td.id")
    with Client(nasty.address, timeout=20) as client:
        told = client.recommend("bob", explain=True)
    assert [row.text for row in rows] == [item.item_id for item in told.items]
    assert "tea (" in page.find_element("css selector", "#items td.reasons").text
    assert "A known user" in text(page, "said")


def test_ids_are_text_and_never_markup(page: Any) -> None:
    page.find_element("id", "user").send_keys("<b>nobody</b>\n")
    wait(page, lambda seen: NASTY in text(seen, "items"))
    assert "does not know this user" in text(page, "said")
    assert page.find_elements("css selector", "#items img, #said b") == []
    assert page.title == "recocore"


def test_refusals_are_said(page: Any) -> None:
    page.execute_script("document.getElementById('user').maxLength = 2000")
    page.execute_script("document.getElementById('user').value = arguments[0]", "x" * 600)
    page.find_element("id", "go").click()
    wait(page, lambda seen: "INVALID_ARGUMENT" in text(seen, "said"))
    assert "256 bytes" in text(page, "said")


def test_the_policy_holds_off_foreign_script(page: Any) -> None:
    """Even where markup got in, it could neither run nor ask elsewhere."""
    page.execute_script(
        "const bad = document.createElement('script'); bad.textContent = \"document.title = 'broken'\";"
        "document.body.append(bad);"
        "document.body.insertAdjacentHTML('beforeend', arguments[0]);",
        NASTY,
    )
    found = page.execute_async_script(
        "const done = arguments[0]; fetch('http://192.0.2.1/').then(() => done('went'), () => done('held'));"
    )
    assert (found, page.title) == ("held", "recocore")
    assert all("Content Security Policy" in line for line in complaints(page))


@pytest.mark.parametrize("tiles", [6, 7])
@pytest.mark.parametrize("width", [360, 700, 900, 1280])
def test_rows_of_tiles_are_full(page: Any, width: int, tiles: int) -> None:
    """Six tiles, or seven with a state: no row ends before the others do, and no tile is alone but where two are a row."""
    show_as(page, width, "light")
    rows = page.execute_script(
        """
        const tiles = document.getElementById("tiles").cloneNode(false);
        tiles.id = "copy";
        for (let n = 0; n < arguments[0]; n++) tiles.append(tile("Label", "1,234", "calls", "foot"));
        document.querySelector("main").append(tiles);
        const rows = {};
        for (const one of tiles.children) {
          const box = one.getBoundingClientRect();
          (rows[Math.round(box.top)] ||= []).push(Math.round(box.right));
        }
        tiles.remove();
        return Object.values(rows);
        """,
        tiles,
    )
    assert sum(map(len, rows)) == tiles
    assert len({max(row) for row in rows}) == 1
    assert min(map(len, rows[:-1]), default=len(rows[-1])) >= 2
    assert len(rows[-1]) > 1 or max(map(len, rows)) == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_and_can_be_read(page: Any, width: int, scheme: str) -> None:
    """No scrolling sideways, and contrast as WCAG 2 wants it for text (AA, 4.5)."""
    show_as(page, width, scheme)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    shown = colours(page, "card", "ground", "ink", "soft", "good", "warn", "bad", "accent")
    for name in ("ink", "soft", "good", "warn", "bad", "accent"):
        assert contrast(shown[name], shown["card"]) >= 4.5, name
    assert contrast(shown["soft"], shown["ground"]) >= 4.5
    assert (luminance(shown["ground"]) < 0.2) == (scheme == "dark")
