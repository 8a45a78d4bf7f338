"""The cases as a user runs them: `tsnlab run`, plain papermill, Ctrl-C in the middle, a kernel that is killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import below, left
from tsnlab.formats import parquet
from tsnlab.packets import info
from tsnlab.paths import NOTEBOOKS

pytestmark = pytest.mark.lab

KEPT = {"notebook.ipynb", "packets.parquet", "report.html", "run.json", "sync.parquet", "transcript.jsonl"}
INDICATORS = ("scheduled_times_us", "rt_app_latency_us", "network_jitter_ns")


def command(*arguments: str, module: str = "tsnlab") -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def run(cwd: Path, *arguments: str, module: str = "tsnlab") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments, module=module), cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )


def content(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "run.json").read_text(encoding="utf-8")))


def last_line(answer: subprocess.CompletedProcess[str]) -> Path:
    assert answer.stdout, answer.stderr
    return Path(answer.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", ["case1", "case2", "case3"])
def test_a_case_runs_and_keeps_everything(case: str, tmp_path: Path) -> None:
    answer = run(tmp_path, "run", case, "-p", "packets", "300")
    folder = last_line(answer)
    assert answer.returncode == 0, answer.stderr
    assert folder.parent == tmp_path / "results"
    assert {item.name for item in folder.iterdir()} >= KEPT
    about = content(folder)
    assert about["status"] == "done"
    assert (about["packets"]["sent"], about["packets"]["received"], about["packets"]["lost"]) == (300, 300, 0)
    assert [about["indicators"][name]["count"] for name in INDICATORS] == [300] * 3
    assert all(row["passed"] for row in about["verdicts"])
    assert "injected wake-up latency" in about["badges"]
    assert about["parameters"]["packets"] == 300
    assert about["guide"]["packets"] > 0
    assert about["versions"]["lab"]["kernel"]
    assert {"report.svg", "report.png", "time-series.svg"} <= {item.name for item in (folder / "figures").iterdir()}
    assert info(parquet.read(folder / "packets.parquet")).complete
    assert (tmp_path / "results/index.html").is_file()


def test_without_802_1qbv_the_verdict_fails_and_says_why(tmp_path: Path) -> None:
    answer = run(tmp_path, "run", "case3", "-p", "packets", "300", "-p", "switch_qbv", "False")
    folder = last_line(answer)
    assert answer.returncode == 1
    assert "scheduled times, spread" in answer.stderr
    about = content(folder)
    assert about["status"] == "failed"
    assert about["indicators"]["scheduled_times_us"]["spread"] >= 10
    assert {item.name for item in folder.iterdir()} >= KEPT
    assert "limits do not hold" in (folder / "report.html").read_text(encoding="utf-8")


def test_plain_papermill_runs_a_notebook_from_any_folder(tmp_path: Path) -> None:
    arguments = [str(NOTEBOOKS / "case2.ipynb"), "out.ipynb", "-p", "packets", "200", "-k", "python3"]
    answer = run(tmp_path, *arguments, module="papermill")
    assert answer.returncode == 0, answer.stderr
    (folder,) = (tmp_path / "results").iterdir()
    assert content(folder)["packets"]["received"] == 200
    assert (tmp_path / "out.ipynb").is_file()


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[Callable[[], tuple[subprocess.Popen[str], Path]]]:
    """Starts a run that takes minutes, and gives it and its folder as soon as packets arrive."""
    begun: list[subprocess.Popen[str]] = []

    def start() -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            command("run", "case2", "-p", "packets", "400000"),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        begun.append(process)
        return process, _wait_for_packets(tmp_path, process)

    yield start
    for process in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _wait_for_packets(tmp_path: Path, process: subprocess.Popen[str]) -> Path:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        for raw in (tmp_path / "results").glob("*/capture.jsonl"):
            if raw.read_text(encoding="utf-8").count('"packets"') > 4:
                return raw.parent
        time.sleep(0.1)
    raise AssertionError(f"no packets arrived; exit status {process.poll()}")


def test_ctrl_c_keeps_the_packets_and_leaves_no_process(
    endless: Callable[[], tuple[subprocess.Popen[str], Path]],
) -> None:
    process, folder = endless()
    under = below(process.pid)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out.splitlines()[-1] == str(folder)
    about = content(folder)
    assert about["status"] == "interrupted"
    assert about["complete"] is False
    frame = parquet.read(folder / "packets.parquet")
    assert len(frame) == about["packets"]["sent"] > 0
    assert not info(frame).complete
    assert "Interrupted after" in (folder / "report.html").read_text(encoding="utf-8")
    assert left(under) == []


def test_a_killed_notebook_kernel_is_an_error_and_leaves_no_process(
    endless: Callable[[], tuple[subprocess.Popen[str], Path]],
) -> None:
    process, folder = endless()
    under = below(process.pid)
    os.kill(under[0], signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == 2
    assert content(folder)["status"] == "error"
    assert left(under) == []
