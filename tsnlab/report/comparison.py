"""The comparison report: several runs side by side, on one page that needs nothing else to be read."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsnlab.folder import PACKETS, REPORT, RunFolder
from tsnlab.report.glance import glance
from tsnlab.report.page import render

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PAGE = "comparison.html"


def compare(folders: Sequence[str | Path], target: str | Path) -> Path:
    """Writes a page that shows runs side by side: where they differ, indicators, verdicts, all in one figure.

    Args:
        folders: run folders, in the order in which they are to stand.
        target: the page.

    Returns:
        The page.

    Raises:
        ConfigError: one of them is not a run folder.
    """
    paths = [Path(folder).resolve() for folder in folders]
    runs = [RunFolder(path).settle() for path in paths]
    names = labels(runs)
    frames = _frames(dict(zip(names, paths, strict=True)))
    page = Path(target)
    links = [os.path.relpath(path / REPORT, page.resolve().parent) for path in paths]
    content = render(
        "comparison.html.j2",
        runs=list(zip(names, map(glance, runs), links, strict=True)),
        differences=differences(runs),
        picture=_picture(frames) if len(frames) > 1 else "",
    )
    page.write_text(content, encoding="utf-8")
    return page


def differences(runs: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """The parameters by which runs differ, and their lab and code, each with its value in every run."""
    rows = [{**run.get("parameters", {}), "lab": run.get("lab", "-"), "code": _code(run)} for run in runs]
    names = dict.fromkeys(name for row in rows for name in row)
    table = [(name, [str(row.get(name, "-")) for row in rows]) for name in names]
    return [(name, values) for name, values in table if len(set(values)) > 1]


def labels(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A short name for each run: its case, with a letter where several runs are of one case."""
    cases = [run["case"] for run in runs]
    if len(set(cases)) == len(cases):
        return cases
    return [f"{chr(ord('A') + index % 26)}{index // 26 or ''} ({case})" for index, case in enumerate(cases)]


def _frames(paths: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    from tsnlab.formats import parquet

    # the packets of a run may have been deleted; its numbers are still there
    return {name: parquet.read(path / PACKETS) for name, path in paths.items() if (path / PACKETS).is_file()}


def _picture(frames: Mapping[str, pd.DataFrame]) -> str:
    from tsnlab import plot

    figure: Figure = plot.compare(frames, title="Runs side by side")
    made = BytesIO()
    figure.savefig(made, format="png", dpi=160)
    return base64.b64encode(made.getvalue()).decode()


def _code(run: Mapping[str, Any]) -> str:
    code = run.get("code", {})
    return f"{code.get('revision') or code.get('version', '-')}{', modified' if code.get('modified') else ''}"
