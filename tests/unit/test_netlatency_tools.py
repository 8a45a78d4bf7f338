"""Written lines, read by netlatency's own programs, where these are installed (PATH, or the folder NETLATENCY)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tsnlab.analysis.nl_calc import nl_calc
from tsnlab.formats import export
from tsnlab.formats.chunk import Chunk
from tsnlab.packets import CaptureInfo

BASE = 1_588_076_872_000_000_001
ABOUT = CaptureInfo(lab="x", case="case2", cycle_ns=2_000_000, arrival="rx_kernel")
PATH = os.pathsep.join([os.environ.get("NETLATENCY", ""), os.environ.get("PATH", "")])


def tool(name: str) -> str:
    found = shutil.which(name, path=PATH)
    if found is None:
        pytest.skip(f"netlatency's {name} is not installed")
    return found


@pytest.fixture
def chunk() -> Chunk:
    rng = np.random.default_rng(9)
    seq = np.arange(2000)
    start = BASE + seq * 2_000_000
    columns = {"stream": np.zeros_like(seq), "seq": seq, "interval_start": start}
    columns["tx_program"] = start + rng.integers(2_000, 70_000, len(seq))
    columns["rx_kernel"] = start + rng.integers(-900, 1_300_000, len(seq))
    return Chunk(columns)


@pytest.fixture
def written(chunk: Chunk, tmp_path: Path) -> Path:
    """With the kernel's time as rx-hardware, which is all that nl-calc knows."""
    return export.write(lambda: [chunk], ABOUT, tmp_path / "rx.json", as_hardware=True)


def test_nl_calc_prints_the_same_to_the_last_digit(written: Path, chunk: Chunk) -> None:
    result = subprocess.run([sys.executable, tool("nl-calc"), written], capture_output=True, text=True, check=True)
    ours = nl_calc([Chunk({**chunk.columns, "rx_hardware": chunk.columns["rx_kernel"]})], 2000)
    assert [json.loads(line) for line in result.stdout.splitlines()] == ours
    assert result.stderr == ""


def test_nl_report_draws_our_numbers(chunk: Chunk, tmp_path: Path) -> None:
    hardware = Chunk({**chunk.columns, "rx_hardware": chunk.columns["rx_kernel"]})
    lines = tmp_path / "histograms.json"
    lines.write_text("".join(json.dumps(one) + "\n" for one in nl_calc([hardware], 2000)))
    picture = tmp_path / "report.png"
    subprocess.run([sys.executable, "-W", "ignore", tool("nl-report"), lines, picture], check=True, timeout=120)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_nl_trace_and_nl_calc_ask_of_a_line(written: Path) -> None:
    # nl-trace: no time is 0, names are those of the first line; nl-calc: these three times, without Z
    records = [json.loads(line)["object"] for line in written.read_text().splitlines()]
    names = ["interval-start", "tx-program", "rx-hardware", "rx-kernel-driver"]
    assert {tuple(one["timestamps"]["names"]) for one in records} == {tuple(names)}
    values = [value for one in records for value in one["timestamps"]["values"]]
    assert not any(value.startswith("1970") or value.endswith("Z") for value in values)
    assert all(np.datetime64(value) for value in values)
    assert {(one["stream-id"], one["interval-usec"], one["offset-usec"]) for one in records} == {(0, 2000, 0)}


def test_without_being_asked_a_kernels_time_is_not_called_that_of_hardware(chunk: Chunk, tmp_path: Path) -> None:
    path = export.write(lambda: [chunk], ABOUT, tmp_path / "rx.json")
    stamps = json.loads(path.read_text().splitlines()[0])["object"]["timestamps"]
    found = dict(zip(stamps["names"], stamps["values"], strict=True))
    assert found["rx-hardware"].startswith("1970")
    assert not found["rx-kernel-driver"].startswith("1970")
