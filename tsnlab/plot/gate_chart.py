"""The gates of a schedule over the cycle of the stream, with the packets in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tsnlab import packets
from tsnlab.analysis.indicators import rt_app_latency_ns, scheduled_times_ns
from tsnlab.errors import ConfigError
from tsnlab.plot.sheet import (
    BLUE,
    GREY,
    ORANGE,
    PALE,
    SMALL,
    VERMILLION,
    Look,
    badges,
    captions,
    dress,
    number,
    plain_numbers,
    sheet,
    strip,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SLICES = 500  # of the cycle, in which packets are counted
_PALE_BLUE = "#b9d9ea"


class GateSchedule(Protocol):
    """A gate control list (IEEE 802.1Q, 8.6.9.4): entries in order, repeated from the base time on."""

    @property
    def cycle_ns(self) -> int:
        """How long the list takes."""

    @property
    def base_time_ns(self) -> int:
        """A time, in nanoseconds of TAI, at which a cycle begins."""

    @property
    def entries(self) -> Sequence[tuple[int, int]]:
        """(gate mask, interval in nanoseconds); bit n of the mask opens the gate of traffic class n."""


class Opening(NamedTuple):
    """The gate of a traffic class is open from `start_ns` to `end_ns` after the stream's cycle begins."""

    traffic_class: int
    start_ns: int
    end_ns: int


def openings(schedule: GateSchedule, cycle_ns: int, origin_ns: int) -> list[Opening]:
    """When which gates are open in a cycle of `cycle_ns` that begins at `origin_ns` of TAI, by time.

    Neighbouring entries that leave a gate open give one opening.

    Raises:
        ConfigError: the schedule's cycle or one of its intervals is not positive.
    """
    if schedule.cycle_ns <= 0 or any(interval <= 0 for _, interval in schedule.entries):
        raise ConfigError("gates: the cycle and every interval of a schedule last at least 1 ns")
    found: list[Opening] = []
    last: dict[int, int] = {}
    for mask, start, end in _states(schedule, cycle_ns, origin_ns):
        for traffic_class in _classes(mask):
            index = last.get(traffic_class)
            if index is not None and found[index].end_ns == start:
                found[index] = found[index]._replace(end_ns=end)
            else:
                last[traffic_class] = len(found)
                found.append(Opening(traffic_class, start, end))
    return found


def gates(
    frame: pd.DataFrame,
    schedule: GateSchedule,
    *,
    cycle_ns: int | None = None,
    traffic_class: int | None = None,
    title: str | None = None,
) -> Figure:
    """Draws which gates are open when, and when in the cycle the program sends packets and they arrive.

    Args:
        frame: the `packets` table with its description; without packets, only the gates are drawn.
        schedule: the schedule of the talker's NIC.
        cycle_ns: how much to draw; by default the stream's own cycle, over which a shorter schedule repeats.
        traffic_class: the stream's; by default that with the least open time among those whose gate is open
            throughout the transmit window.
        title: of the figure; by default names the case.

    Raises:
        ConfigError: the table carries no description, or no cycle is known.
    """
    about = packets.info(frame)
    span = cycle_ns or about.cycle_ns
    if not span:
        raise ConfigError("gates: the capture does not say how long a cycle is; pass cycle_ns")
    starts = frame["interval_start"].dropna()
    found = openings(schedule, span, int(starts.iloc[0]) if len(starts) else schedule.base_time_ns)
    own = own_class(found, about.window) if traffic_class is None else traffic_class
    heading = title or f"{about.case}: gates and packets"
    with sheet(heading, captions(frame, about), badges(about), (11, 6.2 if len(frame) else 4.2)) as figure:
        panels = _panels(figure, with_packets=len(frame) > 0)
        draw_gates(panels[0], found, own)
        if len(frame):
            _draw_packets(panels[1], frame, span)
        if about.window:
            _mark_window(panels, about.window)
        panels[-1].set_xlim(0, span / 1000)
        plain_numbers(panels[-1])
        panels[-1].set_xlabel("time since the beginning of the cycle (µs)")
    return figure


def _panels(figure: Figure, *, with_packets: bool) -> list[Axes]:
    """Axes for the gates and, if there are any, for the packets below them."""
    if not with_packets:
        return [figure.add_subplot()]
    return list(figure.subplots(2, 1, sharex=True, height_ratios=[3, 2]))


