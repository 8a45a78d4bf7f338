"""The index of a results folder: the latest run of each case side by side, and a list of all runs."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsnlab.errors import ConfigError
from tsnlab.folder import PACKETS, REPORT, RESULTS, RunFolder, results_folder
from tsnlab.report.glance import glance
from tsnlab.report.page import render

if TYPE_CHECKING:
    import pandas as pd

_FIGURES = ("report", "time-series", "gates")


def index(results: str | Path = RESULTS) -> Path:
    """Writes index.html of a results folder.

    Returns:
        The page.

    Raises:
        ConfigError: there is no such folder.
    """
    folder = results_folder(results)
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such results folder; `tsnlab run case1` makes the first run")
    runs = catalogue(folder)
    latest = latest_of_each_case(runs)
    page = render(
        "catalogue.html.j2",
        runs=[glance(run) for run in reversed(runs)],
        latest=[(glance(run), _figure(folder / run["run"])) for run in latest],
        comparison=_comparison(folder, latest),
        report=REPORT,
    )
    target = folder / "index.html"
    target.write_text(page, encoding="utf-8")
    return target


def catalogue(folder: Path) -> list[dict[str, Any]]:
    """The run.json of every run in a results folder, the oldest first; what is not a run is passed over."""
    runs = []
    for item in folder.iterdir():
        try:
            content = RunFolder(item).settle()
        except ConfigError:
            continue
        # a folder may have been renamed
        runs.append({**content, "run": item.name})
    return sorted(runs, key=lambda run: (run.get("started", ""), run["run"]))


def latest_of_each_case(runs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The latest run of each case that has measured something, by case."""
    return [latest for _, latest in sorted({run["case"]: run for run in runs if "indicators" in run}.items())]


def _figure(folder: Path) -> str:
    """The figure that stands for a run, relative to the results folder."""
    there = (f"{folder.name}/figures/{name}.png" for name in _FIGURES)
    return next((path for path in there if (folder.parent / path).exists()), "")


def _comparison(folder: Path, runs: Sequence[Mapping[str, Any]]) -> str:
    """The runs in one figure, as the base64 text of a PNG; empty unless there are two to compare."""
    from tsnlab.formats import parquet

    frames: dict[str, pd.DataFrame] = {}
    for run in runs:
        try:
            frames[run["case"]] = parquet.read(folder / run["run"] / PACKETS)
        except ConfigError:
            continue  # its packets were deleted; the numbers are still in run.json
    if len(frames) < 2:
        return ""
    from tsnlab import plot

    picture = BytesIO()
    plot.compare(frames).savefig(picture, format="png", dpi=160)
    return base64.b64encode(picture.getvalue()).decode()
