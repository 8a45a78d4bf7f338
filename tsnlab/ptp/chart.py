"""The offsets of a clock in the course of time, as a small chart for a notebook cell."""

from __future__ import annotations

from collections.abc import Sequence

from tsnlab.ptp.clock import Clock

_WIDTH, _HEIGHT, _LEFT = 420, 40, 2
_SHOWN = 120


def svg(clock: Clock) -> str:
    """The last offsets of a clock, largest at the top, and the threshold as a line; empty before the first two."""
    offsets = [offset.worst_ns for _, offset in clock.offsets[-_SHOWN:]]
    if len(offsets) < 2:
        return ""
    top = max(*offsets, clock.threshold_ns)
    limit = _y(clock.threshold_ns, top)
    label = f"offsets of {clock.node}, {min(offsets)} to {max(offsets)} ns; {clock.threshold_ns} ns are allowed"
    return (
        f"<svg width='{_WIDTH}' height='{_HEIGHT}' role='img' aria-label='{label}'><title>{label}</title>"
        f"<line x1='0' x2='{_WIDTH}' y1='{limit:.1f}' y2='{limit:.1f}' stroke='#d55e00' stroke-dasharray='4 3'/>"
        f"<polyline fill='none' stroke='#0072b2' stroke-width='1.5' points='{_points(offsets, top)}'/></svg>"
    )


def _points(offsets: Sequence[int], top: int) -> str:
    step = (_WIDTH - 2 * _LEFT) / (len(offsets) - 1)
    return " ".join(f"{_LEFT + index * step:.1f},{_y(offset, top):.1f}" for index, offset in enumerate(offsets))


def _y(offset_ns: int, top_ns: int) -> float:
    return _HEIGHT - 3 - (_HEIGHT - 6) * offset_ns / max(1, top_ns)
