"""The catalogue of runs: to search in the terminal, to compare, to repeat; quick also with a thousand of them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import tsnlab
from tsnlab import cli, report
from tsnlab.lab import LABS
from tsnlab.report.catalogue import catalogue
from tsnlab.report.comparison import compare, differences
from tsnlab.report.listing import chosen, listing
from tsnlab.rerun import _lab_file, differing


def summary(spread: float) -> dict[str, Any]:
    return {"unit": "us", "count": 3, "min": 1.0, "mean": 1.0, "max": 1.0 + spread, "std": 0.0, "spread": spread}


def add(results: Path, case: str = "case2", spread: float = 0.5, **parameters: Any) -> Path:
    run = tsnlab.new_run(case, parameters, results=results)
    run.update(status="done", seconds=1.0, indicators={"scheduled_times_us": summary(spread)})
    return run.path


def test_runs_are_listed_and_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted, other = add(tmp_path, packets=300, switch_qbv=True), add(tmp_path, "case3", packets=500)
    arguments = ["results", "--results", str(tmp_path), "-p", "packets", "300", "-p", "switch_qbv", "true"]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert wanted.name in said
    assert other.name not in said
    assert "0.500" in said


def test_a_condition_that_is_not_met_leaves_a_run_out() -> None:
    run = {"run": "a", "case": "case1", "status": "done", "started": "2025-01-31T12:00:00", "parameters": {"x": 2.0}}
    assert chosen([run]) == [run]
    assert chosen([run], case="case1", status="done", since="2025-01-31", parameters={"x": "2"}) == [run]
    for condition in ({"case": "case2"}, {"status": "failed"}, {"since": "2025-02"}, {"parameters": {"y": "2"}}):
        assert chosen([run], **condition) == []  # type: ignore[arg-type]


def test_runs_are_sorted_by_a_parameter_or_by_what_came_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [add(tmp_path, spread=spread, packets=packets).name for spread, packets in ((3, 20), (1, 100), (2, 3))]
    other = add(tmp_path, "case1", spread=9).name
    for by, order in (("packets", [2, 0, 1]), ("spread", [1, 2, 0])):
        assert cli.main(["results", "--results", str(tmp_path), "--sort", by]) == 0
        lines = capsys.readouterr().out.splitlines()[1:]
        expected = [runs[index] for index in order] + [other]
        assert [next(name for name in [*runs, other] if name in line) for line in lines] == expected
    assert cli.main(["results", "--results", str(tmp_path), "--sort", "speed"]) == 2
    assert "no run has 'speed' to sort by; there are started, outcome, spread, packets" in capsys.readouterr().err


def test_a_thousand_runs_are_listed_within_a_second_and_indexed_within_two(tmp_path: Path) -> None:
    for index in range(1000):
        add(tmp_path, spread=index / 10, packets=index)
    began = time.process_time()
    assert listing(catalogue(tmp_path)).count("\n") == 1000
    assert time.process_time() - began < 1.0
    began = time.process_time()
    page = report.index(tmp_path).read_text(encoding="utf-8")
    assert time.process_time() - began < 2.0
    assert page.count("<tr>") > 1000


def test_a_comparison_names_what_differs(tmp_path: Path) -> None:
    folders = [add(tmp_path / "results", packets=300, seed=seed) for seed in (1, 2)]
    page = compare(folders, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "2 runs side by side" in page
    assert "<td>seed</td><td>1</td><td>2</td>" in page
    assert "<td>packets</td>" not in page
    assert f'href="results/{folders[0].name}/report.html"' in page
    assert "<script" not in page


def test_other_code_is_a_difference() -> None:
    runs = [{"parameters": {}, "code": {"revision": one, "modified": True}} for one in ("abc", "def")]
    assert differences(runs) == [("code", ["abc, modified", "def, modified"])]


def test_a_repetition_is_compared_statistic_by_statistic() -> None:
    before = {"indicators": {"scheduled_times_us": summary(0.5)}, "packets": {"sent": 3, "lost": 0}}
    assert list(differing(before, before)) == []
    after = {"indicators": {"scheduled_times_us": summary(0.25)}, "packets": {"sent": 3, "lost": 1}}
    assert list(differing(before, after)) == [("scheduled_times_us.max", 1.5, 1.25), ("packets.lost", 0, 1)]


def test_a_run_without_numbers_cannot_be_repeated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tsnlab.new_run("case1", {}, results=tmp_path)
    assert cli.main(["rerun", str(run.path)]) == 2
    assert "has measured nothing" in capsys.readouterr().err


def test_a_repetition_takes_the_lab_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = (LABS / "virtual.yaml").read_text()
    path.write_text(text)
    content = {"run": "case1-x", "parameters": {"lab_file": str(path)}, "lab_source": text}
    assert _lab_file(content, tmp_path) == str(path)
    path.unlink()
    again = tmp_path / "case1-x-lab.yaml"
    assert _lab_file(content, tmp_path) == str(again)
    assert again.read_text() == text


def test_a_report_is_written_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = add(tmp_path, packets=300)
    assert cli.main(["report", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / 'report.html'}\n"


def test_a_reader_that_has_read_enough_is_no_error(tmp_path: Path) -> None:
    for index in range(300):
        add(tmp_path, packets=index, filling="x" * 500)
    command = [sys.executable, "-m", "tsnlab", "results", "--results", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0
