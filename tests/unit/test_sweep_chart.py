"""A sweep drawn: its axes' effects and the map of two of them; the notebook that does so runs by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.lines import Line2D

from tsnlab.errors import ConfigError
from tsnlab.paths import NOTEBOOKS
from tsnlab.sweep import chart, read_table

SPREAD = "scheduled_times_spread_us"


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    rows = [
        {"point": index, "load": load, "qbv": qbv, SPREAD: 0.1 if qbv else load / 10, "status": "done"}
        | {
            "limits_failed": "" if qbv or not load else "spread",
            "run": f"run-{index}",
            "badges": "virtual lab · simulated time",
        }
        for index, (load, qbv) in enumerate((load, qbv) for load in (0, 100, 900) for qbv in (True, False))
    ]
    pd.DataFrame(rows).convert_dtypes().to_parquet(tmp_path / "sweep.parquet")
    about = {
        "title": "Load",
        "indicator": SPREAD,
        "notebook": "case3",
        "axes": {"load": [0, 100, 900], "qbv": [True, False]},
        "points": [],
    }
    (tmp_path / "sweep.json").write_text(json.dumps(about))
    return tmp_path


def test_every_axis_has_its_effect(sweep: Path) -> None:
    figure = chart.main_effects(read_table(sweep), SPREAD).figure
    assert [drawn.get_xlabel() for drawn in figure.axes] == ["load", "qbv"]
    assert figure.get_supxlabel() == "virtual lab\nsimulated time"
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == ["False", "True"]


def border(lines: Iterable[Line2D]) -> set[tuple[tuple[float, ...], tuple[float, ...]]]:
    points = [np.array([line.get_xdata(), line.get_ydata()], dtype=float).tolist() for line in lines]
    return {(tuple(x), tuple(y)) for x, y in points}


def test_maps_draw_a_border_around_what_does_not_hold(sweep: Path) -> None:
    table = read_table(sweep)
    # without qbv, the lower row, it holds with no load only
    expected = {((0.5, 0.5), (-0.5, 0.5)), ((0.5, 1.5), (0.5, 0.5)), ((1.5, 2.5), (0.5, 0.5))}
    for picture in (chart.heat_map(table, SPREAD), chart.frontier(table)):
        drawn = picture.figure.axes[0]
        assert (drawn.get_xlabel(), drawn.get_ylabel()) == ("load", "qbv")
        assert border(drawn.lines) == expected


def test_a_sweep_of_one_axis_has_a_frontier_that_counts_its_points(sweep: Path) -> None:
    table = read_table(sweep)
    table.attrs["axes"] = {"load": [0, 100, 900]}
    drawn = chart.frontier(table).figure.axes[0]
    assert [text.get_text() for text in drawn.texts] == ["2 hold", "1 of 2 fail", "1 of 2 fail"]
    assert border(drawn.lines) == {((0.5, 0.5), (-0.5, 0.5))}


def test_numbers_stand_where_they_belong(sweep: Path) -> None:
    drawn = chart.main_effects(read_table(sweep), SPREAD).figure.axes[0]
    assert list(drawn.get_xticks()) == [0, 100, 900]


def test_an_unknown_column_or_axis_names_those_there_are(sweep: Path) -> None:
    with pytest.raises(ConfigError, match=f"no column 'speed'; it has {SPREAD}"):
        chart.main_effects(read_table(sweep), "speed")
    with pytest.raises(ConfigError, match="no axis 'speed'; it has load, qbv"):
        chart.heat_map(read_table(sweep), SPREAD, across="speed")


def test_what_is_no_sweep_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not the folder of a sweep"):
        read_table(tmp_path)


def test_the_notebook_draws_a_sweep(sweep: Path, tmp_path: Path) -> None:
    arguments = [
        str(NOTEBOOKS / "sweep.ipynb"),
        str(tmp_path / "out.ipynb"),
        "-p",
        "sweep",
        str(sweep),
        "-k",
        "python3",
    ]
    command = [sys.executable, "-m", "papermill", *arguments]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 0, answer.stderr
    cells = {cell["id"]: cell for cell in json.loads((tmp_path / "out.ipynb").read_text())["cells"]}
    for name in ("effects", "map", "frontier"):
        assert any("image/png" in output.get("data", {}) for output in cells[name]["outputs"])
