"""etf's delta, recommended from how late the talker's node really wakes up.

In software etf hands a frame on by a timer, at its launch time minus delta. A timer that fires later than the launch
time loses the frame (in strict mode), so delta has to be more than the kernel is ever late; every bit of it makes the
frame early instead. Source: tc-etf(8), net/sched/sch_etf.c.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape

from tsnlab import programs
from tsnlab.quantity import show_duration
from tsnlab.session import Lab

MARGIN = 1.5
"""So many times the longest latency that was seen: the next one may be longer."""

_STEP_NS = 1_000


@dataclass(frozen=True, repr=False)
class WakeupLatency:
    """How late a node woke up.

    Attributes:
        node: which.
        late_ns: each, in the order they were taken.
    """

    node: str
    late_ns: tuple[int, ...]

    @property
    def longest_ns(self) -> int:
        """The longest latency."""
        return max(self.late_ns)

    @property
    def delta_ns(self) -> int:
        """The recommended delta: the longest latency with a margin, in whole microseconds."""
        return -(-int(self.longest_ns * MARGIN) // _STEP_NS) * _STEP_NS

    def __str__(self) -> str:
        ordered = sorted(self.late_ns)
        median = ordered[len(ordered) // 2]
        return (
            f"{self.node} woke up {show_duration(ordered[0])} to {show_duration(ordered[-1])} late, half of the times"
            f" by less than {show_duration(median)} ({len(ordered)} times); etf's delta: {show_duration(self.delta_ns)}"
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>"


def recommend(lab: Lab, count: int = 1000) -> WakeupLatency:
    """Measures the wake-up latency of the talker's node, one wake-up a millisecond, and recommends etf's delta.

    Raises:
        CommandError, DeadlineError: the program on the node failed.
    """
    late: list[int] = []

    def take(line: str) -> None:
        late.extend(json.loads(line).get("late_ns", []))

    argv = [*programs.command(lab, lab.talker.node, "wakeup.py"), f"--count={count}"]
    lab.host(lab.talker.node).start(argv, take).wait(60 + count / 100).check()
    return WakeupLatency(lab.talker.node, tuple(late))
