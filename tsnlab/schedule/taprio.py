"""taprio as a value: a map, queues, and gates over a cycle.

Sources: tc-taprio(8), net/sched/sch_taprio.c of Linux 6.12 for what is refused; IEEE 802.1Q clause 8.6.8.4.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tsnlab import files
from tsnlab.quantity import DurationNs, show_duration
from tsnlab.schedule.gates import Entry, GateEntry, Span, rolled, spans_of, timeline, windows_from
from tsnlab.schedule.queues import (
    CLASSES_MAX,
    PriorityMap,
    QueueRanges,
    check_queues,
    queue_range,
    queues_from_json,
    queues_needed,
)
from tsnlab.schedule.value import Comparable

SIZE_TABLE_OVERHEAD = 24
"""Bytes a frame occupies on the wire beside those the kernel counts: preamble 8, FCS 4, gap 12."""

TXTIME_ASSIST, FULL_OFFLOAD = 0x1, 0x2
"""taprio's flags: launch times from the schedule; the schedule in hardware."""

SHORTEST_FRAME = 60
"""Bytes of the frame that fits every entry (ETH_ZLEN); what is shorter, the kernel refuses."""

_INT_MAX = (1 << 31) - 1

Bytes = Annotated[int, Field(ge=0, lt=1 << 32)]


