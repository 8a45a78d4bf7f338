"""The report of a sweep: its points as a table to read and to sort, each with the way to its run."""

from __future__ import annotations

import base64
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsnlab.errors import ConfigError
from tsnlab.folder import REPORT
from tsnlab.report.catalogue import catalogue
from tsnlab.report.page import render
from tsnlab.sweep.table import badges, is_measured, read_about, read_table, row, write_table

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = (
    *("scheduled_times_min_us", "scheduled_times_max_us", "scheduled_times_spread_us", "rt_app_latency_max_us"),
    *("packets_sent", "packets_lost", "packets_late", "load_received_mbps", "limits_failed"),
)


def make_page(sweep: str | Path, *, figures: bool = True) -> Path:
    """Writes the table of a sweep anew from the runs of its points, and report.html of its folder.

    Args:
        sweep: the sweep's folder.
        figures: whether it is drawn as well; that takes a second or two.

    Raises:
        ConfigError: it is not the folder of a sweep.
    """
    folder = Path(sweep).resolve()
    about = read_about(folder)
    runs: dict[str, dict[str, Any]] = {}
    for run in catalogue(folder.parent):
        key = run.get("key", "")
        if is_measured(run) or not is_measured(runs.get(key, {})):
            runs[key] = run
    table = write_table(folder, [row(point, runs.get(point["key"])) for point in about["points"]])
    columns = [name for name in (*about["axes"], "status", *_SHOWN) if name in table]
    pictures = _pictures(read_table(folder)) if figures else []
    values = {"rows": _rows(table, columns), "badges": badges(table), "pictures": pictures}
    content = render("sweep.html.j2", about=about, columns=columns, **values)
    (folder / REPORT).write_text(content, encoding="utf-8")
    return folder / REPORT


def _pictures(table: pd.DataFrame) -> list[tuple[str, str]]:
    """The figures of the sweep, each a caption and the base64 text of a PNG; none of what has not been measured."""
    from tsnlab.sweep import chart

    indicator, drawn = table.attrs["indicator"], []
    with suppress(ConfigError):
        drawn.append(
            (
                "The effect of each axis: the points, and the median over all others",
                chart.main_effects(table, indicator),
            )
        )
        drawn.append(("Where all limits hold, where one fails, and the frontier between", chart.frontier(table)))
        drawn.append(("Two axes, and in each field the median over all others", chart.heat_map(table, indicator)))
    return [(caption, base64.b64encode(picture.png).decode()) for caption, picture in drawn]


def _rows(table: pd.DataFrame, columns: list[str]) -> list[tuple[list[str], str, str]]:
    """Of each point the cells, how it ended, and the address of its report."""
    rows = []
    for record in table.to_dict("records"):
        address = f"../{record['run']}/{REPORT}" if record["run"] else ""
        rows.append(([_text(record[name]) for name in columns], str(record["status"]), address))
    return rows


def _text(value: object) -> str:
    import pandas as pd

    if value is None or value is pd.NA:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
