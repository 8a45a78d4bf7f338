"""A sweep on a cluster of Dask: the same points and the same table, also when a worker of the cluster is killed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.tiny_sweep import COMMAND, measured, runs, wait_for, write
from tsnlab import cli
from tsnlab.sweep import read_table

POINTS = 24


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """A scheduler and two workers, each a process that nobody starts anew; gives the address and the workers."""
    pytest.importorskip("distributed", reason="no Dask here: pip install tsnlab[dask]")
    dask = shutil.which("dask", path=Path(sys.executable).parent)
    assert dask is not None
    scheduler_file = tmp_path / "scheduler.json"
    common = ["--scheduler-file", str(scheduler_file), "--no-dashboard"]
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        with (tmp_path / f"dask-{len(processes)}.log").open("w") as log:
            processes.append(subprocess.Popen([dask, *arguments, *common], stdout=log, stderr=log, text=True))
        return processes[-1]

    try:
        start("scheduler", "--host", "127.0.0.1", "--port", "0")
        wait_for(scheduler_file.exists)
        # the workers' code is that of the sweep, whatever becomes of it in the meantime
        (tmp_path / "same_code.py").write_text("from tsnlab import revision\nrevision.code_digest = lambda: 'this'\n")
        local = [
            "--preload",
            str(tmp_path / "same_code.py"),
            "--no-nanny",
            "--nthreads",
            "1",
            "--local-directory",
            str(tmp_path / "dask"),
        ]
        workers = [start("worker", *local, "--name", name) for name in ("one", "two")]
        wait_for(lambda: all("Registered to" in (tmp_path / f"dask-{i}.log").read_text() for i in (1, 2)))
        log = (tmp_path / "dask-0.log").read_text()
        yield next(word for word in log.split() if word.startswith("tcp://127")), workers
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


def test_a_worker_that_is_killed_costs_its_point_one_repetition(
    tmp_path: Path, cluster: tuple[str, list[subprocess.Popen[str]]]
) -> None:
    address, (one, _) = cluster
    file, results = write(tmp_path, POINTS, "slow"), tmp_path / "results"
    command = [sys.executable, "-c", COMMAND, "sweep", str(file), "--results", str(results), "--scheduler", address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        wait_for(lambda: len(measured(results)) >= 6 or process.poll() is not None)
        below = children(one.pid)
        one.kill()
        said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert measured(results) == list(range(1, POINTS + 1))
    assert len(read_table(results / "sweep-tiny-sweep")) == POINTS
    # what the killed worker was measuring has been measured again, and nothing of it is left
    cut_short = [run for run in runs(results) if run["status"] != "done"]
    assert len(runs(results)) - len(cut_short) == POINTS
    assert len(cut_short) <= 1
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))
    # the cluster outlives the sweep, and has nothing of it
    assert cli.main(["sweep", str(file), "--results", str(results), "--dry-run"]) == 0


def test_a_scheduler_that_does_not_answer_is_an_error_that_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("tsnlab.sweep.cluster._CONNECT_S", 1)
    arguments = ["sweep", str(write(tmp_path, 1)), "--results", str(tmp_path), "--scheduler", "tcp://127.0.0.1:9"]
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert "no scheduler of Dask answers at tcp://127.0.0.1:9" in said
    assert "dask worker" in said


def children(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found[1:]
