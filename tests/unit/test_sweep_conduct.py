"""A sweep that is carried out: in parallel, resumed where it was, whatever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

from tsnlab import cli
from tsnlab.folder import RunFolder
from tsnlab.sweep import Plan, conduct, load_plan, read_table

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
if trouble == "error" and number == 2:
    raise ValueError("two is too much")
marker = run.path.parent / "died"
if trouble == "kernel" and number == 2 and not marker.exists():
    marker.touch()
    os.kill(os.getpid(), signal.SIGKILL)
if trouble == "worker" and number == 2:
    os.kill(os.getppid(), signal.SIGKILL)
if trouble == "slow":
    time.sleep(0.4)
summary = {"unit": "us", "count": 1, "min": number, "mean": number, "max": number, "spread": 0}
run.update(indicators={"scheduled_times_us": summary}, status="done", verdicts=[{"name": "n", "passed": True}])"""


# the command line, whatever becomes of the code in the meantime
COMMAND = """\
import sys
from tsnlab import cli, revision
revision.code_digest = lambda: "this"
sys.exit(cli.main())"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a sweep of a notebook that needs no lab."""
    cells = [
        nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(MEASURE),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "tiny.ipynb")

    def write(count: int, trouble: str = "") -> Path:
        content = {"notebook": str(tmp_path / "tiny.ipynb"), "axes": {"number": list(range(1, count + 1))}}
        (tmp_path / "tiny-sweep.yaml").write_text(json.dumps({**content, "parameters": {"trouble": trouble}}))
        return tmp_path / "tiny-sweep.yaml"

    return write


@pytest.fixture
def plan(file: Callable[..., Path]) -> Callable[..., Plan]:
    return lambda *arguments: load_plan(file(*arguments))


def begun(results: Path) -> list[int]:
    return sorted(map(int, (results / "begun.txt").read_text().split()))


def runs(results: Path) -> list[dict[str, Any]]:
    return [RunFolder(path.parent).read() for path in results.glob("*/run.json")]


def test_every_point_is_a_run_and_a_row_of_the_table(plan: Callable[..., Plan], results: Path) -> None:
    sweep = conduct(plan(5), results, jobs=2, show=False)
    assert sweep.left == []
    assert begun(results) == [1, 2, 3, 4, 5]
    table = read_table(sweep.folder)
    assert list(table["number"]) == list(table["scheduled_times_max_us"]) == [1, 2, 3, 4, 5]
    assert table["holds"].all()
    assert table.attrs["axes"] == {"number": [1, 2, 3, 4, 5]}
    assert len(pd.read_csv(sweep.folder / "sweep.csv")) == 5
    for name in table["run"]:
        assert {"notebook.ipynb", "report.html"} <= {item.name for item in (results / name).iterdir()}


def test_what_has_been_measured_is_not_measured_again_unless_asked(plan: Callable[..., Plan], results: Path) -> None:
    conduct(plan(2), results, jobs=1, show=False)
    conduct(plan(3), results, jobs=1, show=False)
    assert begun(results) == [1, 2, 3]
    conduct(plan(2), results, jobs=1, again=True, show=False)
    assert begun(results) == [1, 1, 2, 2, 3]


def test_other_code_measures_anew(plan: Callable[..., Plan], results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conduct(plan(1), results, show=False)
    monkeypatch.setattr("tsnlab.revision.code_digest", lambda: "another")
    conduct(plan(1), results, show=False)
    assert begun(results) == [1, 1]


def test_an_error_is_recorded_and_the_sweep_goes_on(plan: Callable[..., Plan], results: Path) -> None:
    sweep = conduct(plan(3, "error"), results, jobs=1, show=False)
    assert [point.axes["number"] for point in sweep.left] == [2]
    table = read_table(sweep.folder)
    assert list(table["status"]) == ["done", "error", "done"]
    assert "two is too much" in table["error"][1]


def test_a_kernel_that_is_killed_costs_its_point_one_repetition(plan: Callable[..., Plan], results: Path) -> None:
    sweep = conduct(plan(3, "kernel"), results, jobs=1, show=False)
    assert sweep.left == []
    assert begun(results) == [1, 2, 2, 3]


def test_a_point_that_kills_its_worker_is_given_up_after_a_second_time(
    plan: Callable[..., Plan], results: Path
) -> None:
    sweep = conduct(plan(3, "worker"), results, jobs=1, show=False)
    assert begun(results) == [1, 2, 2, 3]
    assert [point.axes["number"] for point in sweep.left] == [2]
    (lost,) = {run["status"] for run in runs(results) if run["parameters"]["number"] == 2}
    assert lost == "abandoned"


def test_killed_three_times_it_goes_on_where_it_was(file: Callable[..., Path], results: Path) -> None:
    command = [sys.executable, "-c", COMMAND, "sweep", str(file(10, "slow")), "--results", str(results)]
    for target in (2, 4, 6):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            wait_for(lambda target=target: measured(results) >= target)
            process.kill()
    # the workers of a sweep that was killed end by themselves
    time.sleep(1.5)
    before = {run["run"] for run in runs(results) if "seconds" in run}
    answer = subprocess.run([*command], capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 0, answer.stderr
    finished = [run for run in runs(results) if "seconds" in run]
    assert sorted(run["parameters"]["number"] for run in finished) == list(range(1, 11))
    assert before <= {run["run"] for run in finished}
    assert {run["status"] for run in runs(results)} <= {"done", "abandoned", "error"}
    assert len(read_table(results / "sweep-tiny-sweep")) == 10


def test_ctrl_c_writes_the_table_and_leaves_no_process(file: Callable[..., Path], results: Path) -> None:
    command = [sys.executable, "-c", COMMAND, "sweep", str(file(20, "slow")), "--results", str(results)]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: measured(results) >= 2)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    table = read_table(results / "sweep-tiny-sweep")
    assert 2 <= (table["status"] == "done").sum() < 20
    assert "running" not in set(table["status"])
    wait_for(lambda: group_is_gone(process.pid), seconds=5)


def test_a_dry_run_shows_the_points_and_starts_nothing(
    file: Callable[..., Path], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sweep", str(file(3)), "--results", str(results), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "3 points of tiny, 3 to measure" in said
    assert "number = 2" in said
    assert "estimated time" in said
    assert not results.exists()


def group_is_gone(number: int) -> bool:
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return True
    return False


def measured(results: Path) -> int:
    count = 0
    for path in results.glob("*/run.json"):
        count += "seconds" in RunFolder(path.parent).read()
    return count


def wait_for(predicate: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