class Taprio(Comparable):
    """A taprio qdisc: priorities to traffic classes, classes to queues, and the gates over the cycle.

    Its base time is no part of it: the same schedule runs from different base times on several interfaces.
    """

    map: PriorityMap
    queues: QueueRanges
    schedule: Annotated[list[GateEntry], Field(min_length=1)]
    cycle: Annotated[DurationNs, Field(gt=0, le=_INT_MAX)] | None = None
    """Length of the cycle; None for the sum of the intervals."""

    cycle_extension: Annotated[DurationNs, Field(ge=0, lt=1 << 63)] = 0
    """By how much the last cycle before a new schedule may be longer."""

    max_sdu: Annotated[list[Bytes], Field(max_length=CLASSES_MAX)] = Field(default_factory=list)
    """Largest frame of each traffic class, in bytes without the MAC header; 0 for no limit."""

    fp: Annotated[list[Literal["E", "P"]], Field(max_length=CLASSES_MAX)] = Field(default_factory=list)
    """Express or preemptable, for each traffic class."""

    flags: Literal[0, 1, 2] = 0
    txtime_delay: Annotated[DurationNs, Field(ge=0, lt=1 << 32)] = 0
    """How long after it is sent a frame may be launched at the earliest (txtime-assist)."""

    clock: Literal["TAI", "MONOTONIC", "REALTIME", "BOOTTIME"] = "TAI"

    @model_validator(mode="after")
    def _as_the_kernel_takes_it(self) -> Self:
        check_queues(self.map, self.queues, may_share=self.flags == TXTIME_ASSIST)
        classes = len(self.queues)
        for index, entry in enumerate(self.schedule):
            if entry.mask and not entry.mask & ((1 << classes) - 1):
                raise ValueError(
                    f"schedule: the gate mask {entry.gates} of entry {index} names more than"
                    f" the {classes} traffic classes there are, and none of them"
                )
        if sum(entry.interval for entry in self.schedule) > _INT_MAX and self.cycle is None:
            raise ValueError(f"schedule: a cycle lasts at most {_INT_MAX} ns")
        if self.txtime_delay and self.flags != TXTIME_ASSIST:
            raise ValueError("txtime_delay: belongs to flags 1 (txtime-assist)")
        if "P" in self.fp and self.flags != FULL_OFFLOAD:
            raise ValueError("fp: only an interface that runs the schedule itself (flags 2) preempts frames")
        if self.flags == FULL_OFFLOAD and self.clock != "TAI":
            raise ValueError("clock: an interface that runs the schedule itself (flags 2) uses its own clock")
        return self

    # --- what it says -----------------------------------------------------------------------------

    @property
    def cycle_ns(self) -> int:
        """Length of the cycle."""
        return self.cycle or sum(entry.interval for entry in self.schedule)

    @property
    def entries(self) -> list[Entry]:
        """The gate control list as numbers."""
        return [Entry(entry.mask, entry.interval) for entry in self.schedule]

    @property
    def queue_count(self) -> int:
        """How many transmit queues the interface needs."""
        return queues_needed(self.queues)

    def traffic_class(self, priority: int) -> int:
        """The traffic class of a socket priority."""
        return self.map[priority]

    def queue(self, priority: int) -> int:
        """The first transmit queue of a socket priority."""
        return queue_range(self.queues[self.traffic_class(priority)])[1]

    def remarks(self) -> list[str]:
        """What the kernel takes without a word, and what may not be meant."""
        listed, said = sum(entry.interval for entry in self.schedule), []
        if self.cycle_ns > listed and not self.flags:
            said.append("the cycle is longer than its entries: Linux begins the list anew when it ends, out of phase")
        if self.cycle_ns < listed:
            said.append(f"the cycle ends {show_duration(listed - self.cycle_ns)} before its list does")
        for traffic_class in sorted(set(self.map)):
            if not self.spans(traffic_class):
                priorities = [str(p) for p, tc in enumerate(self.map) if tc == traffic_class]
                said.append(f"the gate of class {traffic_class} (priority {', '.join(priorities)}) never opens")
        if any(entry.mask >> len(self.queues) for entry in self.schedule):
            said.append(f"some masks name more than the {len(self.queues)} classes there are")
        if any(entry.command != "S" for entry in self.schedule) and self.flags != FULL_OFFLOAD:
            said.append("hold and release have no effect in software")
        return said

    # --- when which gate is open ------------------------------------------------------------------

    def spans(self, traffic_class: int) -> list[Span]:
        """When the gate of a traffic class is open within one cycle."""
        return spans_of(self.entries, traffic_class, self.cycle_ns)

    def gates_at(self, base_time_ns: int, instant_ns: int) -> int:
        """The mask of the gates that are open at an instant."""
        phase = (instant_ns - base_time_ns) % self.cycle_ns
        return next(mask for span, mask in timeline(self.entries, self.cycle_ns) if phase < span.end_ns)

    def is_open(self, priority: int, start_ns: int, end_ns: int) -> bool:
        """Whether the gate of a priority is open throughout a span of time (ns after the start of a cycle)."""
        spans = self.spans(self.traffic_class(priority))
        window = next(windows_from(spans, self.cycle_ns, start_ns), None)
        if window is None or window.start_ns > start_ns:
            return False
        return window.end_ns >= end_ns or spans == [Span(0, self.cycle_ns)]

    def next_window(self, priority: int, base_time_ns: int, not_before_ns: int, length_ns: int = 1) -> Span | None:
        """The first open window of a priority from an instant on that leaves so much time; None if there is none.

        Args:
            base_time_ns: of the schedule, in ns of its clock.
            not_before_ns: an instant of that clock; a window that is open then begins earlier.
            length_ns: time that has to be left after that instant.
        """
        spans = self.spans(self.traffic_class(priority))
        if spans == [Span(0, self.cycle_ns)]:
            return Span(not_before_ns, not_before_ns + max(length_ns, self.cycle_ns))
        phase = not_before_ns - base_time_ns
        for count, window in enumerate(windows_from(spans, self.cycle_ns, phase)):
            if window.end_ns - max(window.start_ns, phase) >= length_ns:
                return Span(window.start_ns + base_time_ns, window.end_ns + base_time_ns)
            if count > len(spans):
                break
        return None

    def base_time_from(self, base_time_ns: int, not_before_ns: int) -> int:
        """A base time at or after an instant, in phase with another: the gates stay where they are."""
        return rolled(base_time_ns, self.cycle_ns, not_before_ns)

    # --- tc and the kernel ------------------------------------------------------------------------

    def to_tc(self, base_time_ns: int, handle: str = "100") -> list[str]:
        """The arguments after ``tc qdisc replace dev DEV parent root``."""
        words = ["handle", handle, "stab", "overhead", str(SIZE_TABLE_OVERHEAD), "taprio"]
        words += ["num_tc", str(len(self.queues)), "map", *map(str, self.map), "queues", *self.queues]
        words += ["fp", *self.fp] if self.fp else []
        words += ["max-sdu", *map(str, self.max_sdu)] if self.max_sdu else []
        words += ["base-time", str(base_time_ns)]
        words += ["cycle-time", str(self.cycle)] if self.cycle else []
        words += ["cycle-time-extension", str(self.cycle_extension)] if self.cycle_extension else []
        for entry in self.schedule:
            words += ["sched-entry", entry.command, entry.gates, str(entry.interval)]
        words += ["flags", hex(self.flags)] if self.flags else []
        words += ["txtime-delay", str(self.txtime_delay)] if self.txtime_delay else []
        return words if self.flags == FULL_OFFLOAD else [*words, "clockid", f"CLOCK_{self.clock}"]

    @classmethod
    def from_tc_json(cls, options: dict[str, Any]) -> Taprio:
        """The schedule in the options that ``tc -j qdisc show`` gives: the pending one, if there is one.

        Raises:
            ConfigError: they are no taprio's.
        """
        running = options.get("admin") or options
        return files.check(
            {
                "map": options["map"],
                "queues": queues_from_json(options),
                "schedule": [
                    {"gates": e["gatemask"].removeprefix("0x"), "for": e["interval"], "command": e["cmd"]}
                    for e in running["schedule"]
                ],
                "cycle": running["cycle_time"],
                "cycle_extension": running["cycle_time_extension"],
                "max_sdu": _shortened(options.get("max-sdu", []), 0),
                "fp": _shortened(options.get("fp", []), "E"),
                "flags": int(str(options.get("flags", "0")), 16),
                "txtime_delay": options.get("txtime_delay", 0),
                "clock": _clock(options.get("clockid")),
            },
            cls,
            "the kernel's taprio",
            exact=True,
        )

    def same_as(self, options: dict[str, Any], base_time_ns: int) -> list[str]:
        """What differs in the options that ``tc -j qdisc show`` gives; empty if they are the same schedule.

        Base times that are whole cycles apart are the same schedule.

        With a size table, the kernel tells for each class the largest frame that fits its longest window, unless
        less was asked for (``taprio_update_queue_max_sdu``).
        """
        theirs = Taprio.from_tc_json(options)
        sizes = [*theirs.max_sdu, *[0] * (CLASSES_MAX - len(theirs.max_sdu))]
        wanted = [*self.max_sdu, *[0] * (CLASSES_MAX - len(self.max_sdu))]
        by_window = [0 if not mine else max(mine, is_now) for mine, is_now in zip(wanted, sizes, strict=True)]
        found = self.differences(theirs.model_copy(update={"max_sdu": by_window}))
        present = base_time(options)
        if (present - base_time_ns) % self.cycle_ns:
            found.append(f"base_time: wanted one in phase with {base_time_ns}, kernel says {present}")
        return found

    def facts(self) -> dict[str, Any]:
        """What counts when it is compared; see :meth:`Comparable.facts`."""
        return {
            "map": self.map,
            "queues": self.queues,
            "schedule": [(e.command, f"{e.mask:x}", e.interval) for e in self.schedule],
            "cycle": self.cycle_ns,
            "cycle_extension": self.cycle_extension,
            "max_sdu": _shortened(self.max_sdu, 0),
            "fp": _shortened(self.fp, "E"),
            "flags": self.flags,
            "txtime_delay": self.txtime_delay,
            "clock": self.clock,
        }

    def __str__(self) -> str:
        rows = [f"taprio, cycle {show_duration(self.cycle_ns)}, {len(self.queues)} traffic classes"]
        for span, mask in timeline(self.entries, self.cycle_ns):
            gates = "".join("o" if mask >> tc & 1 else "." for tc in range(len(self.queues)))
            rows.append(f"  {span.start_ns / 1000:8g} us  {gates}  {show_duration(span.end_ns - span.start_ns)}")
        return "\n".join(rows)

    def _repr_html_(self) -> str:
        from tsnlab.schedule.chart import svg

        return svg(self)


def base_time(options: dict[str, Any]) -> int:
    """The base time in the options that ``tc -j qdisc show`` gives: that of the pending schedule, if there is one."""
    return int((options.get("admin") or options)["base_time"])


def _clock(name: str | None) -> str:
    # tc prints an unknown clock for an interface that runs the schedule by its own
    return name if name in ("TAI", "MONOTONIC", "REALTIME", "BOOTTIME") else "TAI"


def _shortened(values: list[Any], default: Any) -> list[Any]:
    """Without the defaults at its end."""
    kept = list(values)
    while kept and kept[-1] == default:
        kept.pop()
    return kept
