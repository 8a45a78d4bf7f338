"""The notebooks as files: papermill can read their parameters, they hold no outputs, they are linted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from tsnlab import notebook
from tsnlab.case import load_case
from tsnlab.paths import NOTEBOOKS

CASES = ("case1", "case2", "case3")
ALL = (*CASES, "introduction")


@pytest.fixture(params=ALL)
def path(request: pytest.FixtureRequest) -> Path:
    return NOTEBOOKS / f"{request.param}.ipynb"


@pytest.fixture
def cells(path: Path) -> list[Any]:
    content = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(content)
    assert (content.nbformat, content.nbformat_minor) == (4, 5)
    return list(content.cells)


def test_the_parameters_come_right_after_the_title(cells: list[Any]) -> None:
    tagged = [index for index, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", [])]
    assert tagged == [1]
    assert cells[0].source.startswith("# ")


def test_papermill_reads_every_parameter_with_type_default_and_help(path: Path, cells: list[Any]) -> None:
    found = papermill.inspect_notebook(str(path))
    assert len(found) == len(cells[1].source.splitlines())
    for one in found.values():
        assert one["inferred_type_name"] in ("int", "float", "bool", "str"), one
        assert one["help"], one
        assert type(notebook.parameters(path)[one["name"]].default).__name__ == one["inferred_type_name"]


@pytest.mark.parametrize("case", CASES)
def test_the_defaults_are_those_of_the_case_file(case: str) -> None:
    own = ("lab_file", "run_folder")
    parameters = notebook.parameters(NOTEBOOKS / f"{case}.ipynb")
    defaults = {name: one.default for name, one in parameters.items() if name not in own}
    assert load_case(case, **defaults) == load_case(case)


def test_there_are_no_outputs_and_no_counts(cells: list[Any]) -> None:
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_every_cell_has_an_id_that_says_what_it_is_about(cells: list[Any]) -> None:
    ids = [cell.id for cell in cells]
    assert len(set(ids)) == len(ids)
    assert not any(one.isdecimal() for one in ids)


def test_everything_is_kept_before_the_last_cell_judges(cells: list[Any]) -> None:
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert code[-1].startswith("tsnlab.verdict.check(")
    assert "run.save(" in code[-2]
    assert "lab.close()" in code[-2]


def test_every_measured_thing_is_expected_first(cells: list[Any]) -> None:
    measuring = [index for index, cell in enumerate(cells) if "capture.record(" in cell.source]
    assert measuring
    for index in measuring:
        assert "**Expected:**" in cells[index - 1].source


def test_they_are_linted_and_formatted(path: Path) -> None:
    for how in (["check"], ["format", "--check"]):
        answer = subprocess.run(
            [sys.executable, "-m", "ruff", *how, str(path)], capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
