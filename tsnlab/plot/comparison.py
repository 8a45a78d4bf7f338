"""Cases side by side on equal axes: what TSN changes, in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tsnlab import packets
from tsnlab.analysis.indicators import TITLES, network_jitter_ns, rt_app_latency_ns, scheduled_times_ns
from tsnlab.plot.sheet import (
    CASES,
    SMALL,
    Look,
    badges,
    dress,
    empty_note,
    number,
    origin,
    plain_numbers,
    sheet,
    strip,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Integers = npt.NDArray[np.int64]

_BINS = 400
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), "-.")
_MOST_POINTS = 2000


def compare(frames: Mapping[str, pd.DataFrame], *, title: str = "Cases side by side") -> Figure:
    """Draws the cases' scheduled times and application latencies in rows, and the tails of their jitter.

    The tail shows for each deviation from the mean how large a share of the packets deviates by as much or
    more; both axes are logarithmic, so that nanoseconds and milliseconds fit on one page.

    Args:
        frames: the `packets` table with its description of each case, by the name to draw.
        title: of the figure.

    Raises:
        ConfigError: a table carries no description.
    """
    infos = {name: packets.info(frame) for name, frame in frames.items()}
    lines = [f"{name}: {origin(about)}" for name, about in infos.items()]
    marks = dict.fromkeys(badge for about in infos.values() for badge in badges(about))
    with sheet(title, lines, marks, (11, 5.6 + 0.9 * len(frames))) as figure:
        grid = figure.add_gridspec(2, 2, height_ratios=[1, 1.15])
        times = {name: packets.taken(scheduled_times_ns(frame)) for name, frame in frames.items()}
        _ridges(figure.add_subplot(grid[0, :]), times, TITLES["scheduled_times_us"])
        latencies = {name: packets.taken(rt_app_latency_ns(frame)) for name, frame in frames.items()}
        _ridges(figure.add_subplot(grid[1, 0]), latencies, TITLES["rt_app_latency_us"])
        _tails(figure.add_subplot(grid[1, 1]), frames)
    return figure


def _ridges(axes: Axes, cases: Mapping[str, Integers], title: str) -> None:
    """One strip for each case, above each other on one axis."""
    dress(axes, title, grid="x")
    filled = [values for values in cases.values() if len(values)]
    if not filled:
        empty_note(axes, "no packets")
        return
    low, high = min(values.min() for values in filled), max(values.max() for values in filled)
    edges = np.linspace(min(0, low), high + 1, _BINS + 1)
    counts = [np.histogram(values, edges)[0] for values in cases.values()]
    highest = max(int(one.max()) for one in counts)
    bases = range(len(cases) - 1, -1, -1)
    for base, values, one, colour in zip(bases, cases.values(), counts, _colours(cases), strict=True):
        axes.axhline(base, color=colour, linewidth=0.8)
        strip(axes, one, edges / 1000, base, Look(colour, 0.64, highest))
        axes.text(
            1,
            base + 0.7,
            _range_text(values),
            transform=axes.get_yaxis_transform(),
            ha="right",
            fontsize=SMALL,
        )
    axes.set_yticks([base + 0.3 for base in bases], list(cases))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.05, len(cases))
    axes.set_xlim(edges[0] / 1000, (edges[-1] + 0.02 * (edges[-1] - edges[0])) / 1000)
    axes.set_xlabel("latency (µs)")
    plain_numbers(axes)


def _tails(axes: Axes, frames: Mapping[str, pd.DataFrame]) -> None:
    dress(axes, "TSN network jitter: how far from the mean", grid="both")
    for index, ((name, frame), colour) in enumerate(zip(frames.items(), _colours(frames), strict=True)):
        jitter = network_jitter_ns(frame).dropna().to_numpy(np.float64)
        if len(jitter):
            deviations, shares = tail(np.abs(jitter))
            dashes = _DASHES[index % len(_DASHES)]
            look = {"label": name, "color": colour, "linestyle": dashes, "linewidth": 1.8}
            axes.step(np.maximum(deviations, 1), shares, where="pre", **look)
    if not axes.lines:
        empty_note(axes, "no packets received")
        return
    _log_axes(axes)
    axes.set_xlabel("deviation from the mean, at least")
    axes.set_ylabel("share of packets")
    axes.legend(loc="lower left")


def _log_axes(axes: Axes) -> None:
    """Decades of time from nanoseconds on and of shares in percent, written as people say them."""
    from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(numticks=12))
        axis.set_minor_locator(NullLocator())
    seconds = EngFormatter(unit="s")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: seconds(value * 1e-9)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value * 100:g} %"))


def tail(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The complementary distribution: ascending values, and the share of all that are as large or larger.

    Of more than a few thousand values, those are kept that matter to a logarithmic axis, always the largest.

    Args:
        values: shape (n,), n > 0.
    """
    ordered = np.sort(values)
    count = len(ordered)
    from_top = np.unique(np.geomspace(1, count, min(count, _MOST_POINTS)).round().astype(np.int64))[::-1]
    return ordered[count - from_top], from_top / count


def _colours(cases: Sized) -> list[str]:
    return [CASES[index % len(CASES)] for index in range(len(cases))]


def _range_text(values: Integers) -> str:
    if not len(values):
        return "no packets"
    low, high, spread = (number(int(one) / 1000, 3) for one in (values.min(), values.max(), np.ptp(values)))
    return f"{low} to {high} µs, spread {spread} µs"
