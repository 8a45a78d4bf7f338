"""The command line: instant, strict about parameters, and clear about what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tsnlab
from tsnlab import cli, notebook
from tsnlab.errors import ConfigError, MachineError

HEAVY = ("IPython", "matplotlib", "nbconvert", "numpy", "pandas", "papermill", "paramiko", "pydantic", "pyroute2")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False)


def loaded_by(statement: str) -> list[str]:
    answer = python("-c", f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))")
    return [name for name in json.loads(answer.stdout.splitlines()[-1]) if name in HEAVY]


def test_import_loads_nothing_heavy() -> None:
    assert loaded_by("import tsnlab") == []


def test_help_loads_nothing_heavy() -> None:
    assert loaded_by("import tsnlab.cli as c\ntry: c.main(['run', '--help'])\nexcept SystemExit: pass") == []


def test_help_is_instant() -> None:
    def seconds() -> float:
        began = time.perf_counter()
        assert python("-m", "tsnlab", "--help").returncode == 0
        return time.perf_counter() - began

    # the best of a few: the machine may be busy
    assert min(seconds() for _ in range(5)) < 0.2


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"tsnlab {tsnlab.__version__}\n"


def test_an_unknown_case_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "case9"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("tsnlab: there is no case 'case9'")
    assert "case1, case2, case3" in said
    assert "Traceback" not in said


def test_an_unknown_parameter_is_an_error_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # the first case has it not, the second one has it
    assert cli.main(["run", "case1", "case2", "-p", "etf_delta_us", "3"]) == 2
    said = capsys.readouterr().err
    assert "case1 has no parameter 'etf_delta_us'" in said
    assert "packets (int), cycle_us (int), seed (int), lab_file (str)" in said
    assert list(tmp_path.iterdir()) == []


def test_the_run_folder_is_not_for_the_user_to_set() -> None:
    with pytest.raises(ConfigError, match="no parameter 'run_folder' to set"):
        notebook.checked(notebook.find("case1"), {"run_folder": "here"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("packets", "many", "expected a whole number; got 'many'"),
        ("packets", 2.5, "expected a whole number; got 2.5"),
        ("packets", True, "expected a whole number; got True"),
        ("load_mbps", "fast", "expected a number; got 'fast'"),
        ("switch_qbv", "perhaps", "expected True or False; got 'perhaps'"),
        ("load_to", 1, "expected a text; got 1"),
    ],
)
def test_a_wrong_type_says_what_was_expected(name: str, value: object, expected: str) -> None:
    with pytest.raises(ConfigError) as error:
        notebook.checked(notebook.find("case3"), {name: value})
    assert f"case3: parameter '{name}'" in str(error.value)
    assert expected in str(error.value)


def test_texts_become_what_the_notebook_declares() -> None:
    texts = {"packets": "300", "load_mbps": "800", "switch_qbv": "false", "load_to": "load_sink"}
    values = notebook.checked(notebook.find("case3"), texts)
    assert values == {"packets": 300, "load_mbps": 800.0, "switch_qbv": False, "load_to": "load_sink"}
    assert type(values["load_mbps"]) is float


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        (["done", "done"], 0),
        (["failed", "done"], 1),
        (["failed", "error"], 2),
        (["error", "interrupted"], 130),
    ],
)
def test_the_exit_status_is_that_of_the_worst_run(
    statuses: list[str], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = iter(statuses)

    def run(case: str, **_arguments: object) -> Path:
        folder = tsnlab.new_run(case, {}, results=tmp_path / "results")
        folder.update(status=next(ending))
        return folder.path

    monkeypatch.setattr("tsnlab.run.run", run)
    assert cli.main(["run", "case1", "case2", "--results", str(tmp_path / "results")]) == status


def test_after_several_cases_the_last_line_is_the_last_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[Path] = []

    def run(case: str, **_arguments: object) -> Path:
        made.append(tsnlab.new_run(case, {}, results=tmp_path).path)
        return made[-1]

    monkeypatch.setattr("tsnlab.run.run", run)
    cli.main(["run", "case1", "case3", "--results", str(tmp_path)])
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [str(made[0]), str(made[1])]
    assert said[-2:] == [str(tmp_path / "index.html"), str(made[1])]
    assert (tmp_path / "index.html").is_file()


def test_an_error_is_a_message_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def run(_case: str, **_arguments: object) -> Path:
        raise MachineError("the kernel of the lab was killed")

    monkeypatch.setattr("tsnlab.run.run", run)
    assert cli.main(["run", "case1", "--results", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "tsnlab: the kernel of the lab was killed\n"
