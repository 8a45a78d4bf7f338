"""The offsets of a clock in the course of time, as a small chart for a notebook cell."""

from __future__ import annotations

from collections.abc import Sequence

from tsnlab.ptp.clock import Clock
from tsnlab.quantity import show_duration
from tsnlab.show import ink

_WIDTH, _HEIGHT, _ROOM, _LEFT = 680, 44, 250, 2
_SHOWN = 120
_FAR = 4


def svg(clock: Clock) -> str:
    """The last offsets of a clock and the threshold as a line; empty before the first two.

    What is far above the threshold, as before a clock was set, is drawn at the top, so that the others can be told.
    """
    offsets = [offset.worst_ns for _, offset in clock.offsets[-_SHOWN:]]
    if len(offsets) < 2:
        return ""
    top = min(max(*offsets, clock.threshold_ns), _FAR * clock.threshold_ns)
    limit = _y(clock.threshold_ns, top)
    label = f"offsets of {clock.node}, {min(offsets)} to {max(offsets)} ns; {clock.threshold_ns} ns are allowed"
    right = _WIDTH - _ROOM
    curve = f'<polyline fill="none" stroke="{ink.STREAM}" stroke-width="1.5" points="{_points(offsets, top, right)}"/>'
    return ink.sheet(
        _WIDTH,
        _HEIGHT,
        label,
        ink.line(0, limit, right, limit, colour=ink.OTHER, extra='stroke-dasharray="4 3"'),
        ink.line(0, _HEIGHT - 3, right, _HEIGHT - 3, extra='stroke-opacity="0.3"'),
        curve,
        ink.text(right + 8, 14, f"{clock.node}: {offsets[-1]} ns now, worst {show_duration(_worst(offsets, clock))}"),
        ink.text(right + 8, 32, f"allowed {clock.threshold_ns} ns (dashed)", faint=True),
    )


def _worst(offsets: Sequence[int], clock: Clock) -> int:
    """The largest offset since there was a good one: before a clock is set it may be years off."""
    good = next((index for index, offset in enumerate(offsets) if offset <= clock.threshold_ns), 0)
    return max(offsets[good:])


def _points(offsets: Sequence[int], top: int, right: float) -> str:
    step = (right - _LEFT) / (len(offsets) - 1)
    return " ".join(f"{_LEFT + index * step:.1f},{_y(offset, top):.1f}" for index, offset in enumerate(offsets))


def _y(offset_ns: int, top_ns: int) -> float:
    return _HEIGHT - 3 - (_HEIGHT - 8) * min(offset_ns, top_ns) / max(1, top_ns)
