"""The guide's report page (its figures 3 to 5, made by nl-report): its three histograms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from tsnlab import packets
from tsnlab.analysis.indicators import TITLES, Indicators, indicators, rt_app_latency_ns, scheduled_times_ns
from tsnlab.analysis.summary import Summary
from tsnlab.plot.bins import Histogram, histogram
from tsnlab.plot.sheet import (
    COLOURS,
    INK,
    SMALL,
    badges,
    captions,
    dress,
    empty_note,
    log_counts,
    number,
    outline,
    plain_numbers,
    sheet,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Range = tuple[float, float]
Guide = Mapping[str, Range]

_FEW = 12  # up to so many bins, each bar says how many packets it holds
_IN_NS = 20_000  # up to this deviation, jitter is drawn in nanoseconds, beyond in microseconds
_STRETCH = 2.2  # how much wider an axis may become to show the guide's values as well


class _Scale(NamedTuple):
    """The unit of an axis, how many nanoseconds make one, what turns a summary into it, and its decimals."""

    unit: str
    ns: int
    factor: float
    digits: int


def report(frame: pd.DataFrame, *, title: str | None = None, guide: Guide | None = None) -> Figure:
    """Draws the guide's figure: scheduled times above, application latency and jitter below, log counts.

    Args:
        frame: the `packets` table with its description.
        title: of the figure; by default names the case.
        guide: (min, max) to compare with, by the names of the indicators: `scheduled_times_us`,
            `rt_app_latency_us`, `network_jitter_ns`; in these units.

    Raises:
        ConfigError: the table carries no description.
    """
    about = packets.info(frame)
    lines = captions(frame, about)
    return draw(indicators(frame), _bins_of(frame), about, lines, title=title, guide=guide)


def draw(
    measured: Indicators,
    bins: Mapping[str, Histogram],
    about: packets.CaptureInfo,
    lines: tuple[str, ...],
    *,
    title: str | None = None,
    guide: Guide | None = None,
) -> Figure:
    """The guide's figure from what has been counted already.

    Args:
        measured: the indicators.
        bins: the histograms of `scheduled_times_us` and `rt_app_latency_us`, in nanoseconds; what has no
            packets is not there.
        about: the capture.
        lines: the captions.
        title: of the figure; by default names the case.
        guide: see `report`.
    """
    heading = title or f"{about.case}: TSN latency and jitter"
    with sheet(heading, lines, badges(about), (11, 8)) as figure:
        grid = figure.add_gridspec(2, 2)
        places = {
            "scheduled_times_us": grid[0, :],
            "rt_app_latency_us": grid[1, 0],
            "network_jitter_ns": grid[1, 1],
        }
        for name, place in places.items():
            own = bins.get("rt_app_latency_us" if name == "rt_app_latency_us" else "scheduled_times_us")
            _panel(figure.add_subplot(place), own, getattr(measured, name), name, (guide or {}).get(name))
    return figure


def _bins_of(frame: pd.DataFrame) -> dict[str, Histogram]:
    values = {
        "scheduled_times_us": packets.taken(scheduled_times_ns(frame)),
        "rt_app_latency_us": packets.taken(rt_app_latency_ns(frame)),
    }
    return {name: histogram(one) for name, one in values.items() if len(one)}


def _panel(axes: Axes, own: Histogram | None, summary: Summary, name: str, guide: Range | None) -> None:
    if own is None:
        dress(axes, TITLES[name])
        empty_note(axes, "no packets sent" if name == "rt_app_latency_us" else "no packets received")
        return
    scale = _scale(summary)
    bins = _mirrored(own, summary) if name == "network_jitter_ns" else own
    edges = bins.edges / scale.ns
    beside = (guide[0] * scale.factor, guide[1] * scale.factor) if guide else None
    shown = _shown(edges, beside)
    dress(axes, TITLES[name], _notes(summary, scale, beside, shown))
    axes.set_xlim(*shown)
    plain_numbers(axes)
    _bars(axes, bins, edges, COLOURS[name], scale.digits)
    _mark_guide(axes, beside, shown)
    quantity = "jitter" if name == "network_jitter_ns" else "latency"
    axes.set_xlabel(f"{quantity} ({scale.unit}), {_width_text(bins.width)} bins")


def _scale(summary: Summary) -> _Scale:
    if summary.unit == "us":
        return _Scale("µs", 1000, 1, 3)
    far = max(abs(summary.min or 0), abs(summary.max or 0)) > _IN_NS
    return _Scale("µs", 1000, 1e-3, 3) if far else _Scale("ns", 1, 1, 1)


def _mirrored(bins: Histogram, summary: Summary) -> Histogram:
    """Jitter is the scheduled time seen from the mean, early to the right: the same bins, mirrored."""
    # the maximum of the jitter is the distance of the lowest value to the mean
    mean_ns = bins.lowest + (summary.max or 0)
    return Histogram(bins.counts[::-1], mean_ns - bins.edges[::-1], bins.width, bins.lowest)


def _bars(axes: Axes, bins: Histogram, edges: npt.NDArray[np.float64], colour: str, digits: int) -> None:
    """A filled outline; of a few bins, bars that say how many packets they hold."""
    axes.set_ylabel("packets")
    log_counts(axes, int(bins.counts.max()))
    if len(bins.counts) > _FEW:
        axes.stairs(bins.counts, edges, fill=True, color=colour, linewidth=0, baseline=0.1)
        return
    centres = (edges[1:] + edges[:-1]) / 2
    filled = bins.counts > 0
    bars = axes.bar(centres[filled], bins.counts[filled], width=0.82 * (edges[1] - edges[0]), color=colour)
    labels = [f"{count:,}" for count in bins.counts[filled]]
    axes.bar_label(bars, labels, padding=2, fontsize=SMALL, color=INK, zorder=5, path_effects=outline())
    if len(centres) <= _FEW // 2:
        axes.set_xticks(centres, [number(centre, digits) for centre in centres])


def _shown(edges: npt.NDArray[np.float64], guide: Range | None) -> Range:
    """The limits of an axis for the bins and, unless that squeezes them, for the extremes of the guide."""
    low, high, width = float(edges[0]), float(edges[-1]), float(edges[1] - edges[0])
    # a single value is a bar, not a wall
    margin = max(0.03 * (high - low), (5 - (high - low) / width) * width / 2)
    own = low - margin, high + margin
    if guide is None:
        return own
    wide = min(own[0], guide[0] - margin), max(own[1], guide[1] + margin)
    return wide if wide[1] - wide[0] <= _STRETCH * (own[1] - own[0]) else own


def _mark_guide(axes: Axes, guide: Range | None, shown: Range) -> None:
    for end in guide or ():
        if shown[0] <= end <= shown[1]:
            axes.axvline(end, color="white", linewidth=2.6, alpha=0.8)
            axes.axvline(end, color=INK, linewidth=1.1, linestyle=(0, (4, 3)))


def _notes(summary: Summary, scale: _Scale, guide: Range | None, shown: Range) -> str:
    ends = (summary.min or 0, summary.max or 0, summary.spread or 0)
    low, high, spread = (number(end * scale.factor, scale.digits) for end in ends)
    count = f"{summary.count:,} packets · " if summary.unit == "us" else ""
    ours = f"{count}min {low} · max {high} · spread {spread} {scale.unit}"
    if guide is None:
        return ours
    marked = "dashed" if shown[0] <= guide[0] and guide[1] <= shown[1] else "not all on this axis"
    low, high = (number(end, scale.digits) for end in guide)
    return f"{ours}\nguide ({marked}): min {low} · max {high} {scale.unit}"


def _width_text(width_ns: int) -> str:
    return f"{width_ns} ns" if width_ns < 1000 else f"{width_ns / 1000:g} µs"
