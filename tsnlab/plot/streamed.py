"""Figures of captures of any length, drawn from what was counted: never more than some thousand points.

They look like those of a table and show the same; in addition the tail of the distribution, and what happens
where in the cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tsnlab.analysis.aggregate import Aggregate, Measured
from tsnlab.analysis.findings import tail
from tsnlab.analysis.indicators import TITLES
from tsnlab.analysis.statistics import Statistics
from tsnlab.analysis.tally import Tally
from tsnlab.errors import ConfigError
from tsnlab.packets import CaptureInfo
from tsnlab.plot import page
from tsnlab.plot.bins import weighted
from tsnlab.plot.gate_chart import GateSchedule, Opening, draw_gates, openings, own_class
from tsnlab.plot.sheet import (
    BLUE,
    CASES,
    COLOURS,
    ORANGE,
    SKY,
    SMALL,
    VERMILLION,
    Look,
    badges,
    captions_between,
    dress,
    empty_note,
    number,
    outline,
    plain_numbers,
    sheet,
    strip,
)
from tsnlab.plot.timeline import Envelope, draw_envelope

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SLICES = 500  # of the cycle, in which packets are counted
_TAIL_POINTS = 400
_DPI = 110


def report(
    statistics: Statistics, *, stream: int | None = None, title: str | None = None, guide: page.Guide | None = None
) -> Figure:
    """The guide's figure, as `tsnlab.plot.report` draws it, of one stream or of all.

    Raises:
        ConfigError: there is no such stream.
    """
    chosen = _streams(statistics, stream)
    about = statistics.info()
    tallies = {
        "scheduled_times_us": _joined([one.scheduled for one in chosen]),
        "rt_app_latency_us": _joined([one.application for one in chosen]),
    }
    bins = {name: weighted(*tally.bins()) for name, tally in tallies.items() if tally.count}
    measured = statistics.indicators(stream)
    return page.draw(measured, bins, about, _captions(about, chosen), title=title, guide=guide)


def time_series(statistics: Statistics, *, stream: int | None = None, title: str | None = None) -> Figure:
    """Scheduled times and application latency in the course of the run, by minimum, mean and maximum.

    Raises:
        ConfigError: there is no such stream, or several to choose from.
    """
    one, about = _single(statistics, stream), statistics.info()
    heading = title or f"{about.case}: in the course of the run"
    with sheet(heading, _captions(about, [one]), badges(about), (11, 6.5)) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True)
        first = one.counts.first_start or 0
        _course(upper, one.scheduled, first, "scheduled_times_us")
        _course(lower, one.application, first, "rt_app_latency_us")
        lower.set_xlabel("time since the first cycle (s)")
    return figure


def tails(runs: Mapping[str, Statistics], *, title: str = "How often a packet is as late or later") -> Figure:
    """The complementary distributions of runs on equal axes, shares logarithmic: what a histogram hides.

    Args:
        runs: the statistics of each run, by the name to draw.
        title: of the figure.
    """
    abouts = {name: one.info() for name, one in runs.items()}
    lines = [line for name, about in abouts.items() for line in _origins(name, about, alone=len(runs) == 1)]
    marks = dict.fromkeys(badge for about in abouts.values() for badge in badges(about))
    with sheet(title, lines, marks, (11, 5 + 0.2 * len(lines))) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, name in ((left, "scheduled_times_us"), (right, "rt_app_latency_us")):
            dress(axes, TITLES[name], grid="both")
            _tail_lines(axes, {label: _joined(_quantity(one, name)) for label, one in runs.items()})
        if len(runs) > 1 and left.lines:
            # these lines fall from the upper left to the lower right
            left.legend(loc="lower left")
        left.set_ylabel("share of packets that are as late or later")
    return figure


def phase(
    statistics: Statistics,
    *,
    schedule: GateSchedule | None = None,
    stream: int | None = None,
    traffic_class: int | None = None,
    title: str | None = None,
) -> Figure:
    """What happens where in the cycle: gates, when packets are sent and arrive, and one against the other.

    Args:
        statistics: of the capture.
        schedule: the gates; without it, only the transmit window is marked.
        stream: which one, if there are several.
        traffic_class: the stream's.
        title: of the figure.

    Raises:
        ConfigError: there is no such stream, or several to choose from, or no cycle is known.
    """
    one, about = _single(statistics, stream), statistics.info()
    cycle_ns = about.cycle_ns or one.cycle_ns()
    if not cycle_ns:
        raise ConfigError("phase: the capture does not say how long a cycle is; give it with the source")
    heading = title or f"{about.case}: where in the cycle"
    with sheet(heading, _captions(about, [one]), badges(about), (11, 8.4 if schedule else 7)) as figure:
        rows = list(figure.subplots(3 if schedule else 2, 1, height_ratios=[2, 2, 4] if schedule else [2, 4]))
        _occupancy(rows[-2], one, about, cycle_ns)
        if schedule:
            found = openings(schedule, cycle_ns, one.counts.first_start or schedule.base_time_ns)
            own = own_class(found, about.window) if traffic_class is None else traffic_class
            draw_gates(rows[0], found, own)
            _label_occupancy(rows[-2], one, [gate for gate in found if gate.traffic_class == own], cycle_ns)
        _scatter(rows[-1], one, cycle_ns)
        for axes in rows:
            axes.set_xlim(0, cycle_ns / 1000)
            plain_numbers(axes)
            if about.window:
                axes.axvspan(about.window[0] / 1000, about.window[1] / 1000, color=ORANGE, alpha=0.16, linewidth=0)
    return figure


def save_all(
    statistics: Statistics,
    folder: Path,
    name: str,
    *,
    gates: Mapping[int, GateSchedule] | None = None,
    traffic_class: int | None = None,
) -> list[Path]:
    """Draws all figures of a capture into a folder, as SVG and PNG.

    Args:
        statistics: of the capture.
        folder: where; made if it is not there.
        name: what the files' names begin with.
        gates: those that each stream passes, as far as they are known.
        traffic_class: the stream's, in these.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Callable[[], Figure]] = {
        f"{name}-report": lambda: report(statistics),
        f"{name}-tail": lambda: tails({name: statistics}),
    }
    for number_ in sorted(statistics.streams):
        end = f"-{number_}" if len(statistics.streams) > 1 else ""
        figures[f"{name}-time-series{end}"] = lambda stream=number_: time_series(statistics, stream=stream)  # type: ignore[misc]
        one = statistics.streams[number_]
        if statistics.info().cycle_ns or one.cycle_ns():
            figures[f"{name}-phase{end}"] = lambda stream=number_: phase(  # type: ignore[misc]
                statistics, schedule=(gates or {}).get(stream), stream=stream, traffic_class=traffic_class
            )
    return [path for label, draw in figures.items() for path in save(draw(), folder / label)]


