"""Gate control lists and their arithmetic: which gate is open when, which window comes next.

All of it is integers in nanoseconds. A list repeats from its base time on, in both directions.

Source: IEEE 802.1Q clause 8.6.9.4 (the last state holds until the cycle ends; a cycle may cut the list short).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from tsnlab.files import Value
from tsnlab.quantity import DurationNs


class Entry(NamedTuple):
    """One entry of a gate control list: which gates are open (bit = traffic class), and for how long."""

    gate_mask: int
    interval_ns: int


class Span(NamedTuple):
    """A span of time in nanoseconds; the end is not part of it."""

    start_ns: int
    end_ns: int


class GateEntry(Value):
    """One entry of a gate control list, as a case file writes it: ``{gates: "02", for: 100 us}``."""

    gates: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{1,8}$")]
    """Open gates as a hexadecimal mask, bit n for traffic class n, as tc writes it."""

    interval: Annotated[DurationNs, Field(alias="for", gt=0, lt=1 << 32)]
    command: Literal["S", "H", "R"] = "S"
    """S: set the gates; H and R: the same, and hold or release preemptable frames (802.1Q, 8.6.8.4, 802.1Qbu)."""

    @property
    def mask(self) -> int:
        """The open gates as a number."""
        return int(self.gates, 16)


def timeline(entries: Sequence[Entry], cycle_ns: int) -> Iterator[tuple[Span, int]]:
    """The states of one cycle as (span, gate mask), without gaps: the list cut short, or its last state held."""
    position = 0
    for index, entry in enumerate(entries):
        last = index == len(entries) - 1
        end = cycle_ns if last else min(position + entry.interval_ns, cycle_ns)
        if end > position:
            yield Span(position, end), entry.gate_mask
        position = end


def spans_of(entries: Sequence[Entry], traffic_class: int, cycle_ns: int | None = None) -> list[Span]:
    """When the gate of a traffic class is open within one cycle; neighbours that leave it open are one span.

    Args:
        cycle_ns: length of the cycle; the sum of the intervals if None.
    """
    spans: list[Span] = []
    for span, mask in timeline(entries, cycle_ns or sum(entry.interval_ns for entry in entries)):
        if not mask >> traffic_class & 1:
            continue
        if spans and spans[-1].end_ns == span.start_ns:
            spans[-1] = Span(spans[-1].start_ns, span.end_ns)
        else:
            spans.append(span)
    return spans


def windows_from(spans: Sequence[Span], cycle_ns: int, phase_ns: int) -> Iterator[Span]:
    """Open windows that end after a phase of the cycle, in order and without end, across cycles.

    A window that is open at the end of a cycle and at the beginning of the next is one; a gate that never closes
    gives one window of two cycles.

    Args:
        spans: as :func:`spans_of` gives them.
        phase_ns: from here on, after the start of the first cycle.
    """
    if not spans:
        return
    if spans == [Span(0, cycle_ns)]:
        yield Span(phase_ns, phase_ns + 2 * cycle_ns)
        return
    wraps = spans[0].start_ns == 0 and spans[-1].end_ns == cycle_ns
    merged = [*spans[1:-1], Span(spans[-1].start_ns, cycle_ns + spans[0].end_ns)] if wraps else list(spans)
    start = phase_ns // cycle_ns * cycle_ns - cycle_ns
    while True:
        for span in merged:
            if start + span.end_ns > phase_ns:
                yield Span(start + span.start_ns, start + span.end_ns)
        start += cycle_ns


def rolled(base_ns: int, cycle_ns: int, not_before_ns: int) -> int:
    """The first start of a cycle at or after an instant, in phase with a base time that may lie on either side."""
    return base_ns + -(-(not_before_ns - base_ns) // cycle_ns) * cycle_ns
