"""Reports in a real browser without a network: wide, narrow and on paper nothing is missing and nothing overflows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tsnlab.report.comparison import compare
from tsnlab.sweep import read_table

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.lab

SWEEP = {"notebook": "case3", "parameters": {"packets": 60}, "axes": {"switch_qbv": [True, False]}}
WIDTHS = {"wide": 1600, "narrow": 360}
PAPER_PX = 680
"""A4 between its margins of 15 mm, at 96 dots per inch."""

OUTSIDE = """scrolls => [...document.querySelectorAll("body *")].filter(e => {
    const box = e.getBoundingClientRect();
    return box.width && (box.right > innerWidth + 1 || box.left < -1) && e.checkVisibility()
        && !(scrolls && e.parentElement.closest(scrolls));
}).map(e => `${e.tagName}.${e.getAttribute("class")}: ${e.textContent.slice(0, 60)}`)"""
SCROLLS = ".wide, .output, .source, .said, .problem pre"
"""What may be wider than a narrow screen, in a frame of its own; on paper nothing may."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every kind of page, of a sweep of two runs; in one of them limits do not hold."""
    folder = tmp_path_factory.mktemp("reports")
    (folder / "qbv.yaml").write_text(json.dumps(SWEEP))
    command = [sys.executable, "-m", "tsnlab", "sweep", "qbv.yaml"]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert answer.returncode == 0, answer.stderr
    results = folder / "results"
    runs = {bool(row["switch_qbv"]): results / row["run"] for _, row in read_table(results / "sweep-qbv").iterrows()}
    return {
        "holds": runs[True] / "report.html",
        "fails": runs[False] / "report.html",
        "sweep": results / "sweep-qbv/report.html",
        "index": results / "index.html",
        "comparison": compare(list(runs.values()), results / "comparison.html"),
    }


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser that is not on any network; it must not ask for anything there either."""
    with browser.new_context(offline=True) as context:
        page = context.new_page()
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
        assert [url[:100] for url in asked if not url.startswith(("file:", "data:"))] == []
        assert said == []


def pictures_missing(page: Page) -> list[str]:
    """The figures that show nothing."""
    for picture in page.locator("img").all():
        picture.scroll_into_view_if_needed()
    page.wait_for_function("() => [...document.images].every(i => i.complete)")
    return list(page.evaluate("() => [...document.images].filter(i => !i.naturalWidth).map(i => i.alt)"))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", ["holds", "fails", "sweep", "index", "comparison"])
def test_nothing_is_missing_and_nothing_overflows(
    page: Page, pages: dict[str, Path], picture: Callable[..., Path], kind: str, width: str
) -> None:
    page.set_viewport_size({"width": WIDTHS[width], "height": 900})
    page.goto(pages[kind].as_uri())
    assert pictures_missing(page) == []
    page.evaluate("() => scrollTo(0, 0)")
    picture(page, f"{kind}-{width}")
    picture(page, f"{kind}-{width}-whole", whole=True)
    for details in page.locator("details").all():
        details.evaluate("e => { e.open = true }")
    sizes = page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert sizes[0] <= sizes[1], page.evaluate(OUTSIDE, SCROLLS)
    assert page.evaluate(OUTSIDE, SCROLLS) == []


@pytest.mark.parametrize("kind", ["holds", "fails", "sweep", "index", "comparison"])
def test_on_paper_everything_is_there_and_inside(
    page: Page, pages: dict[str, Path], picture: Callable[..., Path], kind: str
) -> None:
    page.set_viewport_size({"width": PAPER_PX, "height": 960})
    page.goto(pages[kind].as_uri())
    assert pictures_missing(page) == []
    page.emulate_media(media="print")
    assert page.evaluate(OUTSIDE, "") == []
    if kind in ("holds", "fails"):
        # there is nothing to unfold on paper
        assert all(place.bounding_box() for place in page.locator("table.commands").all())
    printed = page.pdf(path=picture(page, f"{kind}-paper").with_suffix(".pdf"), prefer_css_page_size=True, format="A4")
    count = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert 1 <= count < 40


def test_the_first_screen_says_whether_it_holds(page: Page, pages: dict[str, Path]) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    for kind, verdict in (("holds", "limits hold"), ("fails", "do not hold")):
        page.goto(pages[kind].as_uri())
        for text in (verdict, "virtual lab", "simulated time", "Scheduled times", "guide:"):
            box = page.locator("header.top").get_by_text(text).first.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= 900, text


def test_the_catalogue_is_searched_and_sorted(page: Page, pages: dict[str, Path]) -> None:
    page.goto(pages["index"].as_uri())
    rows = page.locator("table.runs tbody tr")
    field = page.get_by_role("searchbox")
    field.fill("switch_qbv = False")
    assert [row for row in rows.all_inner_texts() if "do not hold" in row] == rows.locator(
        "visible=true"
    ).all_inner_texts()
    assert page.locator("output").inner_text() == "1 of 2"
    field.fill("no such thing")
    assert page.locator("output").inner_text() == "0 of 2"
    field.fill("")
    page.locator("select").select_option("switch_qbv")
    assert ["switch_qbv = False" in row for row in rows.all_inner_texts()] == [True, False]
    orders = []
    for _ in range(2):
        page.get_by_role("button", name="outcome").click()
        orders.append(rows.locator("td:nth-child(3)").all_inner_texts())
    assert orders[0] == sorted(orders[0])
    assert orders[1] == orders[0][::-1]
