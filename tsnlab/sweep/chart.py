"""A sweep drawn: main effects of its axes, and a heat map of two of them with the frontier of what holds."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any

from tsnlab.errors import ConfigError
from tsnlab.folder import Picture
from tsnlab.sweep.plan import REPETITION
from tsnlab.sweep.table import MEASURED, badges

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINT, _MEDIAN, _FAILED = "#8a8a8a", "#0072b2", "#d55e00"
_HOLDS_NOT = ["#d9ece4", "#f6c7a8"]
_TICK_SHARE = 0.11
"""Of the width of an axis that a tick's text may need."""

_WIDEST_IN = 12.0


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
    figure.suptitle(f"{table.attrs['title']}\n{_words(indicator)}")
    _wear_badges(figure, table)
    for name, drawn in zip(names, figure.subplots(1, len(names), sharey=True, squeeze=False)[0], strict=True):
        _effect(drawn, rows, name, indicator)
    return Picture.of(figure)


def heat_map(table: pd.DataFrame, indicator: str, across: str = "", down: str = "") -> Picture:
    """Draws an indicator over two axes, the median over all others; a line goes around where a limit fails.

    Raises:
        ConfigError: the sweep has no such axes, or there is no such column.
    """
    from matplotlib.figure import Figure

    rows = _measured(table, indicator)
    across, down = _two_axes(table, across, down)
    values = rows.pivot_table(index=down, columns=across, values=indicator, aggfunc="median", observed=True)
    figure = Figure(figsize=(2.6 + 0.9 * len(values.columns), 2.6 + 0.55 * len(values)), layout="constrained")
    _wear_badges(figure, table)
    drawn = figure.subplots()
    shown = drawn.imshow(values.to_numpy(dtype=float), cmap="cividis", aspect="auto", origin="lower")
    figure.colorbar(shown, label=_words(indicator))
    _name_fields(drawn, values)
    drawn.set(title=table.attrs["title"])
    failing = _failing(rows, across, down).reindex(index=values.index, columns=values.columns)
    _draw_border(drawn, failing.to_numpy(dtype=float) > 0)
    return Picture.of(figure)


