"""The table of a sweep: a row for each point, with parameters, indicators, verdicts and run folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsnlab.errors import ConfigError
from tsnlab.folder import results_folder

if TYPE_CHECKING:
    import pandas as pd

PARQUET = "sweep.parquet"
CSV = "sweep.csv"
SWEEP_JSON = "sweep.json"

MEASURED = ("done", "failed")
"""The statuses of a run with numbers, be they as wanted or not."""

BADGE_SEPARATOR = " · "

_OF_A_SUMMARY = ("count", "min", "mean", "max", "std", "spread", "p50", "p99")


def is_measured(run: Mapping[str, Any]) -> bool:
    """Whether a run came to its end with numbers, be they as wanted or not."""
    return run.get("status") in MEASURED and "seconds" in run


def row(point: Mapping[str, Any], run: Mapping[str, Any] | None) -> dict[str, Any]:
    """One row of the table.

    Args:
        point: as sweep.json has it: `number`, `axes`, `values`.
        run: the run.json of the latest run of this point, if it has been begun.
    """
    begun = run or {}
    verdicts = begun.get("verdicts", [])
    fields = {"point": point["number"], **point["values"], **point["axes"], "status": begun.get("status", "missing")}
    fields |= {"holds": all(one["passed"] for one in verdicts) if verdicts else None}
    fields |= {"limits_failed": "; ".join(one["name"] for one in verdicts if not one["passed"])}
    for indicator, summary in begun.get("indicators", {}).items():
        fields |= {column(indicator, name): summary.get(name) for name in _OF_A_SUMMARY}
    counts = begun.get("packets", {})
    fields |= {f"packets_{name}": counts.get(name) for name in ("sent", "received", "lost", "late") if counts}
    fields |= {"load_received_mbps": _mbps(begun)} if begun.get("load") else {}
    fields["badges"] = BADGE_SEPARATOR.join(begun.get("badges", []))
    return fields | {"seconds": begun.get("seconds"), "error": begun.get("error", ""), "run": begun.get("run", "")}


def column(indicator: str, name: str) -> str:
    """The column of a statistic, with the unit at its end: `scheduled_times_max_us`."""
    stem, _, unit = indicator.rpartition("_")
    return f"{stem}_{name}" if name == "count" else f"{stem}_{name}_{unit}"


def badges(table: pd.DataFrame) -> list[str]:
    """What has to be said of the numbers in a table, from all its points, each once."""
    texts: Iterable[str] = table.get("badges", [])
    return list(dict.fromkeys(badge for text in texts for badge in str(text).split(BADGE_SEPARATOR) if badge))


def write_table(folder: Path, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Writes sweep.parquet and sweep.csv of a sweep's folder; rows in the order of the points."""
    import pandas as pd

    table = pd.DataFrame(list(rows)).sort_values("point", ignore_index=True).convert_dtypes()
    table.to_parquet(folder / PARQUET, index=False)
    table.to_csv(folder / CSV, index=False)
    return table


def read_table(sweep: str | Path) -> pd.DataFrame:
    """The table of a sweep, with what sweep.json says of it (`title`, `indicator`, `axes`, `notebook`) in its `attrs`.

    Args:
        sweep: the sweep's folder.

    Raises:
        ConfigError: it is not the folder of a sweep, or the sweep has not come to its table yet.
    """
    import pandas as pd

    folder = Path(sweep)
    about = read_about(folder)
    if not (folder / PARQUET).is_file():
        raise ConfigError(f"{folder}: the sweep was cut short before its table; `tsnlab report {folder}` makes it")
    table = pd.read_parquet(folder / PARQUET)
    table.attrs |= {name: about[name] for name in ("title", "indicator", "axes", "notebook")}
    return table


def find_sweep(sweep: str | Path) -> Path:
    """The folder of a sweep by its path: from the current folder, or in the project's notebooks/ from the one above.

    Raises:
        ConfigError: there is none.
    """
    folder = results_folder(sweep)
    read_about(folder)
    return folder


def read_about(folder: Path) -> dict[str, Any]:
    """What sweep.json says: name, title, notebook, axes and points.

    Raises:
        ConfigError: it is not the folder of a sweep.
    """
    file = folder / SWEEP_JSON
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{file}: not the folder of a sweep: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{file}: not valid JSON: {error}") from error


def _mbps(run: Mapping[str, Any]) -> float | None:
    received = run["load"].get("received_bps")
    return None if received is None else round(received / 1e6, 3)
