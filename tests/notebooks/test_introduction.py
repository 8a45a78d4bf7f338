"""The introduction as someone new runs it: what its text promises is what is measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest


@pytest.mark.lab
def test_gates_take_the_jitter_away_load_brings_it_back_and_gates_in_the_switch_help(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tsnlab", "run", "introduction", "-p", "packets", "200"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert answer.returncode == 0, answer.stderr
    folder = Path(answer.stdout.splitlines()[-1])
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["status"] == "done"
    cells = {cell.id: cell for cell in nbformat.read(folder / "notebook.ipynb", as_version=4).cells}
    (printed,) = cells["spread"].outputs
    best_effort, gates, load, switch = (float(line.split()[-2]) for line in printed.text.splitlines())
    assert best_effort > 100
    assert gates < 1
    assert load > 10
    assert switch < 1
    for name in ("best-effort", "gated", "load", "protected"):
        live, table = cells[name].outputs
        assert "200 of 200 packets, 0 missing" in live.data["text/plain"]
        assert "Indicators" in table.data["text/plain"]
