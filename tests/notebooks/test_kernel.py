"""tsnlab in a real notebook kernel: live view, Ctrl-C, restart, completion."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.drawings import words
from tests.processes import below, left
from tsnlab.formats import parquet
from tsnlab.packets import info

OPEN = """\
import tsnlab
lab = tsnlab.open_lab("virtual", tsnlab.new_run("case2", {{}}, "results").path)
case = tsnlab.load_case("case2", lab, packets={packets})
tsnlab.links.up(lab)
tsnlab.links.vlan(lab, case)
tsnlab.qdisc.apply(lab, case)
tsnlab.switch.configure(lab, case)
None
"""
RECORD = "capture = tsnlab.capture.record(lab, case, live={live})"
PATIENCE_S = 120


class Notebook:
    """A kernel, and what its cells have put out."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.pid)  # type: ignore[union-attr]

    def run(self, code: str, on_message: Callable[[dict[str, Any]], None] | None = None) -> list[dict[str, Any]]:
        """Executes a cell; gives its outputs as an executed notebook keeps them."""
        kept: list[dict[str, Any]] = []

        def take(message: dict[str, Any]) -> None:
            if on_message is not None:
                on_message(message)
            kind, content = message["msg_type"], message["content"]
            if kind == "update_display_data":
                mine = content["transient"]["display_id"]
                kept[:] = [content if one.get("transient", {}).get("display_id") == mine else one for one in kept]
            elif kind in ("display_data", "execute_result", "stream", "error"):
                kept.append(content)

        self.client.execute_interactive(code, output_hook=take, timeout=PATIENCE_S, stop_on_error=False)
        return kept

    def text(self, code: str) -> str:
        """What a cell shows as plain text."""
        return "".join(one.get("text") or one.get("data", {}).get("text/plain", "") for one in self.run(code))

    def open(self, packets: int) -> None:
        assert self.run(OPEN.format(packets=packets)) == []


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    manager = KernelManager(kernel_name="python3", transport="ipc", connection_file=str(tmp_path / "kernel.json"))
    manager.start_kernel(cwd=str(tmp_path), env={**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")})
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=PATIENCE_S)
    yield Notebook(manager, client)
    client.stop_channels()
    manager.shutdown_kernel()
    manager.cleanup_resources()


def run_folder(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "results").iterdir()
    return folder


def test_a_bar_in_a_cell_moves_and_is_gone_in_the_end(notebook: Notebook) -> None:
    seen: list[dict[str, Any]] = []

    def watch(message: dict[str, Any]) -> None:
        if message["msg_type"] in ("display_data", "update_display_data"):
            seen.append(message["content"]["data"])

    notebook.run("from tsnlab.progress import progress; import time")
    (kept,) = notebook.run("for _ in progress(range(32), 'waiting', 'naps'): time.sleep(0.1)", watch)
    *shown, last = seen
    assert kept["data"] == last == {"text/plain": "", "text/html": ""}
    assert len(shown) >= 2
    values = [float(data["text/html"].partition(' value="')[2].partition('"')[0]) for data in shown]
    assert values == sorted(values)
    assert 0 < values[0] < 1
    assert "naps" in shown[0]["text/plain"]


@pytest.mark.lab
def test_a_live_view_changes_nothing_but_the_picture(notebook: Notebook) -> None:
    digest = "import hashlib; hashlib.sha256(capture.to_csv().encode()).hexdigest()"
    notebook.open(3000)
    plain = notebook.run(RECORD.format(live=False))
    digests = [notebook.text(digest)]
    assert [one for one in plain if any(one["data"].values())] == []  # a bar, if there was one, is gone
    notebook.run("lab.close()")
    notebook.open(3000)
    seen: list[str] = []
    began = time.monotonic()
    (last,) = notebook.run(RECORD.format(live=True), lambda message: seen.append(message["msg_type"]))
    elapsed = time.monotonic() - began
    digests.append(notebook.text(digest))
    assert digests[0] == digests[1]
    assert len(digests[0]) == 66  # with quotes
    assert seen.count("display_data") == 1
    assert 1 <= seen.count("update_display_data") <= elapsed / 0.5 + 2
    assert last["data"]["text/plain"].startswith("3000 of 3000 packets, 0 missing; scheduled times 1252.")
    assert {"packet 0", "3000"} <= set(words(last["data"]["text/html"]))
    assert "<progress" not in last["data"]["text/html"]
    assert last["metadata"] == {}


@pytest.mark.lab
def test_an_interrupted_cell_keeps_the_packets_and_leaves_the_lab_usable(notebook: Notebook, tmp_path: Path) -> None:
    notebook.open(1_000_000)
    pressed: list[str] = []

    def press_stop(message: dict[str, Any]) -> None:
        if message["msg_type"] == "update_display_data" and not pressed:
            pressed.append("stop")
            notebook.manager.interrupt_kernel()

    picture, error = notebook.run(RECORD.format(live=True), press_stop)
    assert error["ename"] == "MeasurementError"
    assert "cut short after" in error["evalue"]
    assert error["evalue"].endswith("interrupted")
    assert len(error["traceback"]) < 8
    kept = parquet.read(run_folder(tmp_path) / "packets.parquet")
    assert not info(kept).complete
    assert 0 < len(kept) < 1_000_000
    assert "of 1000000 packets" in picture["data"]["text/plain"]
    # the same lab goes on: another case, another measurement
    notebook.run("case = tsnlab.load_case('case2', lab, packets=200)")
    notebook.run(RECORD.format(live=False))
    assert (
        notebook.text("tsnlab.packets.info(capture).received, tsnlab.packets.info(capture).complete") == "(200, True)"
    )


@pytest.mark.lab
def test_restarting_the_kernel_ends_its_lab(notebook: Notebook) -> None:
    notebook.open(100)
    lab = below(notebook.pid)
    assert lab
    notebook.manager.restart_kernel()
    notebook.client.wait_for_ready(timeout=PATIENCE_S)
    assert left(lab) == []


def names(notebook: Notebook, code: str) -> set[str]:
    reply = notebook.client.complete(code, len(code), reply=True, timeout=PATIENCE_S)
    return {name.rpartition(".")[2] for name in reply["content"]["matches"] if "__" not in name}


def test_completion_offers_what_a_user_may_want_and_nothing_else(notebook: Notebook) -> None:
    assert notebook.run("import tsnlab") == []
    offered = names(notebook, "tsnlab.")
    assert {"capture", "live", "load_case", "open_lab", "preflight", "ptp", "qdisc", "verdict"} <= offered
    assert not {"importlib", "annotations", "TYPE_CHECKING"} & offered
    assert names(notebook, "tsnlab.open_") == {"open_lab"}
    for module, own in (("ptp", "launch"), ("capture", "record"), ("links", "vlan"), ("verdict", "check")):
        steps = names(notebook, f"tsnlab.{module}.")
        assert own in steps
        assert not {"annotations", "Any", "Mapping", "TYPE_CHECKING", "own"} & steps


def test_a_step_tells_its_arguments_and_what_it_does(notebook: Notebook) -> None:
    notebook.run("import tsnlab")
    for code in ("tsnlab.open_lab", "tsnlab.qdisc.apply", "tsnlab.capture.record", "tsnlab.ptp.launch"):
        reply = notebook.client.inspect(code, len(code), reply=True, timeout=PATIENCE_S)["content"]
        assert reply["found"]
        for part in ("Signature:", "Docstring:", "Raises:"):
            assert part in reply["data"]["text/plain"], code
