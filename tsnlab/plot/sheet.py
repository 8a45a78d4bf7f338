"""What all figures share: a sheet with title, badges and captions, the palette, and how axes are dressed.

The palette is that of Okabe and Ito (Color Universal Design, 2008), which stays distinct for colour-blind
readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tsnlab.packets import CaptureInfo

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE, SKY = "#CC79A7", "#E69F00", "#56B4E9"
INK, GREY, GRID, PALE = "#1f1f1f", "#595959", "#e3e3e3", "#f2f2f2"
CASES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
COLOURS = {"scheduled_times_us": BLUE, "rt_app_latency_us": VERMILLION, "network_jitter_ns": GREEN}

SMALL, NORMAL, LARGE = 8.5, 10.0, 15.0
_HEADER_IN, _MARGIN_IN, _LINE_IN = 0.62, 0.18, 0.19
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": NORMAL,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.facecolor": "white",
    "axes.edgecolor": GREY,
    "axes.unicode_minus": True,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
}


class Look(NamedTuple):
    """How a strip looks: its colour, its height, and the count that reaches this height."""

    colour: str
    height: float
    highest: int


@contextmanager
def sheet(title: str, footer: Iterable[str], marks: Iterable[str], size: tuple[float, float]) -> Iterator[Figure]:
    """An empty figure of `size` inches with title, badges and footer, to be drawn on inside the context."""
    import matplotlib
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from tsnlab.plot.figure import LabFigure

    width, height = size
    lines = list(footer)
    left, right, top = _MARGIN_IN / width, 1 - _MARGIN_IN / width, 1 - _MARGIN_IN / height
    below = (2 * _MARGIN_IN + _LINE_IN * len(lines)) / height
    body = (left, below, right - left, 1 - below - _HEADER_IN / height)
    layout = ConstrainedLayoutEngine(rect=body, hspace=0.08, wspace=0.06)
    with matplotlib.rc_context(_STYLE):
        figure = LabFigure(figsize=size, facecolor="white", layout=layout)
        figure.text(left, top, title, va="top", fontsize=LARGE, weight="bold")
        _badge(figure, " · ".join(marks), right, top)
        foot = figure.text(left, _MARGIN_IN / height, "\n".join(lines), fontsize=SMALL, color=GREY)
        foot.set(va="bottom", linespacing=1.5)
        yield figure


def dress(axes: Axes, title: str, notes: str = "", *, grid: Literal["x", "y", "both"] = "y") -> None:
    """A title at the left, notes in small print below it, quiet spines and grid."""
    lines = notes.count("\n") + 1 if notes else 0
    axes.set_title(title, loc="left", fontsize=NORMAL + 1.5, weight="bold", pad=8 + 15 * lines)
    if notes:
        axes.annotate(
            notes,
            (0, 1),
            xytext=(0, 8),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=SMALL + 0.5,
            color=GREY,
            linespacing=1.4,
            in_layout=False,
        )
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=NORMAL - 1, color=GREY, labelcolor=INK)
    axes.grid(axis=grid, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def plain_numbers(axes: Axes, which: Literal["x", "y"] = "x") -> None:
    """Ticks in full, 1253.20 and 1,250,000, never as 1.2e6 or as an offset from a number in the corner."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10]))

    def text(value: float, _position: int | None = None) -> str:
        ticks = axis.get_majorticklocs()
        step = float(np.diff(ticks[:2])[0]) if len(ticks) > 1 else 1.0
        digits = next((count for count in range(4) if np.isclose(step * 10**count % 1, [0, 1], atol=1e-6).any()), 3)
        return number(value, digits)

    axis.set_major_formatter(FuncFormatter(text))


def number(value: float, digits: int) -> str:
    """A number in full, with thousands set apart and a proper minus sign."""
    return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def log_counts(axes: Axes, highest: int) -> None:
    """A logarithmic y axis for counts from 1 to `highest`."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_yscale("log")
    axes.set_ylim(0.7, max(highest, 1) * 3)
    axes.yaxis.set_major_locator(LogLocator(base=10, numticks=8))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:,.0f}"))


def outline() -> list[Any]:
    """Path effects that keep a text readable where it crosses a line."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="white")]


def empty_note(axes: Axes, text: str) -> None:
    """Says in the middle of empty axes why they are empty."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GREY)


def strip(axes: Axes, counts: npt.NDArray[np.int64], edges: npt.NDArray[np.float64], base: float, look: Look) -> None:
    """A histogram on `base` with logarithmic heights; lines show slices that are narrower than a pixel.

    Args:
        axes: where to draw; its x axis has the unit of `edges`.
        counts: shape (n,).
        edges: shape (n + 1,).
        base: where on the y axis it stands.
        look: its colour, its height, and the count that reaches it.
    """
    filled = counts > 0
    centres = (edges[1:] + edges[:-1]) / 2
    tops = base + look.height * np.log1p(counts) / np.log1p(max(look.highest, 1))
    axes.stairs(tops, edges, baseline=base, fill=True, color=look.colour, linewidth=0)
    axes.vlines(centres[filled], base, tops[filled], color=look.colour, linewidth=1.5)


def origin(about: CaptureInfo) -> str:
    """Where the packets come from and what became of them, in a line."""
    counts = ("sent", "received", "lost", "duplicated", "reordered")
    became = " · ".join(f"{getattr(about, name):,} {name}" for name in counts) if about.sent else "no packets sent"
    late = f" · {about.late_total:,} late" if about.late_total else ""
    return f"{about.run or about.case} · lab {about.lab} · case {about.case} · {became}{late}"


def captions(frame: pd.DataFrame, about: CaptureInfo) -> tuple[str, ...]:
    """The lines below a figure: origin and counts, clock and timestamps, the first and the last cycle."""
    starts = frame["interval_start"].dropna()
    ends = (None, None) if starts.empty else (int(starts.min()), int(starts.max()))
    return captions_between(about, *ends)


def captions_between(about: CaptureInfo, first: int | None, last: int | None) -> tuple[str, ...]:
    """The lines below a figure whose first and last cycle begin at these times."""
    clock = f"clock: {about.clock or 'not named'}"
    clock += f" · arrival: {about.arrival_text}" if about.arrival else ""
    if first is None or last is None:
        return origin(about), clock
    begin, end = (np.datetime64(moment, "ns") for moment in (first, last))
    return origin(about), clock, f"cycles beginning from {begin} to {end} TAI"


def badges(about: CaptureInfo) -> tuple[str, ...]:
    """What a reader has to know before believing the figure."""
    return about.badges if about.complete else ("incomplete", *about.badges)


def _badge(figure: Figure, text: str, right: float, top: float) -> None:
    if text:
        box = {"boxstyle": "round,pad=0.45", "facecolor": "#fdf3d8", "edgecolor": ORANGE, "linewidth": 1}
        figure.text(right, top - 0.01, text, ha="right", va="top", fontsize=SMALL, bbox=box)
