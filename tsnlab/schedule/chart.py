"""A gate control list drawn as a small chart, for a notebook cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tsnlab.quantity import show_duration
from tsnlab.schedule.gates import timeline
from tsnlab.show import ink

if TYPE_CHECKING:
    from tsnlab.schedule.taprio import Taprio

_WIDTH, _ROW, _BAR, _LEFT, _RIGHT = 760, 20, 14, 170, 30
_LABEL_ROOM = 44  # pixels between two instants on the axis that can both be named


def svg(taprio: Taprio) -> str:
    """One cycle: a row for each traffic class, a bar where its gate is open, the instants at which gates change."""
    classes = len(taprio.queues)
    bottom = classes * _ROW + 6
    rows = "".join(_row(taprio, traffic_class) for traffic_class in range(classes))
    label = f"gates of {classes} traffic classes over {show_duration(taprio.cycle_ns)}"
    return ink.sheet(_WIDTH, bottom + 34, label, rows, *_axis(taprio, bottom))


def _x(taprio: Taprio, instant_ns: int) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * instant_ns / taprio.cycle_ns


def _row(taprio: Taprio, traffic_class: int) -> str:
    top = traffic_class * _ROW + 4
    middle = top + _BAR / 2
    base = ink.line(_LEFT, middle, _WIDTH - _RIGHT, middle, extra='stroke-opacity="0.3"')
    spans = "".join(
        f'<rect x="{_x(taprio, start):.2f}" y="{top}" width="{_x(taprio, end) - _x(taprio, start):.2f}" height="{_BAR}"'
        f' fill="{ink.STREAM}"><title>open {start / 1000:g} to {end / 1000:g} us</title></rect>'
        for start, end in taprio.spans(traffic_class)
    )
    name = ink.text(0, middle + 4, f"class {traffic_class}", bold=True)
    return name + ink.text(60, middle + 4, _priorities(taprio, traffic_class), faint=True) + base + spans


def _priorities(taprio: Taprio, traffic_class: int) -> str:
    """Which socket priorities go to a class, in few words."""
    mine = [priority for priority, one in enumerate(taprio.map) if one == traffic_class]
    if len(mine) > 3:
        return "other priorities" if len(mine) >= len(taprio.map) // 2 else f"{len(mine)} priorities"
    return f"priority {', '.join(map(str, mine))}" if mine else "no priority"


def _axis(taprio: Taprio, y: float) -> Iterator[str]:
    """Ticks where a gate changes, named where there is room."""
    free = 0.0
    last = _x(taprio, taprio.cycle_ns)
    for span, _ in timeline(taprio.entries, taprio.cycle_ns):
        x = _x(taprio, span.start_ns)
        yield ink.line(x, y, x, y + 5)
        if x >= free and x <= last - _LABEL_ROOM:
            yield ink.text(x, y + 18, f"{span.start_ns / 1000:g}", anchor="middle")
            free = x + _LABEL_ROOM
    yield ink.line(_LEFT, y, last, y)
    yield ink.line(last, y, last, y + 5)
    yield ink.text(last, y + 18, f"{taprio.cycle_ns / 1000:g} us", anchor="middle")
