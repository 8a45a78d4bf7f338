"""A sweep of a notebook that needs no lab, and can be made to fail in every way that a point can."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

from tsnlab.folder import RunFolder

PARAMETERS = """\
number: int = 1  # what is measured
trouble: str = ""  # what goes wrong
run_folder: str = ""  # where to keep the run"""

MEASURE = """\
import os, pathlib, signal, time
import tsnlab
assert "left_behind" not in globals()
left_behind = 1
run = tsnlab.new_run("tiny", {"number": number}, folder=run_folder)
with open(run.path.parent / "begun.txt", "a") as file:
    print(number, file=file)
if trouble == "all" and number == 2:
    raise ValueError("two is too much")
marker = run.path.parent / "died"
if trouble == "all" and number == 3 and not marker.exists():
    marker.touch()
    os.kill(os.getpid(), signal.SIGKILL)
if trouble == "all" and number == 4:
    os.kill(os.getppid(), signal.SIGKILL)
if trouble == "slow":
    time.sleep(0.3)
summary = {"unit": "us", "count": 1, "min": number, "mean": number, "max": number, "spread": 0}
run.update(indicators={"scheduled_times_us": summary}, status="done", verdicts=[{"name": "n", "passed": True}])"""

COMMAND = """\
import sys
from tsnlab import cli, revision
revision.code_digest = lambda: "this"
sys.exit(cli.main())"""
"""The command line, whatever becomes of the code in the meantime."""


def write(folder: Path, count: int, trouble: str = "") -> Path:
    """Writes the notebook and a sweep file of so many points."""
    cells = [
        nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}, id="parameters"),
        nbformat.v4.new_code_cell(MEASURE, id="measure"),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "tiny.ipynb")
    content = {"notebook": str(folder / "tiny.ipynb"), "axes": {"number": list(range(1, count + 1))}}
    file = folder / "tiny-sweep.yaml"
    file.write_text(json.dumps({**content, "parameters": {"trouble": trouble}}))
    return file


def begun(results: Path) -> list[int]:
    """The points that were begun, once for each time."""
    return sorted(map(int, (results / "begun.txt").read_text().split()))


def runs(results: Path) -> list[dict[str, Any]]:
    """The run.json of all runs."""
    return [RunFolder(path.parent).read() for path in results.glob("*/run.json")]


def measured(results: Path) -> list[int]:
    """The points that were measured to their end, once for each time."""
    return sorted(run["parameters"]["number"] for run in runs(results) if run["status"] == "done" and "seconds" in run)


def wait_for(predicate: Callable[[], bool], seconds: float = 120) -> None:
    """Waits until it holds."""
    end = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
