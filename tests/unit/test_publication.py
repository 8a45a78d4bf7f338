"""What is published is what a run has made: complete, unedited, in order, with checksums."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import nbformat
import pytest

import tsnlab
from tsnlab import cli
from tsnlab.errors import ConfigError
from tsnlab.folder import RunFolder
from tsnlab.publication import checksums, publish, seal


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = tsnlab.new_run("case1", {"packets": 5}, results=tmp_path / "results")
    write_notebook(run, [1, 2])
    run.update(status="done", seconds=1.0, finished="2025-01-31T12:00:00+00:00")
    conclude(run)
    return run


def conclude(run: RunFolder) -> None:
    run.update(checksums=checksums(run.path))
    run.update(seal=seal(run.read()))


def write_notebook(run: RunFolder, counts: list[int]) -> None:
    cells = [nbformat.v4.new_code_cell("1", execution_count=count) for count in counts]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), run.path / "notebook.ipynb")


def test_a_publication_can_be_checked_by_anyone(run: RunFolder, tmp_path: Path) -> None:
    place = publish([run.path], tmp_path / "public")
    assert {"index.html", "SHA256SUMS", "ro-crate-metadata.json"} <= {item.name for item in place.iterdir()}
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=place, check=False).returncode == 0
    assert (place / run.name / "report.html").is_file()


def test_it_is_a_research_object_that_names_every_file(run: RunFolder, tmp_path: Path) -> None:
    place = publish([run.path], tmp_path / "public")
    graph = {item["@id"]: item for item in json.loads((place / "ro-crate-metadata.json").read_text())["@graph"]}
    assert graph["ro-crate-metadata.json"]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    files = {item for item, about in graph.items() if about["@type"] == "File"}
    there = {file.relative_to(place).as_posix() for file in place.rglob("*") if file.is_file()}
    assert files == there - {"ro-crate-metadata.json", "SHA256SUMS"}
    referred = [part["@id"] for item in graph.values() for part in item.get("hasPart", [])]
    assert set(referred) <= graph.keys()
    assert graph[f"#{run.name}-packets"]["value"] == 5
    assert graph[graph["./"]["license"]["@id"]]["name"] == "CC-BY-4.0"


def test_edited_and_missing_outputs_are_refused(run: RunFolder, tmp_path: Path) -> None:
    write_notebook(run, [1, 2, 3])
    with pytest.raises(ConfigError, match=r"notebook\.ipynb: was edited after the run; .* tsnlab rerun"):
        publish([run.path], tmp_path / "public")
    (run.path / "notebook.ipynb").unlink()
    with pytest.raises(ConfigError, match=r"notebook\.ipynb: is missing"):
        publish([run.path], tmp_path / "public")
    assert not (tmp_path / "public").exists()


def test_an_edited_run_json_is_refused(run: RunFolder, tmp_path: Path) -> None:
    run.update(parameters={"packets": 500_000})
    with pytest.raises(ConfigError, match=r"run\.json: was edited after the run"):
        publish([run.path], tmp_path / "public")


def test_stale_outputs_are_refused(run: RunFolder, tmp_path: Path) -> None:
    write_notebook(run, [2, 1])
    conclude(run)
    with pytest.raises(ConfigError, match="not executed once each in order"):
        publish([run.path], tmp_path / "public")


def test_a_run_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    run = tsnlab.new_run("case1", {}, results=tmp_path)
    with pytest.raises(ConfigError, match="running: only a run that came to its end"):
        publish([run.path], tmp_path / "public")


def test_nothing_is_overwritten(run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "public").mkdir()
    assert cli.main(["publish", str(run.path), "--to", str(tmp_path / "public")]) == 2
    assert "exists already" in capsys.readouterr().err