def _states(schedule: GateSchedule, cycle_ns: int, origin_ns: int) -> Iterator[tuple[int, int, int]]:
    """(mask, start, end) of each entry that falls in the cycle, clipped to it."""
    start = -((origin_ns - schedule.base_time_ns) % schedule.cycle_ns)
    while start < cycle_ns:
        ends = start + schedule.cycle_ns
        for index, (mask, interval) in enumerate(schedule.entries):
            # the last state holds until the cycle ends (IEEE 802.1Q, 8.6.9.4)
            end = ends if index == len(schedule.entries) - 1 else min(start + interval, ends)
            if end > 0 and start < cycle_ns and end > start:
                yield mask, max(start, 0), min(end, cycle_ns)
            start = end
        start = ends


def _classes(mask: int) -> Iterator[int]:
    return (bit for bit in range(mask.bit_length()) if mask >> bit & 1)


def own_class(found: list[Opening], window: tuple[int, int] | None) -> int | None:
    """The traffic class that has the least open time among those whose gate is open throughout the window."""
    if window is None:
        return None
    open_ns: dict[int, int] = {}
    for one in found:
        open_ns[one.traffic_class] = open_ns.get(one.traffic_class, 0) + one.end_ns - one.start_ns
    around = {one.traffic_class for one in found if one.start_ns <= window[0] and window[1] <= one.end_ns}
    return min(around, key=lambda traffic_class: open_ns[traffic_class], default=None)


def draw_gates(axes: Axes, found: list[Opening], own: int | None) -> None:
    """A row for each traffic class, with bars where its gate is open; `own` is the stream's."""
    dress(axes, "Open gates", grid="x")
    classes = range(max((one.traffic_class for one in found), default=0) + 1)
    for traffic_class in classes:
        mine = [one for one in found if one.traffic_class == traffic_class]
        spans = [(one.start_ns / 1000, (one.end_ns - one.start_ns) / 1000) for one in mine]
        axes.axhline(traffic_class, color=GREY, linewidth=0.8, zorder=1)
        colour = BLUE if traffic_class == own else _PALE_BLUE
        axes.broken_barh(spans, (traffic_class - 0.34, 0.68), facecolors=colour, zorder=2)
    axes.set_yticks(classes, [f"TC {one} (stream)" if one == own else f"TC {one}" for one in classes])
    axes.set_ylim(len(classes) - 0.4, -0.6)
    if own is not None and own in classes:
        axes.get_yticklabels()[own].set_fontweight("bold")


def _draw_packets(axes: Axes, frame: pd.DataFrame, cycle_ns: int) -> None:
    dress(axes, "Packets, counts on a logarithmic scale", grid="x")
    strips = (
        ("program sends", rt_app_latency_ns(frame), VERMILLION),
        ("packet arrives", scheduled_times_ns(frame), BLUE),
    )
    for base, (_, series, colour) in zip((1, 0), strips, strict=True):
        axes.axhspan(base, base + 0.86, color=PALE, zorder=0)
        values = packets.taken(series)
        if len(values):
            phases = values % cycle_ns
            counts, edges = np.histogram(phases, bins=_SLICES, range=(0, cycle_ns))
            strip(axes, counts, edges / 1000, base, Look(colour, 0.82, int(counts.max())))
            _label_range(axes, values, base, crowded=bool((phases > 0.75 * cycle_ns).any()))
    axes.set_yticks([1.43, 0.43], [name for name, _, _ in strips])
    axes.set_ylim(0, len(strips))
    axes.tick_params(axis="y", length=0)


def _label_range(axes: Axes, values: npt.NDArray[np.int64], base: float, *, crowded: bool) -> None:
    """The extremes in words, at the right; if the strip is crowded there, at the left."""
    text = f"{number(values.min() / 1000, 3)} to {number(values.max() / 1000, 3)} µs"
    x, side = (0.005, "left") if crowded else (0.995, "right")
    axes.text(x, base + 0.66, text, transform=axes.get_yaxis_transform(), ha=side, fontsize=SMALL)


def _mark_window(panels: list[Axes], window: tuple[int, int]) -> None:
    start, end = (edge / 1000 for edge in window)
    for axes in panels:
        axes.axvspan(start, end, color=ORANGE, alpha=0.16, zorder=0.5, linewidth=0)
        axes.vlines([start, end], 0, 1, transform=axes.get_xaxis_transform(), color=ORANGE, linewidth=1)
    panels[0].annotate(
        f"transmit window {start:,g} to {end:,g} µs",
        ((start + end) / 2, 1),
        xytext=(0, 5),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="center",
        fontsize=SMALL,
    )
