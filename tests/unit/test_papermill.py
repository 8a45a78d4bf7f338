"""The conventions of papermill: every notebook tells its parameters; `--engine tsnlab` makes a run like any other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from tests.unit.tiny_sweep import write
from tsnlab.folder import RunFolder
from tsnlab.paths import NOTEBOOKS

UNITS = {"_us": "us", "_ns": "ns", "_mbps": "Mbit/s", "_s": " s"}


def run(cwd: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "papermill", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def with_engine(cwd: Path, name: str, *parameters: object) -> subprocess.CompletedProcess[str]:
    return run(cwd, name, "out.ipynb", "--engine", "tsnlab", "-k", "python3", "--no-progress-bar", *parameters)


def read(path: Path) -> Any:
    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_parameter_is_told_with_default_and_unit(path: Path) -> None:
    found = papermill.inspect_notebook(str(path))
    (cell,) = [c for c in read(path).cells if "parameters" in c.metadata.get("tags", [])]
    assert len(found) == len(cell.source.splitlines())
    for name, one in found.items():
        assert one["inferred_type_name"] in ("int", "float", "bool", "str"), one
        assert one["default"], one
        assert one["help"], one
        for ending, unit in UNITS.items():
            assert not name.endswith(ending) or unit in one["help"], one


def test_help_notebook_lists_them(tmp_path: Path) -> None:
    said = run(tmp_path, "--help-notebook", NOTEBOOKS / "case2.ipynb").stdout
    assert "etf_delta_us: float (default 2.0)" in said
    assert "how long before its launch time etf hands a packet on, in us" in said


def test_the_engine_makes_a_run_with_a_report(tmp_path: Path) -> None:
    write(tmp_path, 1)
    answer = with_engine(tmp_path, "tiny.ipynb", "-p", "number", 5)
    assert answer.returncode == 0, answer.stderr
    (folder,) = (tmp_path / "results").glob("tiny-*")
    content = RunFolder(folder).read()
    assert (content["status"], content["parameters"]) == ("done", {"number": 5})
    assert {"key", "seconds", "checksums"} <= content.keys()
    assert (folder / "report.html").is_file()
    cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    assert [cell["execution_count"] for cell in cells] == [1, 2, 3]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("numbr", "5", "tiny has no parameter 'numbr' to set; it has number (int), trouble (str)"),
        ("number", "five", "parameter 'number' (what is measured): expected a whole number; got 'five'"),
    ],
)
def test_the_engine_refuses_a_parameter_before_anything_starts(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    write(tmp_path, 1)
    answer = with_engine(tmp_path, "tiny.ipynb", "-p", name, value)
    assert answer.returncode != 0
    assert said in answer.stderr
    assert not (tmp_path / "results").exists()


def test_a_kernel_that_is_killed_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, 1)
    answer = with_engine(tmp_path, "tiny.ipynb", "-p", "number", 3, "-p", "trouble", "all")
    assert answer.returncode != 0
    (folder,) = (tmp_path / "results").glob("tiny-*")
    content = RunFolder(folder).read()
    assert content["status"] == "error"
    assert "died" in content["error"].lower()


def test_an_error_of_a_cell_is_told_in_the_run(tmp_path: Path) -> None:
    write(tmp_path, 1)
    answer = with_engine(tmp_path, "tiny.ipynb", "-p", "number", 2, "-p", "trouble", "all")
    assert answer.returncode != 0
    (folder,) = (tmp_path / "results").glob("tiny-*")
    content = RunFolder(folder).read()
    assert (content["status"], content["error"]) == ("error", "ValueError: two is too much")
    assert "two is too much" in (folder / "report.html").read_text(encoding="utf-8")


def test_plain_papermill_runs_a_notebook_from_any_folder(tmp_path: Path) -> None:
    write(tmp_path, 1)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = os.path.relpath(tmp_path / "tiny.ipynb", elsewhere)
    answer = run(elsewhere, path, "out.ipynb", "-k", "python3")
    assert answer.returncode == 0, answer.stderr
    assert len(list((elsewhere / "results").glob("tiny-*/run.json"))) == 1
