"""A gate control list drawn as a small chart, for a notebook cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsnlab.quantity import show_duration

if TYPE_CHECKING:
    from tsnlab.schedule.taprio import Taprio

_WIDTH, _ROW, _LEFT = 640, 18, 60


def svg(taprio: Taprio) -> str:
    """One cycle: a row for each traffic class, a bar where its gate is open."""
    classes = len(taprio.queues)
    bars = [_row(taprio, traffic_class) for traffic_class in range(classes)]
    height = classes * _ROW + 22
    axis = (
        f"<text x='{_LEFT}' y='{height - 6}'>0</text>"
        f"<text x='{_WIDTH}' y='{height - 6}' text-anchor='end'>{show_duration(taprio.cycle_ns)}</text>"
    )
    return (
        f"<svg width='{_WIDTH + 10}' height='{height}' font-size='12' role='img'"
        f" aria-label='gates of {classes} traffic classes over {show_duration(taprio.cycle_ns)}'>"
        f"{''.join(bars)}{axis}</svg>"
    )


def _row(taprio: Taprio, traffic_class: int) -> str:
    scale, top = (_WIDTH - _LEFT) / taprio.cycle_ns, traffic_class * _ROW + 2
    line = f"<line x1='{_LEFT}' x2='{_WIDTH}' y1='{top + 7}' y2='{top + 7}' stroke='#999' stroke-width='0.7'/>"
    spans = "".join(
        f"<rect x='{_LEFT + start * scale:.2f}' y='{top}' width='{(end - start) * scale:.2f}' height='14'"
        f" fill='#0072b2'><title>open {start} to {end} ns</title></rect>"
        for start, end in taprio.spans(traffic_class)
    )
    return f"<text x='0' y='{top + 12}'>TC {traffic_class}</text>{line}{spans}"
