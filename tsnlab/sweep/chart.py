"""A sweep drawn: main effects of its axes, and a heat map of two of them with the frontier of what holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tsnlab.errors import ConfigError
from tsnlab.folder import Picture
from tsnlab.sweep.plan import REPETITION
from tsnlab.sweep.table import badges

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINT, _MEDIAN, _FAILED = "#8a8a8a", "#0072b2", "#d55e00"


def main_effects(table: pd.DataFrame, indicator: str) -> Picture:
    """Draws an indicator over each axis of a sweep: every point, and the median over all other axes.

    Args:
        table: see :func:`tsnlab.sweep.read_table`.
        indicator: a column of numbers.

    Raises:
        ConfigError: there is no such column, or nothing in it.
    """
    from matplotlib.figure import Figure

    rows = _measured(table, indicator)
    names = axes_of(table)
    figure = Figure(figsize=(4.2 * len(names), 4.2), layout="constrained")
    figure.suptitle(f"{table.attrs['title']}: {_words(indicator)}")
    _wear_badges(figure, table)
    for name, drawn in zip(names, figure.subplots(1, len(names), sharey=True, squeeze=False)[0], strict=True):
        _effect(drawn, rows, name, indicator)
    return Picture.of(figure)


def heat_map(table: pd.DataFrame, indicator: str, across: str = "", down: str = "") -> Picture:
    """Draws an indicator over two axes, the median over all others; fields where a limit fails are crossed out.

    Raises:
        ConfigError: the sweep has no such axes, or there is no such column.
    """
    from matplotlib.figure import Figure

    rows = _measured(table, indicator)
    across, down = _two_axes(table, across, down)
    values = rows.pivot_table(index=down, columns=across, values=indicator, aggfunc="median", observed=True)
    fails = rows.assign(fails=rows["limits_failed"].ne("")).pivot_table(index=down, columns=across, values="fails")
    figure = Figure(figsize=(2.6 + 0.9 * len(values.columns), 2.6 + 0.55 * len(values)), layout="constrained")
    _wear_badges(figure, table)
    drawn = figure.subplots()
    shown = drawn.imshow(values.to_numpy(dtype=float), cmap="cividis", aspect="auto", origin="lower")
    figure.colorbar(shown, label=_words(indicator))
    drawn.set_xticks(range(len(values.columns)), map(_tick, values.columns))
    drawn.set_yticks(range(len(values)), map(_tick, values.index))
    drawn.set(xlabel=_words(across), ylabel=_words(down), title=table.attrs["title"])
    failing = fails.reindex(index=values.index, columns=values.columns).to_numpy(dtype=float) > 0
    for row, column in zip(*failing.nonzero(), strict=True):
        drawn.plot(column, row, "x", color=_FAILED, markersize=11, markeredgewidth=2)
    return Picture.of(figure)


def axes_of(table: pd.DataFrame) -> list[str]:
    """The axes of a sweep; repetitions are no effect that anybody asks for."""
    return [name for name in table.attrs["axes"] if name != REPETITION] or [REPETITION]


def _wear_badges(figure: Figure, table: pd.DataFrame) -> None:
    """No figure of the virtual lab is to be taken for one of hardware."""
    if worn := badges(table):
        figure.supxlabel("\n".join(worn), fontsize="small", color="#7a5200")


def _effect(drawn: Axes, rows: pd.DataFrame, name: str, indicator: str) -> None:
    values = sorted(rows[name].unique())
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    # what is not a number, or only on and off, stands in its order
    place: dict[Any, Any] = {value: value if numbers else index for index, value in enumerate(values)}
    for failed, group in rows.groupby(rows["limits_failed"].ne("")):
        color, label = (_FAILED, "a limit fails") if failed else (_POINT, "all limits hold")
        drawn.plot(
            [place[value] for value in group[name]], group[indicator].astype(float), "o", color=color, label=label
        )
    medians = rows.groupby(name)[indicator].median()
    drawn.plot([place[value] for value in medians.index], medians.astype(float), color=_MEDIAN, label="median")
    if numbers and min(values) > 0 and max(values) >= 20 * min(values):
        drawn.set_xscale("log")
    elif not numbers:
        drawn.set_xticks(list(place.values()), map(_tick, values))
    drawn.set(xlabel=_words(name), ylabel=_words(indicator))
    drawn.legend(fontsize="small")
    drawn.spines[["top", "right"]].set_visible(False)


def _measured(table: pd.DataFrame, indicator: str) -> pd.DataFrame:
    if indicator not in table:
        numbers = ", ".join(str(name) for name in table if str(name).endswith(("_us", "_ns", "_mbps")))
        raise ConfigError(f"the sweep's table has no column {indicator!r}; it has {numbers}")
    rows = table[table[indicator].notna()]
    if rows.empty:
        raise ConfigError(f"the sweep's table has nothing in its column {indicator!r}: no point has measured it")
    return rows


def _two_axes(table: pd.DataFrame, across: str, down: str) -> tuple[str, str]:
    names = axes_of(table) + [name for name in (REPETITION,) if name in table.attrs["axes"]]
    names = list(dict.fromkeys(names))
    for name in filter(None, (across, down)):
        if name not in names:
            raise ConfigError(f"the sweep has no axis {name!r}; it has {', '.join(names)}")
    across = across or next((name for name in names if name != down), "")
    down = down or next((name for name in names if name != across), "")
    if not across or not down:
        raise ConfigError("a heat map needs a sweep of two axes; main_effects shows one")
    return across, down


def _words(column: str) -> str:
    stem, _, unit = column.rpartition("_")
    known = {"us": "us", "ns": "ns", "mbps": "Mbit/s"}
    return f"{stem.replace('_', ' ')} / {known[unit]}" if unit in known else column.replace("_", " ")


def _tick(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