def save(figure: Figure, stem: Path) -> list[Path]:
    """Writes a figure as SVG and PNG; `stem` is their path without the ending."""
    vector, pixels = stem.with_name(f"{stem.name}.svg"), stem.with_name(f"{stem.name}.png")
    # without a date, the same packets give the same file
    figure.savefig(vector, metadata={"Date": None})
    figure.savefig(pixels, dpi=_DPI)
    return [vector, pixels]


def _streams(statistics: Statistics, stream: int | None) -> list[Aggregate]:
    if stream is None:
        return list(statistics.streams.values())
    if stream not in statistics.streams:
        raise ConfigError(f"stream {stream}: the capture has the streams {sorted(statistics.streams)}")
    return [statistics.streams[stream]]


def _single(statistics: Statistics, stream: int | None) -> Aggregate:
    chosen = _streams(statistics, stream)
    if len(chosen) > 1:
        raise ConfigError(f"the capture has the streams {sorted(statistics.streams)}: name one")
    return chosen[0] if chosen else Aggregate(None)


def _quantity(statistics: Statistics, name: str) -> list[Measured]:
    streams = statistics.streams.values()
    return [one.scheduled if name == "scheduled_times_us" else one.application for one in streams]


def _joined(parts: list[Measured]) -> Tally:
    if len(parts) == 1:
        return parts[0].tally
    whole = Tally()
    for part in parts:
        whole.merge(part.tally)
    return whole


def _captions(about: CaptureInfo, streams: list[Aggregate]) -> tuple[str, ...]:
    firsts = [one.counts.first_start for one in streams if one.counts.first_start is not None]
    lasts = [one.counts.last_start for one in streams if one.counts.last_start is not None]
    return captions_between(about, min(firsts, default=None), max(lasts, default=None))


def _origins(name: str, about: CaptureInfo, *, alone: bool) -> tuple[str, str]:
    """Two lines below a figure: which run, and by which clock and timestamps."""
    own = alone or name == about.run
    first, second, *_ = captions_between(about, None, None)
    return first if own else f"{name}: {first}", second


