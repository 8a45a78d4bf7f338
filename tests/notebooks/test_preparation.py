"""Notebooks 1 to 3 as a user runs them on the virtual lab, as files, and planned for the guide's lab."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest

from tsnlab import notebook, rehearsal
from tsnlab.paths import NOTEBOOKS

NAMES = ("1-kernel-and-image", "2-switch-and-time", "3-kata-and-vfio")


def outputs(path: Path) -> str:
    """Everything that the cells of an executed notebook show as text."""
    cells = nbformat.read(path, as_version=4).cells
    shown = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in shown)


@pytest.mark.lab
@pytest.mark.parametrize("name", NAMES)
def test_it_does_on_the_virtual_lab_what_there_is_to_do(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tsnlab", "run", name]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert answer.returncode == 0, answer.stderr
    folder = Path(answer.stdout.splitlines()[-1])
    content = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert content["status"] == "done"
    shown = outputs(folder / "notebook.ipynb")
    assert "nothing is left changed" in shown
    if name == "2-switch-and-time":
        assert content["sync"]["ok"]
        assert (folder / "sync.parquet").is_file()
    else:
        assert "skipped: the talker of this lab is no container" in shown


@pytest.mark.lab
def test_plain_papermill_runs_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    papermill.execute_notebook(str(NOTEBOOKS / f"{NAMES[2]}.ipynb"), "out.ipynb", {"lab_file": "virtual"})
    (folder,) = (tmp_path / "results").iterdir()
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["status"] == "done"


@pytest.mark.parametrize("name", NAMES)
def test_it_is_planned_whole_for_the_guides_lab(name: str) -> None:
    plan = rehearsal.rehearse(name, "hardware")
    assert plan.ended == ""
    assert plan.entries
    assert len(plan.journal) > 0


@pytest.mark.parametrize("name", NAMES)
def test_as_files_they_keep_the_rules_of_the_others(name: str) -> None:
    path = NOTEBOOKS / f"{name}.ipynb"
    content = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(content)
    cells = list(content.cells)
    assert [i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", [])] == [1]
    assert all(one.help and one.kind in ("int", "float", "bool", "str") for one in notebook.parameters(path).values())
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells if cell.cell_type == "code")
    assert len({cell.id for cell in cells}) == len(cells)
    for how in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *how, str(path)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout + answer.stderr
