"""Time series: what the scheduled times and the application latency did in the course of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tsnlab import packets
from tsnlab.analysis.indicators import TITLES, rt_app_latency_ns, scheduled_times_ns
from tsnlab.plot.sheet import (
    COLOURS,
    PURPLE,
    SMALL,
    badges,
    captions,
    dress,
    empty_note,
    plain_numbers,
    sheet,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_POINTS = 5000
_COLUMNS = 800


@dataclass(frozen=True)
class Envelope:
    """Extremes and mean of the values in each of n slices of time; all arrays have shape (n,)."""

    times: npt.NDArray[np.float64]
    lowest: npt.NDArray[np.float64]
    means: npt.NDArray[np.float64]
    highest: npt.NDArray[np.float64]


def envelope(times: npt.NDArray[np.float64], values: npt.NDArray[np.float64], slices: int = _COLUMNS) -> Envelope:
    """Reduces a series to slices of equal duration without losing an extreme; empty slices are left out.

    Args:
        times: shape (n,), ascending, n > 0.
        values: shape (n,).
        slices: how many at most.
    """
    edges = np.linspace(times[0], times[-1], slices + 1)[:-1]
    starts = np.unique(np.searchsorted(times, edges, side="left"))
    counts = np.diff(np.append(starts, len(values)))
    return Envelope(
        times=np.add.reduceat(times, starts) / counts,
        lowest=np.minimum.reduceat(values, starts),
        means=np.add.reduceat(values, starts) / counts,
        highest=np.maximum.reduceat(values, starts),
    )


def time_series(frame: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Draws scheduled times and application latency in the course of the run, and where packets were lost.

    Each packet is a point; more than `MOST_POINTS` are drawn as an envelope of minimum, mean and maximum.

    Args:
        frame: the `packets` table with its description.
        title: of the figure; by default names the case.

    Raises:
        ConfigError: the table carries no description.
    """
    about = packets.info(frame)
    heading = title or f"{about.case}: in the course of the run"
    with sheet(heading, captions(frame, about), badges(about), (11, 6.5)) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True)
        _panel(upper, frame, scheduled_times_ns(frame), "scheduled_times_us")
        _mark_lost(upper, frame)
        _panel(lower, frame, rt_app_latency_ns(frame), "rt_app_latency_us")
        lower.set_xlabel("time since the first cycle (s)")
    return figure


def _panel(axes: Axes, frame: pd.DataFrame, series: pd.Series[int], name: str) -> None:
    present = (series.notna() & frame["interval_start"].notna()).to_numpy()
    if not present.any():
        dress(axes, TITLES[name])
        empty_note(axes, "no packets")
        return
    times, values = _seconds(frame)[present], packets.taken(series[present]) / 1000
    notes = f"{len(values):,} packets"
    if len(values) > MOST_POINTS:
        notes += ", in slices of time: band from minimum to maximum, line at the mean"
        order = np.argsort(times, kind="stable")
        draw_envelope(axes, envelope(times[order], values[order]), COLOURS[name])
    else:
        axes.plot(times, values, ".", color=COLOURS[name], markersize=3.2, alpha=0.6, markeredgewidth=0)
    dress(axes, TITLES[name], notes, grid="both")
    axes.set_ylabel("latency (µs)")
    axes.margins(x=0.01)
    plain_numbers(axes, "y")


def draw_envelope(axes: Axes, shape: Envelope, colour: str) -> None:
    """A band from the minima to the maxima, and a line at the means."""
    axes.fill_between(shape.times, shape.lowest, shape.highest, color=colour, alpha=0.3, linewidth=0)
    for edge in (shape.lowest, shape.highest):
        axes.plot(shape.times, edge, color=colour, linewidth=0.5)
    axes.plot(shape.times, shape.means, color=colour, linewidth=1.4)


def _mark_lost(axes: Axes, frame: pd.DataFrame) -> None:
    """Ticks below the axis where packets did not arrive."""
    lost = (packets.arrival(frame).isna() & frame["interval_start"].notna()).to_numpy()
    if not lost.any() or lost.all():
        return
    times = _seconds(frame)[lost]
    axes.plot(
        times,
        np.full(len(times), 0.02),
        "|",
        color=PURPLE,
        markersize=9,
        markeredgewidth=1.2,
        transform=axes.get_xaxis_transform(),
        clip_on=False,
    )
    axes.annotate(
        f"| {len(times):,} without arrival",
        (1, 1),
        xytext=(0, 8),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        fontsize=SMALL + 0.5,
        color=PURPLE,
    )


def _seconds(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Seconds since the first cycle, shape (packets,); differences are taken in integers."""
    since = frame["interval_start"] - frame["interval_start"].min()
    return np.asarray(since.to_numpy(np.float64, na_value=np.nan)) / 1e9