def frontier(table: pd.DataFrame, across: str = "", down: str = "") -> Picture:
    """Draws where all limits hold, where one fails, and the border between the two; over one axis or over two.

    A field is a combination of values; of several points in it, as many fail as it says. A point that ended without
    numbers is left out.

    Raises:
        ConfigError: the sweep has no such axes, or no point has been measured.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    rows = _with_numbers(table)
    one = len(axes_of(table)) == 1 and not down
    across, down = (across or axes_of(table)[0], "") if one else _two_axes(table, across, down)
    failing = _failing(rows, across, down)
    height = 2.2 + 0.55 * len(failing)
    figure = Figure(figsize=(min(_WIDEST_IN, max(5.0, 2.2 + 0.9 * len(failing.columns))), height), layout="constrained")
    _wear_badges(figure, table)
    drawn = figure.subplots()
    shares = failing.to_numpy(dtype=float)
    colours = ListedColormap(_HOLDS_NOT)
    drawn.imshow(shares > 0, cmap=colours, vmin=0, vmax=1, aspect="auto", origin="lower")
    _name_fields(drawn, failing)
    counts = rows.groupby(list(filter(None, (down, across))))["limits_failed"].agg(["size", _failed]).to_dict("index")
    for row, below in enumerate(failing.index):
        for column, beside in enumerate(failing.columns):
            found = counts.get((below, beside) if down else beside)
            text = "" if found is None else _said(found["size"], found["_failed"])
            drawn.text(column, row, text, ha="center", va="center", fontsize="small")
    _draw_border(drawn, shares > 0)
    drawn.set(title=f"{table.attrs['title']}: where all limits hold")
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
    numbers = all(isinstance(value, Real) and not _is_truth(value) for value in values)
    # what is not a number, or only on and off, stands in its order
    place: dict[Any, Any] = {value: value if numbers else index for index, value in enumerate(values)}
    for failed, group in rows.groupby(rows["limits_failed"].ne("")):
        color, label = (_FAILED, "a limit fails") if failed else (_POINT, "all limits hold")
        drawn.plot(
            [place[value] for value in group[name]], group[indicator].astype(float), "o", color=color, label=label
        )
    medians = rows.groupby(name)[indicator].median()
    drawn.plot([place[value] for value in medians.index], medians.astype(float), color=_MEDIAN, label="median")
    if numbers:
        _scale(drawn, values)
    else:
        drawn.set_xticks(list(place.values()), map(_tick, values))
    # a thousandth of a microsecond is not to look like an effect
    drawn.ticklabel_format(axis="y", useOffset=False)
    drawn.set(xlabel=_words(name), ylabel=_words(indicator))
    drawn.legend(fontsize="small")
    drawn.spines[["top", "right"]].set_visible(False)


def _scale(drawn: Axes, values: list[Any]) -> None:
    """A logarithmic axis where steps become much longer; the values themselves as its ticks, where they have room."""
    from matplotlib.ticker import NullLocator

    logarithmic = min(values) > 0 and len(values) > 2 and values[-1] - values[-2] >= 4 * (values[1] - values[0])
    places = [math.log(value) if logarithmic else value for value in values]
    if logarithmic:
        drawn.set_xscale("log")
        drawn.xaxis.set_minor_locator(NullLocator())
    room = (places[-1] - places[0]) * _TICK_SHARE
    ticks: list[int] = []
    for index, place in enumerate(places):
        if not ticks or place - places[ticks[-1]] >= room:
            ticks.append(index)
    drawn.set_xticks([values[index] for index in ticks], [_tick(values[index]) for index in ticks])


def _name_fields(drawn: Axes, fields: pd.DataFrame) -> None:
    """The values of both axes beside the fields of a map."""
    drawn.set_xticks(range(len(fields.columns)), map(_tick, fields.columns))
    drawn.set_yticks(range(len(fields)), map(_tick, fields.index) if fields.index.name is not None else [""])
    drawn.set(
        xlabel=_words(str(fields.columns.name)),
        ylabel="" if fields.index.name is None else _words(str(fields.index.name)),
    )


def _draw_border(drawn: Axes, failing: np.ndarray[Any, Any]) -> None:
    """A line between every field where a limit fails and its neighbour where none does."""
    style: dict[str, Any] = {"color": _FAILED, "linewidth": 3, "solid_capstyle": "projecting"}
    for row in range(failing.shape[0]):
        for column in range(failing.shape[1]):
            if column and failing[row, column] != failing[row, column - 1]:
                drawn.plot([column - 0.5] * 2, [row - 0.5, row + 0.5], **style)
            if row and failing[row, column] != failing[row - 1, column]:
                drawn.plot([column - 0.5, column + 0.5], [row - 0.5] * 2, **style)


def _failing(rows: pd.DataFrame, across: str, down: str) -> pd.DataFrame:
    """The share of points where a limit fails, in each field of two axes, or of one in a single row."""
    fails = rows.assign(_fails=rows["limits_failed"].ne("").astype(float))
    if not down:
        return fails.groupby(across)[["_fails"]].mean().T.rename_axis(columns=across)
    return fails.pivot_table(index=down, columns=across, values="_fails", observed=True)


def _failed(limits: pd.Series[str]) -> int:
    return int(limits.ne("").sum())


def _said(points: int, failed: int) -> str:
    if points == 1:
        return "fails" if failed else "holds"
    return f"{failed} of {points} fail" if failed else f"{points} hold"


def _with_numbers(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table["status"].isin(MEASURED)]
    if rows.empty:
        raise ConfigError("the sweep's table has no point that was measured")
    return rows


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


def _is_truth(value: object) -> bool:
    return type(value).__name__ in ("bool", "bool_")
