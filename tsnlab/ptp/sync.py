"""Synchronisation as it runs: started, waited for, watched, and judged for the time of a measurement."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from tsnlab.errors import SyncError
from tsnlab.hosts import Process
from tsnlab.ptp import config
from tsnlab.ptp.log import Message, Offset, PortState, parse
from tsnlab.session import Lab

if TYPE_CHECKING:
    import pandas as pd

THRESHOLD_NS = 1_000
"""Largest offset of a clock that counts as synchronised, with timestamps taken in software in virtual time."""

WALL_CLOCK_THRESHOLD_NS = 5_000_000
"""The same by the wall clock of a user-mode kernel, which may be kept waiting between a frame and its timestamp."""

GOOD_SAMPLES = 3
"""So many offsets in a row have to be below the threshold."""

CONFIG_PATH = "/run/ptp4l.cfg"


@dataclass
class Clock:
    """The ptp4l of one node and what it has said."""

    node: str
    threshold_ns: int
    process: Process | None = None
    state: str = "starting"
    offsets: list[tuple[int, Offset]] = field(default_factory=list)
    """Each with the lab's time in ns at which it was read."""

    states: list[tuple[int, PortState]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def take(self, now_ns: int, line: str) -> None:
        """Takes one line of its log."""
        match parse(line):
            case Offset() as offset:
                self.offsets.append((now_ns, offset))
            case PortState() as change:
                self.state = change.after
                self.states.append((now_ns, change))
            case Message() as message:
                self.messages.append(message.text)

    @property
    def locked(self) -> bool:
        """Whether it follows its source closely enough."""
        last = [offset for _, offset in self.offsets[-GOOD_SAMPLES:]]
        good = len(last) == GOOD_SAMPLES and all(offset.worst_ns <= self.threshold_ns for offset in last)
        return self.state == "SLAVE" and good

    def __str__(self) -> str:
        if not self.offsets:
            return f"{self.node}: {self.state}"
        last = self.offsets[-1][1]
        delay = "" if last.delay_ns is None else f", path delay {last.delay_ns} ns"
        return f"{self.node}: {self.state}, offset at most {last.worst_ns} ns{delay}"


class Sync:
    """The running synchronisation of a lab.

    Attributes:
        source: the switch's ptp4l, the source of time.
        clocks: the ptp4l of each node that follows it.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.threshold_ns = THRESHOLD_NS if lab.virtual_time else WALL_CLOCK_THRESHOLD_NS
        ports = list(lab.spec.nodes[lab.switch].interfaces)
        self.source = self._start(lab.switch, ports, grandmaster=True)
        self.clocks = [self._start(end.node, [end.interface], grandmaster=False) for end in (lab.talker, lab.listener)]

    def _start(self, node: str, interfaces: list[str], *, grandmaster: bool) -> Clock:
        host, clock = self._lab.host(node), Clock(node, self.threshold_ns)
        host.write_text(CONFIG_PATH, config.text(interfaces, grandmaster=grandmaster, one_kernel=True))
        clock.process = host.start(
            ["ptp4l", "-f", CONFIG_PATH, "-m", "-q"], lambda line: clock.take(self._lab.now_ns(), line)
        )
        return clock

    @property
    def locked(self) -> bool:
        """Whether every clock follows its source closely enough."""
        return all(clock.locked for clock in self.clocks)

    def wait_locked(self, lab_seconds: float = 60.0) -> Sync:
        """Waits until every clock is locked.

        Args:
            lab_seconds: so much of the lab's time at most.

        Raises:
            SyncError: they do not lock, or ptp4l ended; says what each clock is doing.
        """
        everyone = [self.source, *self.clocks]
        self._lab.wait(
            lambda: self.locked or any(self._ended(clock) for clock in everyone),
            "synchronised clocks",
            lab_seconds=lab_seconds,
        )
        if not self.locked:
            raise SyncError(f"the clocks did not lock within {lab_seconds:g} s:\n{self._diagnosis(everyone)}")
        return self

    def during(self, start_ns: int, end_ns: int, queueing_ns: int = 0) -> dict[str, Any]:
        """How the clocks were synchronised between two instants of the lab's time.

        Args:
            start_ns: from here,
            end_ns: to here.
            queueing_ns: so much of an offset is no offset: a message that was stamped in software may then
                have waited for frames of other traffic.

        Returns:
            ``ok``, ``worst_offset_ns``, ``samples``, and ``why`` if they were not.
        """
        samples = [
            offset.worst_ns for clock in self.clocks for moment, offset in clock.offsets if start_ns <= moment <= end_ns
        ]
        problems = [
            f"{clock.node} left SLAVE for {change.after} ({change.event})"
            for clock in self.clocks
            for moment, change in clock.states
            if start_ns <= moment <= end_ns and change.after != "SLAVE"
        ]
        problems += [f"ptp4l on {c.node} ended" for c in (self.source, *self.clocks) if self._ended(c)]
        problems += [f"{clock.node} is {clock.state}" for clock in self.clocks if clock.state != "SLAVE"]
        worst = max(samples, default=0)
        limit = self.threshold_ns + queueing_ns
        if worst > limit:
            problems.append(f"an offset of {worst} ns is above {limit} ns")
        return {
            "ok": not problems,
            "worst_offset_ns": worst,
            "samples": len(samples),
            "threshold_ns": limit,
            "why": "; ".join(problems),
        }

    def table(self) -> pd.DataFrame:
        """Every offset so far: node, time (ns of the lab's CLOCK_TAI), worst_offset_ns, path_delay_ns."""
        import pandas as pd

        rows = [
            (clock.node, moment, offset.worst_ns, offset.delay_ns)
            for clock in self.clocks
            for moment, offset in clock.offsets
        ]
        frame = pd.DataFrame(rows, columns=["node", "time", "worst_offset_ns", "path_delay_ns"])
        return frame.astype({"time": "Int64", "worst_offset_ns": "Int64", "path_delay_ns": "Int64"})

    def to_json(self) -> dict[str, Any]:
        """The state of every clock, for ``run.json``."""
        return {
            clock.node: {
                "state": clock.state,
                "samples": len(clock.offsets),
                "worst_offset_ns": max((o.worst_ns for _, o in clock.offsets), default=None),
                "path_delay_ns": clock.offsets[-1][1].delay_ns if clock.offsets else None,
            }
            for clock in self.clocks
        }

    def stop(self) -> None:
        """Ends every ptp4l."""
        for clock in (*self.clocks, self.source):
            if clock.process is not None:
                clock.process.stop()

    def __str__(self) -> str:
        return "\n".join([f"{self.source.node}: source of time", *map(str, self.clocks)])

    def _repr_html_(self) -> str:
        return "<br>".join(escape(line) for line in str(self).splitlines())

    @staticmethod
    def _ended(clock: Clock) -> bool:
        return clock.process is not None and clock.process.returncode is not None

    def _diagnosis(self, clocks: list[Clock]) -> str:
        lines = []
        for clock in clocks:
            lines.append(f"  {clock}")
            lines += [f"    {text}" for text in clock.messages[-4:]]
            if clock.process is not None and self._ended(clock):
                lines.append(f"    ptp4l ended: {clock.process.stderr.strip()[-400:]}")
        return "\n".join(lines)


def launch(lab: Lab) -> Sync:
    """Starts ptp4l on the switch (source of time) and on the talker's and listener's node.

    The guide's phc2sys, which sets a node's system clock from its interface's clock, has nothing to do in the
    virtual lab: all nodes share one kernel's clock, and no interface has its own.
    """
    return Sync(lab)
