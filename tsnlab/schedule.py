"""Schedules as values: what taprio and etf are asked for, and what the kernel says it has.

Sources: tc-taprio(8), tc-etf(8), net/sched/sch_taprio.c; IEEE 802.1Q clause 8.6.8.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, Self

from pydantic import Field, model_validator

from tsnlab.files import Value
from tsnlab.quantity import DurationNs, show_duration

PRIORITIES = 16
SIZE_TABLE_OVERHEAD = 24
"""Bytes a frame occupies on the wire beside those the kernel counts: preamble 8, FCS 4, gap 12."""


class Entry(NamedTuple):
    """One entry of a gate control list: which gates are open (bit = traffic class), and for how long."""

    gate_mask: int
    interval_ns: int


class GateEntry(Value):
    """One entry of a gate control list, as a case file writes it: ``{gates: "02", for: 100 us}``."""

    gates: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{1,4}$")]
    """Open gates as a hexadecimal mask, bit n for traffic class n, as tc writes it."""

    interval: Annotated[DurationNs, Field(alias="for", gt=0, lt=1 << 32)]

    @property
    def mask(self) -> int:
        """The open gates as a number."""
        return int(self.gates, 16)


class Taprio(Value):
    """A taprio qdisc: priorities to traffic classes, classes to queues, and the gates over the cycle."""

    map: Annotated[list[int], Field(min_length=PRIORITIES, max_length=PRIORITIES)]
    """Traffic class of each of the 16 socket priorities."""

    queues: list[str]
    """Transmit queues of each traffic class, as tc writes them: ``1@0`` is one queue from queue 0 on."""

    schedule: Annotated[list[GateEntry], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        classes = len(self.queues)
        if any(not 0 <= tc < classes for tc in self.map):
            raise ValueError(f"map: names a traffic class that has no queues (there are {classes})")
        taken: set[int] = set()
        for count, offset in map(_queue_range, self.queues):
            if taken & set(range(offset, offset + count)):
                raise ValueError(f"queues: {count}@{offset} overlaps the queues of another traffic class")
            taken |= set(range(offset, offset + count))
        if any(entry.mask >= 1 << classes for entry in self.schedule):
            raise ValueError(f"schedule: a gate mask names more than the {classes} traffic classes there are")
        return self

    @property
    def cycle_ns(self) -> int:
        """Length of the cycle: the sum of its intervals."""
        return sum(entry.interval for entry in self.schedule)

    @property
    def entries(self) -> list[Entry]:
        """The gate control list as numbers."""
        return [Entry(entry.mask, entry.interval) for entry in self.schedule]

    @property
    def queue_count(self) -> int:
        """How many transmit queues the interface needs."""
        return max(count + offset for count, offset in map(_queue_range, self.queues))

    def traffic_class(self, priority: int) -> int:
        """The traffic class of a socket priority."""
        return self.map[priority]

    def queue(self, priority: int) -> int:
        """The first transmit queue of a socket priority."""
        return _queue_range(self.queues[self.traffic_class(priority)])[1]

    def is_open(self, priority: int, start_ns: int, end_ns: int) -> bool:
        """Whether the gate of a priority is open throughout a span of time (ns after the start of a cycle)."""
        bit = 1 << self.traffic_class(priority)
        position, spans = 0, []
        while position < end_ns:
            for entry in self.entries:
                spans.append((position, position + entry.interval_ns, entry.gate_mask & bit))
                position += entry.interval_ns
        return all(mask for begin, end, mask in spans if begin < end_ns and end > start_ns)

    def to_tc(self, base_time_ns: int, handle: str = "100") -> list[str]:
        """The arguments after ``tc qdisc replace dev DEV parent root``."""
        words = ["handle", handle, "stab", "overhead", str(SIZE_TABLE_OVERHEAD), "taprio"]
        words += ["num_tc", str(len(self.queues)), "map", *map(str, self.map), "queues", *self.queues]
        words += ["base-time", str(base_time_ns)]
        for entry in self.schedule:
            words += ["sched-entry", "S", entry.gates, str(entry.interval)]
        return [*words, "clockid", "CLOCK_TAI"]

    def same_as(self, options: dict[str, Any], base_time_ns: int) -> list[str]:
        """What differs in the options that ``tc -j qdisc show`` gives; empty if they are the same schedule."""
        wanted = {
            "tc": len(self.queues),
            "map": self.map,
            "queues": [{"offset": o, "count": c} for c, o in map(_queue_range, self.queues)],
            "base_time": base_time_ns,
            "cycle_time": self.cycle_ns,
            "schedule": [(f"0x{e.gate_mask:x}", e.interval_ns) for e in self.entries],
        }
        present = dict(options)
        present["schedule"] = [(e["gatemask"], e["interval"]) for e in options.get("schedule", [])]
        return [
            f"{key}: wanted {value}, kernel says {present.get(key)}"
            for key, value in wanted.items()
            if present.get(key) != value
        ]

    def __str__(self) -> str:
        rows = [f"taprio, cycle {show_duration(self.cycle_ns)}, {len(self.queues)} traffic classes"]
        position = 0
        for entry in self.entries:
            gates = "".join("o" if entry.gate_mask >> tc & 1 else "." for tc in range(len(self.queues)))
            rows.append(f"  {position / 1000:8g} us  {gates}  {show_duration(entry.interval_ns)}")
            position += entry.interval_ns
        return "\n".join(rows)


class Etf(Value):
    """An etf qdisc: frames leave at their launch time, early by ``delta`` for what comes after it."""

    delta: DurationNs
    """How long before its launch time a frame is handed to the interface, in software."""

    offload_delta: DurationNs
    """The same for an interface that launches frames itself: the guide's value."""

    def delta_ns(self, offload: bool) -> int:
        """The delta that fits the interface."""
        return self.offload_delta if offload else self.delta

    def to_tc(self, offload: bool) -> list[str]:
        """The arguments after ``tc qdisc replace dev DEV parent HANDLE:QUEUE``."""
        words = ["etf", "clockid", "CLOCK_TAI", "delta", str(self.delta_ns(offload))]
        return [*words, "offload"] if offload else words

    def same_as(self, options: dict[str, Any], offload: bool) -> list[str]:
        """What differs in the options that ``tc -j qdisc show`` gives."""
        wanted = {"clockid": "TAI", "delta": self.delta_ns(offload), "offload": "on" if offload else "off"}
        return [
            f"{key}: wanted {value}, kernel says {options.get(key)}"
            for key, value in wanted.items()
            if options.get(key) != value
        ]


def _queue_range(text: str) -> tuple[int, int]:
    """Count and offset of ``1@0``."""
    count, at, offset = text.partition("@")
    if not (at and count.isdecimal() and offset.isdecimal() and int(count) > 0):
        raise ValueError(f"queues: expected COUNT@OFFSET such as 1@0; got {text!r}")
    return int(count), int(offset)


def spans_of(entries: Sequence[Entry], traffic_class: int) -> list[tuple[int, int]]:
    """When the gate of a traffic class is open within one cycle, as (start, end) in ns."""
    spans, position = [], 0
    for entry in entries:
        if entry.gate_mask >> traffic_class & 1:
            spans.append((position, position + entry.interval_ns))
        position += entry.interval_ns
    return spans
