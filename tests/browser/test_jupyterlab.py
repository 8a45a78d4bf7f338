"""The notebooks in a real JupyterLab, as a user sees them: run all cells, stop a measurement, run it again."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

from tests.processes import below, left
from tsnlab.case import load_case
from tsnlab.deadline import Deadline
from tsnlab.lab import load_lab_file
from tsnlab.paths import NOTEBOOKS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.lab

PATIENCE_MS = 120_000
SETTINGS = {
    # every cell is in the page, also those that are out of sight
    "notebook-extension/tracker": '{"windowingMode": "none"}',
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
}


@dataclass
class Server:
    """A JupyterLab that serves a folder."""

    folder: Path
    address: str
    process: subprocess.Popen[bytes]

    def url(self, path: str) -> str:
        page, _, token = self.address.partition("?")
        return f"{page}{path}?{token}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`make lab` with a folder, settings and an address of its own; nothing of it is left in the end."""
    place = tmp_path_factory.mktemp("jupyter")
    folder = place / "notebooks"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns(".*"))
    for name, text in SETTINGS.items():
        file = place / f"config/lab/user-settings/@jupyterlab/{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    own = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "i",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--ServerApp.port_retries=0"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    command += ["--allow-root"] if os.geteuid() == 0 else []
    environment = {**os.environ, **{name: str(place / part) for name, part in own.items()}}
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    served = Server(folder, f"http://127.0.0.1:{port}/?token={token}", process)
    try:
        until_it_answers(served, place / "log")
        yield served
    finally:
        children = below(process.pid)
        process.terminate()
        process.wait(60)
    assert left(children) == []


def until_it_answers(served: Server, log: Path) -> None:
    deadline = Deadline(60)
    while True:
        try:
            with urllib.request.urlopen(served.url("api")):
                return
        except urllib.error.URLError:
            assert served.process.poll() is None, log.read_text()
            deadline.check("JupyterLab")
            time.sleep(0.1)


class Notebook:
    """A notebook that is open in the browser."""

    def __init__(self, page: Page, server: Server, name: str) -> None:
        self.page = page
        # a workspace of its own: no other notebook is open in it
        page.goto(server.url(f"lab/workspaces/{name}/tree/{name}.ipynb"))
        self.idle()

    def idle(self) -> None:
        """Waits until nothing runs any more: what is asked for earlier may be dropped with the cells after an error."""
        self.page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=PATIENCE_MS)

    def menu(self, *path: str) -> None:
        """Chooses from the menu bar."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text=path[0]).click()
        self.page.locator(".lm-Menu-itemLabel").get_by_text(path[1], exact=True).click()

    def cell(self, code: str) -> Locator:
        """The first code cell that has this in it."""
        return self.page.locator(".jp-CodeCell", has=self.page.locator(".cm-content", has_text=code)).first

    def look(self, place: Locator, text: str) -> Locator:
        """Waits until an output has this text, and scrolls there."""
        found = place.locator(".jp-OutputArea-output", has_text=text).first
        found.wait_for(timeout=PATIENCE_MS)
        found.scroll_into_view_if_needed()
        return found

    def retype(self, cell: Locator, code: str) -> None:
        """Replaces the code of a cell and runs it."""
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(code)
        self.page.keyboard.press("Shift+Enter")

    def errors(self) -> list[str]:
        return self.page.locator(
            ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']"
        ).all_inner_texts()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_page(viewport={"width": 1400, "height": 1000}) as page:
        yield page


def test_all_cells_of_case2_run_and_show_the_figure_and_the_verdict(
    page: Page, server: Server, picture: Callable[..., Path]
) -> None:
    notebook = Notebook(page, server, "case2")
    notebook.menu("Run", "Run All Cells")
    verdict = notebook.look(notebook.cell("tsnlab.verdict.check"), "limits hold")
    picture(page, "verdict")
    assert "All 7 limits hold" in verdict.inner_text()
    assert notebook.errors() == []
    lab = notebook.look(notebook.cell("open_lab"), "virtual lab")
    assert "from node1:eth1 through switch to node2:enp5s0" in seen(lab.locator("img.tsnlab"))
    picture(page, "lab")
    figure = notebook.cell("plot.report").locator(".jp-OutputArea-output img, .jp-OutputArea-output svg").first
    figure.scroll_into_view_if_needed()
    picture(page, "figure")
    box = figure.bounding_box()
    assert box is not None
    assert box["width"] > 400
    assert box["height"] > 200
    live = notebook.look(notebook.cell("capture.record"), "5000 of 5000 packets")
    assert live.locator("progress").count() == 0
    picture(page, "measured")
    assert notebook.page.locator(".jp-OutputArea-output", has_text="Traceback").count() == 0


def seen(image: Locator) -> str:
    """What an image says of itself, if the browser could draw it."""
    assert image.evaluate("image => image.complete && image.naturalWidth > 0")
    return image.get_attribute("alt") or ""


def test_a_notebook_that_somebody_else_has_executed_shows_its_drawings(
    page: Page, server: Server, picture: Callable[..., Path]
) -> None:
    case = load_case("case3")
    values = (load_lab_file("virtual"), case)
    outputs = [nbformat.v4.new_output("display_data", {"text/html": value._repr_html_()}) for value in values]
    cell = nbformat.v4.new_code_cell("lab, case", outputs=outputs, execution_count=1)
    foreign = nbformat.v4.new_notebook(cells=[cell], metadata=nbformat.read(NOTEBOOKS / "case3.ipynb", 4).metadata)
    nbformat.write(foreign, server.folder / "foreign.ipynb")
    notebook = Notebook(page, server, "foreign")
    notebook.look(notebook.cell("lab, case"), case.title)
    picture(page, "foreign")
    said = [seen(image) for image in page.locator(".jp-OutputArea-output img").all()]
    assert said[0].startswith("Lab virtual: the stream goes from node1:eth1")
    assert said[1] == "gates of 4 traffic classes over 1 ms"


def test_a_measurement_is_stopped_and_run_again(page: Page, server: Server, picture: Callable[..., Path]) -> None:
    endless = (
        (server.folder / "case2.ipynb")
        .read_text(encoding="utf-8")
        .replace("packets: int = 5000", "packets: int = 900000")
    )
    (server.folder / "endless.ipynb").write_text(endless, encoding="utf-8")
    notebook = Notebook(page, server, "endless")
    notebook.menu("Run", "Run All Cells")
    measure = notebook.cell("capture.record")
    notebook.look(measure, "of 900000 packets")
    assert measure.locator("progress").count() == 1
    picture(page, "running")
    page.get_by_title("Interrupt the kernel").first.click()
    error = notebook.look(measure, "the measurement was cut short after")
    picture(page, "stopped")
    assert "interrupted" in error.inner_text()
    assert "Traceback" not in error.inner_text()
    notebook.idle()
    notebook.retype(measure, "tsnlab.capture.record(lab, case.with_parameters(packets=400), sync, live=True)")
    notebook.look(measure, "400 sent, 400 received, 0 lost")
    picture(page, "again")
    notebook.idle()