def _course(axes: Axes, measured: Measured, first: int, name: str) -> None:
    course = measured.slices.course()
    if not len(course.times):
        dress(axes, TITLES[name])
        empty_note(axes, "no packets")
        return
    # in the middle of a slice, but for those at the ends not before the first cycle
    times = np.maximum(course.times + course.width_ns // 2 - first, 0) / 1e9
    shape = Envelope(times, course.lowest / 1000, course.means / 1000, course.highest / 1000)
    draw_envelope(axes, shape, COLOURS[name])
    notes = f"{measured.tally.count:,} packets, in slices of {course.width_ns / 1e9:.3g} s: "
    dress(axes, TITLES[name], notes + "band from minimum to maximum, line at the mean", grid="both")
    axes.set_ylabel("latency (µs)")
    axes.margins(x=0.01)
    plain_numbers(axes, "y")


def _tail_lines(axes: Axes, tallies: Mapping[str, Tally]) -> None:
    filled = {name: tally for name, tally in tallies.items() if tally.count}
    if not filled:
        empty_note(axes, "no packets")
        return
    for index, (name, tally) in enumerate(filled.items()):
        values, counts = tail(tally, _TAIL_POINTS)
        colour = CASES[index % len(CASES)]
        axes.step(values / 1000, counts / tally.count, where="pre", color=colour, label=name, linewidth=1.6)
    axes.set_yscale("log")
    axes.set_xlabel("latency (µs)")
    plain_numbers(axes)


def _occupancy(axes: Axes, one: Aggregate, about: CaptureInfo, cycle_ns: int) -> None:
    """How many packets are sent and arrive in each slice of the cycle."""
    inside = _inside(one.scheduled.tally, about.window)
    dress(axes, "Packets by their place in the cycle", f"counts on a logarithmic scale{inside}", grid="x")
    rows = (("sent", one.application.tally, VERMILLION), ("arrive", one.scheduled.tally, BLUE))
    edges = np.linspace(0, cycle_ns, _SLICES + 1) / 1000
    for base, (_, tally, colour) in zip((1, 0), rows, strict=True):
        if tally.count:
            counts = _by_phase(tally, cycle_ns)
            strip(axes, counts, edges, base, Look(colour, 0.82, int(counts.max())))
    axes.set_yticks([1.43, 0.43], [name for name, _, _ in rows])
    axes.set_ylim(0, 2)


def _label_occupancy(axes: Axes, one: Aggregate, mine: list[Opening], cycle_ns: int) -> None:
    """The share of packets that are sent, and that arrive, while the stream's gate is open."""
    for gate in mine:
        axes.axvspan(gate.start_ns / 1000, gate.end_ns / 1000, color=SKY, alpha=0.25, linewidth=0, zorder=0)
        inside = one.within_phase(gate.start_ns, gate.end_ns, cycle_ns)
        for base, count, tally in zip((1, 0), inside, (one.application.tally, one.scheduled.tally), strict=True):
            if tally.count:
                axes.text(
                    (gate.start_ns + gate.end_ns) / 2000,
                    base + 0.66,
                    f"{100 * count / tally.count:.4g} %",
                    ha="center",
                    fontsize=SMALL,
                    path_effects=outline(),
                )


def _by_phase(tally: Tally, cycle_ns: int) -> npt.NDArray[np.int64]:
    values, counts = tally.bins()
    filled = np.zeros(_SLICES, dtype=np.int64)
    np.add.at(filled, (values % cycle_ns) * _SLICES // cycle_ns, counts)
    return filled


def _inside(tally: Tally, window: tuple[int, int] | None) -> str:
    if window is None or not tally.count:
        return ""
    missed = tally.below(window[0]) + tally.above(window[1])
    return f"; {tally.count - missed:,} of {tally.count:,} arrive in the window, {missed:,} outside"


def _scatter(axes: Axes, one: Aggregate, cycle_ns: int) -> None:
    """Scheduled time against when in its cycle the program sent: flat if gates decide, a diagonal if not."""
    _, _, sent, scheduled = one.sample()
    if not len(sent):
        dress(axes, "Scheduled time by when the program sends")
        empty_note(axes, "no packets")
        return
    axes.plot(sent % cycle_ns / 1000, scheduled / 1000, ".", color=BLUE, markersize=3, alpha=0.5, markeredgewidth=0)
    extremes = [*one.scheduled.largest.list(), *one.scheduled.smallest.list()]
    notes = f"{number(len(sent), 0)} packets, evenly chosen; lines at the {len(extremes)} most extreme of all"
    dress(axes, "Scheduled time by when the program sends", notes, grid="both")
    for extreme in extremes:
        axes.axhline(extreme.value / 1000, color=ORANGE, linewidth=0.5)
    axes.set_xlabel("time since the beginning of the cycle (µs)")
    axes.set_ylabel("scheduled time (µs)")
    plain_numbers(axes, "y")
