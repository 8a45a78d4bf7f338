"""A sweep that is carried out: in parallel, resumed where it was, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.unit.tiny_sweep import COMMAND, begun, measured, runs, wait_for, write
from tsnlab import cli
from tsnlab.sweep import conduct, load_plan, read_table
from tsnlab.sweep.conduct import look


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def command(file: Path, results: Path) -> list[str]:
    return [sys.executable, "-c", COMMAND, "sweep", str(file), "--results", str(results), "--jobs", "2"]


def test_every_point_is_measured_once_unless_asked_and_is_a_row_of_the_table(
    tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conduct(load_plan(write(tmp_path, 2)), results, jobs=1, show=False)
    sweep = conduct(load_plan(write(tmp_path, 4)), results, jobs=2, show=False)
    assert sweep.left == []
    assert begun(results) == [1, 2, 3, 4]
    table = read_table(sweep.folder)
    assert list(table["number"]) == list(table["scheduled_times_max_us"]) == [1, 2, 3, 4]
    assert table["holds"].all()
    assert table.attrs["axes"] == {"number": [1, 2, 3, 4]}
    assert len(pd.read_csv(sweep.folder / "sweep.csv")) == 4
    for name in table["run"]:
        assert {"notebook.ipynb", "report.html"} <= {item.name for item in (results / name).iterdir()}
    page = (sweep.folder / "report.html").read_text(encoding="utf-8")
    # of one axis: its effect and the frontier
    assert page.count("<figcaption>") == page.count("data:image/png") == 2
    conduct(load_plan(write(tmp_path, 1)), results, jobs=1, again=True, show=False)
    assert begun(results) == [1, 1, 2, 3, 4]
    monkeypatch.setattr("tsnlab.revision.code_digest", lambda: "another")
    other = load_plan(write(tmp_path, 4))
    assert look(other, results).left == list(other.points)


def test_whatever_goes_wrong_at_a_point_the_sweep_goes_on(tmp_path: Path, results: Path) -> None:
    sweep = conduct(load_plan(write(tmp_path, 5, "all")), results, jobs=2, show=False)
    # the second has an error; the third loses its kernel once, the fourth its worker as often as it is begun
    assert begun(results) == [1, 2, 3, 3, 4, 4, 5]
    assert measured(results) == [1, 3, 5]
    assert sorted(point.axes["number"] for point in sweep.left) == [2, 4]
    table = read_table(sweep.folder)
    assert list(table["status"]) == ["done", "error", "done", "abandoned", "done"]
    assert "two is too much" in table["error"][1]
    assert {run["status"] for run in runs(results) if run["parameters"]["number"] == 4} == {"abandoned"}


def test_killed_and_interrupted_it_goes_on_where_it_was(tmp_path: Path, results: Path) -> None:
    file = write(tmp_path, 10, "slow")
    with subprocess.Popen(command(file, results), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: len(measured(results)) >= 2)
        process.kill()
    with subprocess.Popen(command(file, results), start_new_session=True, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: len(measured(results)) >= 5)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    table = read_table(results / "sweep-tiny-sweep")
    assert 5 <= (table["status"] == "done").sum() < 10
    assert "running" not in set(table["status"])
    wait_for(lambda: group_is_gone(process.pid), seconds=10)
    answer = subprocess.run(command(file, results), capture_output=True, text=True, timeout=300, check=False)
    assert answer.returncode == 0, answer.stderr
    assert measured(results) == list(range(1, 11))
    assert {run["status"] for run in runs(results)} <= {"done", "abandoned", "error", "interrupted"}
    assert len(read_table(results / "sweep-tiny-sweep")) == 10


def test_a_dry_run_shows_the_points_and_starts_nothing(
    tmp_path: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sweep", str(write(tmp_path, 3)), "--results", str(results), "--dry-run"]) == 0
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
