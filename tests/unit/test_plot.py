"""Figures: they say what they show, fit their bins to the clock, and draw anything that can be captured."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text

from tsnlab import packets, plot
from tsnlab.errors import ConfigError
from tsnlab.plot.bins import histogram
from tsnlab.plot.comparison import tail
from tsnlab.plot.gate_chart import Opening, openings
from tsnlab.plot.timeline import MOST_POINTS, envelope

unhurried = settings(deadline=None)  # the machine may be busy

CYCLE = 2_000_000
BASE = 1_588_076_872_000_000_000
GUIDE_ENTRIES = [(1, 200_000), (2, 100_000), (4, 100_000), (8, 100_000)] * 2
SCHEDULE = SimpleNamespace(cycle_ns=1_000_000, base_time_ns=BASE, entries=GUIDE_ENTRIES)


def capture(scheduled: np.ndarray, latencies: np.ndarray | None = None, **about: Any) -> pd.DataFrame:  # type: ignore[type-arg]
    """A capture with these scheduled times, 0 for lost, and application latencies, in nanoseconds."""
    seq = np.arange(len(scheduled))
    start = BASE + CYCLE * seq
    sends = start + (3_119 if latencies is None else latencies)
    none = np.zeros(len(seq), dtype=np.int64)
    arrived = np.stack([none, seq, start, none, none, none, start + scheduled, none], axis=1)[scheduled != 0]
    described: dict[str, Any] = {
        "lab": "virtual",
        "case": "case2",
        "cycle_ns": CYCLE,
        "window": (1_200_000, 1_300_000),
        "clock": "CLOCK_TAI of one kernel",
        "badges": ("simulated time", "injected wake-up latency"),
        **about,
    }
    sent = np.stack([seq, start, start, sends], axis=1)
    return packets.from_records(sent, arrived, packets.CaptureInfo(**described), stream=0)


def controlled(count: int = 500) -> pd.DataFrame:
    return capture(1_253_188 + np.arange(count) % 20 * 8)


def texts(figure: Figure) -> str:
    figure.draw_without_rendering()  # type: ignore[no-untyped-call]
    return "\n".join(text.get_text() for text in figure.findobj(Text))  # type: ignore[attr-defined]


DRAWINGS: dict[str, Callable[[pd.DataFrame], Figure]] = {
    "report": plot.report,
    "time series": plot.time_series,
    "gates": lambda frame: plot.gates(frame, SCHEDULE),
    "compare": lambda frame: plot.compare({"Case 2": frame}),
}
CAPTURES = {
    "no packets": capture(np.array([], dtype=np.int64)),
    "one packet": controlled(1),
    "nothing received": capture(np.zeros(5, dtype=np.int64)),
    "all the same": capture(np.full(50, 1_253_188)),
    "before their cycle": capture(-np.arange(1, 50)),
    "beyond their cycle": capture(3 * CYCLE + np.arange(50)),
    "more than a page has points": capture(np.arange(1, MOST_POINTS + 100)),
}


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS.keys())
@pytest.mark.parametrize("frame", CAPTURES.values(), ids=CAPTURES.keys())
def test_every_capture_can_be_drawn_as_png_and_svg(draw: Callable[[pd.DataFrame], Figure], frame: pd.DataFrame) -> None:
    figure = draw(frame)
    for kind, mark in (("png", b"\x89PNG"), ("svg", b"<svg")):
        picture = io.BytesIO()
        figure.savefig(picture, format=kind)
        assert mark in picture.getvalue()[:1000]


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS.keys())
def test_every_figure_wears_the_badges_and_says_where_it_comes_from(
    draw: Callable[[pd.DataFrame], Figure],
) -> None:
    shown = texts(draw(controlled()))
    for words in ("simulated time · injected wake-up latency", "lab virtual", "500 sent", "0 lost", "µs"):
        assert words in shown


@pytest.mark.parametrize("name", ["report", "time series", "gates"])
def test_captions_name_clock_and_timestamps(name: str) -> None:
    shown = texts(DRAWINGS[name](controlled()))
    assert "clock: CLOCK_TAI of one kernel · arrival: rx_kernel (kernel timestamp)" in shown
    assert "from 2020-04-28T12:27:52.000000000 to 2020-04-28T12:27:52.998000000 TAI" in shown


def test_a_capture_that_was_cut_short_says_so_first() -> None:
    frame = capture(np.full(5, 1_253_188), complete=False)
    assert "incomplete · simulated time" in texts(plot.report(frame))


def test_the_report_writes_extremes_beside_the_guides() -> None:
    guide = {"scheduled_times_us": (1253.188, 1253.343)}
    shown = texts(plot.report(controlled(), guide=guide))
    assert "500 packets · min 1,253.188 · max 1,253.340 · spread 0.152 µs" in shown
    assert "guide (dashed): min 1,253.188 · max 1,253.343 µs" in shown
    assert "min \N{MINUS SIGN}76.0 · max 76.0 · spread 152.0 ns" in shown


def test_a_guide_far_away_does_not_squeeze_the_measured_values() -> None:
    axes = plot.report(controlled(), guide={"scheduled_times_us": (69.824, 2487.357)}).axes[0]
    assert axes.get_xlim()[1] - axes.get_xlim()[0] < 1
    assert "not all on this axis" in "".join(text.get_text() for text in axes.texts)


def test_the_guides_extremes_are_lines_where_the_axis_can_show_them() -> None:
    axes = plot.report(controlled(), guide={"scheduled_times_us": (1253.18, 1253.35)}).axes[0]
    drawn = {line.get_xdata()[0] for line in axes.lines}  # type: ignore[index]
    assert drawn == {1253.18, 1253.35}


def test_a_spread_of_three_hundred_nanoseconds_is_not_one_bar() -> None:
    axes = plot.report(capture(1_245_056 + np.arange(500) % 4 * 100)).axes[0]
    assert [bar.get_height() for bar in axes.patches] == [125] * 4  # type: ignore[attr-defined]


def test_the_jitter_panel_is_the_mirror_of_scheduled_times() -> None:
    axes = plot.report(capture(np.array([100, 100, 100, 108]))).axes
    scheduled, _, jitter = ([bar.get_height() for bar in one.patches] for one in axes)  # type: ignore[attr-defined]
    assert scheduled == jitter[::-1] == [3, 1]


def test_drawing_leaves_matplotlibs_state_alone() -> None:
    with mpl.rc_context({"font.size": 42}):
        before = dict(mpl.rcParams)
        plot.report(controlled())
        assert dict(mpl.rcParams) == before


def test_a_figure_shows_itself_in_a_notebook() -> None:
    picture, size = plot.report(controlled())._repr_png_()  # type: ignore[attr-defined]
    assert picture.startswith(b"\x89PNG")
    assert size == {"width": 880, "height": 640}


integers = st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=100)


@unhurried
@given(integers)
def test_every_value_is_counted_in_the_bin_around_it(values: list[int]) -> None:
    array = np.array(values)
    bins = histogram(array, most=50)
    assert bins.counts.sum() == len(values)
    assert len(bins.counts) <= 50
    assert np.diff(bins.edges) == pytest.approx(bins.width)
    expected, _ = np.histogram(array, bins.edges)
    assert bins.counts.tolist() == expected.tolist()


@pytest.mark.parametrize(("step", "most", "width"), [(256, 50, 256), (8, 10, 8), (8, 9, 16), (8, 4, 40)])
def test_bins_are_round_multiples_of_the_clocks_step(step: int, most: int, width: int) -> None:
    assert histogram(1_253_188 + np.arange(10) * step, most=most).width == width


def test_values_lie_in_the_middle_of_bins_as_wide_as_a_clock_step() -> None:
    values = 1_253_188 + np.arange(10) * 8
    edges = histogram(values).edges
    assert ((edges[1:] + edges[:-1]) / 2).tolist() == values.tolist()


def test_the_gates_of_the_guide_repeat_in_the_streams_cycle() -> None:
    found = [one for one in openings(SCHEDULE, CYCLE, BASE) if one.traffic_class == 1]
    assert [(one.start_ns // 1000, one.end_ns // 1000) for one in found] == [
        (200, 300),
        (700, 800),
        (1200, 1300),
        (1700, 1800),
    ]


def test_gates_are_aligned_to_the_base_time_and_clipped_to_the_cycle() -> None:
    schedule = SimpleNamespace(cycle_ns=100, base_time_ns=1030, entries=[(1, 60), (2, 40)])
    assert openings(schedule, 100, 1000) == [
        Opening(1, 0, 30),
        Opening(0, 30, 90),
        Opening(1, 90, 100),
    ]


def test_a_gate_that_stays_open_is_one_opening() -> None:
    schedule = SimpleNamespace(cycle_ns=100, base_time_ns=0, entries=[(3, 60), (1, 40)])
    assert openings(schedule, 200, 0) == [Opening(0, 0, 200), Opening(1, 0, 60), Opening(1, 100, 160)]


def test_the_last_state_holds_until_the_cycle_ends() -> None:
    schedule = SimpleNamespace(cycle_ns=100, base_time_ns=0, entries=[(1, 10), (2, 10)])
    assert openings(schedule, 100, 0) == [Opening(0, 0, 10), Opening(1, 10, 100)]


def test_a_schedule_that_never_moves_on_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 ns"):
        openings(SimpleNamespace(cycle_ns=0, base_time_ns=0, entries=[]), 100, 0)


def test_the_streams_class_is_the_one_that_is_open_in_the_window() -> None:
    assert "TC 1 (stream)" in texts(plot.gates(controlled(), SCHEDULE))
    assert "TC 2 (stream)" in texts(plot.gates(controlled(), SCHEDULE, traffic_class=2))


def test_a_class_that_is_always_open_is_not_taken_for_the_streams() -> None:
    entries = [(mask | 8, interval) for mask, interval in GUIDE_ENTRIES]
    schedule = SimpleNamespace(cycle_ns=1_000_000, base_time_ns=BASE, entries=entries)
    assert "TC 1 (stream)" in texts(plot.gates(controlled(), schedule))


def test_gates_can_be_drawn_before_there_are_packets() -> None:
    figure = plot.gates(CAPTURES["no packets"], SCHEDULE)
    assert len(figure.axes) == 1
    assert "no packets sent" in texts(figure)


def test_gates_need_a_cycle() -> None:
    with pytest.raises(ConfigError, match="pass cycle_ns"):
        plot.gates(capture(np.full(5, 7), cycle_ns=0), SCHEDULE)


@unhurried
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=200), st.integers(1, 50))
def test_an_envelope_loses_no_extreme(values: list[int], slices: int) -> None:
    times = np.arange(len(values), dtype=np.float64)
    shape = envelope(times, np.array(values, dtype=np.float64), slices)
    assert shape.lowest.min() == min(values)
    assert shape.highest.max() == max(values)
    assert len(shape.times) <= slices
    assert (shape.lowest <= shape.means + 1e-9).all()
    assert (shape.means <= shape.highest + 1e-9).all()


@unhurried
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=300))
def test_a_tail_begins_with_everything_and_ends_with_the_largest(values: list[int]) -> None:
    deviations, shares = tail(np.array(values, dtype=np.float64))
    assert (deviations[0], shares[0]) == (min(values), 1)
    assert (deviations[-1], shares[-1]) == (max(values), 1 / len(values))


def test_a_tail_of_a_million_is_thinned() -> None:
    deviations, shares = tail(np.arange(1_000_000.0))
    assert len(deviations) <= 2000
    assert np.isclose(shares, (1_000_000 - deviations) / 1_000_000).all()
