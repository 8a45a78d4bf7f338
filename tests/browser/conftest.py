"""A real browser: Debian's Chromium without a window, driven by Playwright.

Every page that is looked at leaves a picture in `test-results/`, which is not in git.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PICTURES = Path(__file__).parents[2] / "test-results"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser, for the tests of one file: Playwright holds an event loop as long as it is there."""
    driver = pytest.importorskip("playwright.sync_api", reason="no Playwright here: make setup")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no browser here: apt-get install --no-install-recommends chromium")
    with driver.sync_playwright() as playwright, playwright.chromium.launch(executable_path=program) as browser:
        yield browser


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[..., Path]:
    """Keeps what a page shows: `picture(page, "narrow")`, or all of a page with `whole=True`; gives the file."""

    def take(page: Page, what: str, *, whole: bool = False) -> Path:
        PICTURES.mkdir(exist_ok=True)
        path = PICTURES / f"{request.path.stem}-{what}.png"
        page.screenshot(path=path, full_page=whole)
        return path

    return take
