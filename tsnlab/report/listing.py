"""The catalogue in words: which runs there are, chosen by case, outcome, date and parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tsnlab.errors import ConfigError
from tsnlab.report.glance import judgement


def chosen(
    runs: Iterable[Mapping[str, Any]],
    *,
    case: str = "",
    status: str = "",
    since: str = "",
    parameters: Mapping[str, str] | None = None,
) -> list[Mapping[str, Any]]:
    """The runs that meet every condition; an empty one is met by all.

    Args:
        runs: as their run.json describe them.
        case: its name.
        status: see `tsnlab.folder`.
        since: a date or time of day as in run.json, or the beginning of one: 2025-01-31.
        parameters: values as texts, as on a command line.
    """
    wanted = (parameters or {}).items()
    return [
        run
        for run in runs
        if case in ("", run.get("case"))
        and status in ("", run.get("status"))
        and run.get("started", "") >= since
        and all(_same(run.get("parameters", {}).get(name), text) for name, text in wanted)
    ]


def in_order(runs: Iterable[Mapping[str, Any]], by: str) -> list[Mapping[str, Any]]:
    """The runs by a parameter, by `spread`, `outcome` or `started`, ascending; those that do not have it come last.

    Raises:
        ConfigError: none of them has it.
    """
    own: dict[str, Callable[[Mapping[str, Any]], Any]] = {
        "started": lambda run: run.get("started"),
        "outcome": lambda run: judgement(run)[1],
        "spread": _spread,
    }
    keys = [(own[by](run) if by in own else run.get("parameters", {}).get(by), run) for run in runs]
    if keys and all(found is None for found, _ in keys):
        names = dict.fromkeys(name for _, run in keys for name in run.get("parameters", {}))
        raise ConfigError(f"no run has {by!r} to sort by; there are {', '.join([*own, *names])}")
    keys.sort(key=lambda pair: _place(pair[0]))
    return [run for _, run in keys]


def listing(runs: Iterable[Mapping[str, Any]]) -> str:
    """A table for the terminal: a line for each run."""
    rows = [("started", "outcome", "spread/us", "run", "parameters"), *map(_row, runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join("  ".join([*map(str.ljust, row, widths), row[4]]).rstrip() for row in rows)


def _row(run: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    spread = _spread(run)
    return (
        str(run.get("started", ""))[:16].replace("T", " "),
        judgement(run)[1],
        "-" if spread is None else f"{spread:.3f}",
        run["run"],
        " ".join(f"{name}={value}" for name, value in run.get("parameters", {}).items()),
    )


def _spread(run: Mapping[str, Any]) -> float | None:
    found: float | None = run.get("indicators", {}).get("scheduled_times_us", {}).get("spread")
    return found


def _place(value: object) -> tuple[int, float, str]:
    """Numbers by their size, then texts, then what is not there."""
    if value is None:
        return 2, 0, ""
    return (0, value, "") if isinstance(value, int | float) else (1, 0, str(value))


def _same(value: object, text: str) -> bool:
    """Whether a parameter has the value that a text stands for; 2 and 2.0 are the same number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(text) == value
        except ValueError:
            return False
    return str(value).lower() == text.lower()
