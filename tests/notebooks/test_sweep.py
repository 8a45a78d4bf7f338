"""A sweep on the virtual lab as a user runs it, and a run of it repeated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tsnlab.sweep import read_table

pytestmark = pytest.mark.lab

SWEEP = "notebook: case2\nparameters: {packets: 50}\naxes: {etf_delta_us: [1, 5], seed: [1, 2]}\n"


def tsnlab(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tsnlab", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def test_labs_at_the_same_time_measure_what_one_alone_measures(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SWEEP)
    answer = tsnlab(tmp_path, "sweep", "small.yaml", "--jobs", "2")
    assert answer.returncode == 0, answer.stderr
    table = read_table(tmp_path / "results/sweep-small")
    assert list(table["status"]) == ["done"] * 4
    # in software a packet leaves at its launch time minus delta
    earlier = table.groupby("etf_delta_us")["scheduled_times_min_us"].min()
    assert earlier[1.0] - earlier[5.0] == pytest.approx(4, abs=0.1)
    again = tsnlab(tmp_path, "rerun", str(tmp_path / "results" / table["run"][0]))
    assert again.returncode == 0, again.stdout
    assert "equal statistics" in again.stdout
