"""The run folder: there from the first moment, never half-written, with everything in it in the end."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tsnlab
from tsnlab import folder, revision
from tsnlab.errors import ConfigError
from tsnlab.paths import NOTEBOOKS


def test_a_new_run_says_at_once_that_it_is_running(tmp_path: Path) -> None:
    run = tsnlab.new_run("case2", {"packets": 300}, results=tmp_path)
    content = json.loads((run.path / "run.json").read_text())
    assert content["status"] == "running"
    assert content["parameters"] == {"packets": 300}
    assert content["run"] == run.name
    assert run.name.startswith("case2-20")


def test_two_runs_never_share_a_folder(tmp_path: Path) -> None:
    names = {tsnlab.new_run("case1", {}, results=tmp_path).name for _ in range(20)}
    assert len(names) == 20


def test_results_count_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert tsnlab.new_run("case1", {}).path.parent == tmp_path / "results"


def test_in_the_projects_notebooks_folder_they_count_from_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(NOTEBOOKS)
    assert folder.results_folder() == NOTEBOOKS.parent / "results"


def test_the_runners_folder_is_taken_over(tmp_path: Path) -> None:
    first = tsnlab.new_run("case1", {}, folder=tmp_path / "run")
    second = tsnlab.new_run("case1", {"packets": 5}, folder=tmp_path / "run")
    assert first.path == second.path
    assert second.read()["parameters"] == {"packets": 5}


def test_a_folder_with_a_run_in_it_is_not_overwritten(tmp_path: Path) -> None:
    tsnlab.new_run("case1", {}, folder=tmp_path).update(status="done")
    with pytest.raises(ConfigError, match="holds a run already"):
        tsnlab.new_run("case1", {}, folder=tmp_path)


def test_an_update_keeps_the_other_fields_and_leaves_no_draft(tmp_path: Path) -> None:
    run = tsnlab.new_run("case1", {"packets": 5}, folder=tmp_path)
    run.update(status="error", error="no lab")
    assert run.read()["parameters"] == {"packets": 5}
    assert run.read()["error"] == "no lab"
    assert [item.name for item in tmp_path.iterdir()] == ["run.json"]


def test_a_damaged_run_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ConfigError, match=r"run\.json: not valid JSON"):
        folder.RunFolder(tmp_path).read()


def test_a_figure_is_kept_and_shown(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    run = tsnlab.new_run("case1", {}, folder=tmp_path)
    picture = run.figure(Figure(figsize=(4, 2)), "report")
    png, size = picture._repr_png_()
    assert png == (tmp_path / "figures/report.png").read_bytes()
    assert size == {"width": 320, "height": 160}
    assert (tmp_path / "figures/report.svg").read_text().startswith("<?xml")
    # a notebook keeps the text as well, and it must not be the picture once more
    assert len(repr(picture)) < 200


def test_the_same_figure_gives_the_same_file(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    run = tsnlab.new_run("case1", {}, folder=tmp_path)
    for name in ("one", "two"):
        run.figure(Figure(figsize=(4, 2)), name)
    assert (tmp_path / "figures/one.png").read_bytes() == (tmp_path / "figures/two.png").read_bytes()


def test_the_code_version_never_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("git") is None
    assert revision.code() == {"version": tsnlab.__version__, "revision": None, "modified": None}


def test_libraries_are_named_with_their_versions() -> None:
    assert {"python", "pandas", "matplotlib", "papermill"} <= revision.libraries().keys()


def test_a_run_whose_process_was_killed_is_abandoned(tmp_path: Path) -> None:
    code = f"import tsnlab; tsnlab.new_run('case1', {{}}, folder={str(tmp_path / 'run')!r})"
    subprocess.run([sys.executable, "-c", code], check=True)
    run = folder.RunFolder(tmp_path / "run")
    assert run.read()["status"] == "running"
    assert run.settle()["status"] == "abandoned"
    assert "ended without a word" in run.read()["error"]


def test_a_run_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    run = tsnlab.new_run("case1", {}, folder=tmp_path)
    assert run.settle()["status"] == "running"
    # of another machine nothing is known
    run.update(process={**run.read()["process"], "host": "elsewhere", "pid": 1, "began": 0})
    assert run.settle()["status"] == "running"


def test_the_runners_marks_stay_when_the_notebook_takes_over(tmp_path: Path) -> None:
    tsnlab.new_run("case1", {}, folder=tmp_path, marks={"key": "abc", "sweep": {"name": "s"}})
    taken = tsnlab.new_run("case1", {"packets": 5}, folder=tmp_path).read()
    assert (taken["key"], taken["sweep"], taken["parameters"]) == ("abc", {"name": "s"}, {"packets": 5})
