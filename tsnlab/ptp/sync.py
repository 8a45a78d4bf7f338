"""Synchronisation as it runs: started, waited for, watched, and judged for the time of a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from tsnlab.errors import SyncError
from tsnlab.ptp import chart, config, phc2sys, pmc, system
from tsnlab.ptp.clock import GOOD_SAMPLES, Clock
from tsnlab.ptp.diagnosis import Cause, diagnose
from tsnlab.session import SECOND, Lab

if TYPE_CHECKING:
    import pandas as pd

THRESHOLD_NS = 1_000
"""Largest offset of a clock that counts as synchronised, with timestamps taken in software in virtual time."""

WALL_CLOCK_THRESHOLD_NS = 5_000_000
"""The same by the wall clock of a user-mode kernel, which may be kept waiting between a frame and its timestamp."""

CONFIG_PATH = "/run/ptp4l.cfg"


class Sync:
    """The running synchronisation of a lab.

    Args:
        lab: the lab.
        gptp: the profile of IEEE 802.1AS instead of the guide's values.
        with_phc2sys: also phc2sys on the switch, see :mod:`tsnlab.ptp.phc2sys`.
        options: by node, options of ptp4l that are set otherwise.

    Attributes:
        source: the switch's ptp4l, the source of time.
        clocks: the ptp4l of each node that follows it.
        phc2sys: the running phc2sys.
        since_ns: when it was started or last found locked, in ns of the lab's time.
    """

    def __init__(
        self,
        lab: Lab,
        *,
        gptp: bool = False,
        with_phc2sys: bool = False,
        options: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._lab = lab
        self._gptp = gptp
        self._options = options or {}
        self.threshold_ns = THRESHOLD_NS if lab.virtual_time else WALL_CLOCK_THRESHOLD_NS
        self.since_ns = lab.now_ns()
        self._readings = {node: system.read(lab, node) for node in system.nodes(lab)}
        ports = list(lab.spec.nodes[lab.switch].interfaces)
        self.source = self._start(lab.switch, ports, grandmaster=True)
        self.clocks = [self._start(end.node, [end.interface], grandmaster=False) for end in (lab.talker, lab.listener)]
        self.phc2sys = [phc2sys.start(lab, self.threshold_ns)] if with_phc2sys else []

    def _start(self, node: str, interfaces: list[str], *, grandmaster: bool) -> Clock:
        host = self._lab.host(node)
        settings: dict[str, Any] = {"grandmaster": grandmaster, "one_kernel": True, "gptp": self._gptp}
        settings |= self._options.get(node, {})
        clock = Clock(node, self.threshold_ns, interfaces, config.options(**settings))
        host.write_text(CONFIG_PATH, config.text(interfaces, **settings))
        argv = ["ptp4l", "-f", CONFIG_PATH, "-m", "-q"]
        clock.process = host.start(argv, lambda line: clock.take(self._lab.now_ns(), line))
        return clock

    @property
    def everyone(self) -> list[Clock]:
        """Every program, the source first."""
        return [self.source, *self.clocks, *self.phc2sys]

    @property
    def locked(self) -> bool:
        """Whether every clock follows its source closely enough."""
        return not self.source.ended and all(clock.locked for clock in [*self.clocks, *self.phc2sys])

    def wait_locked(
        self, lab_seconds: float = 60.0, *, threshold_ns: int | None = None, samples: int = GOOD_SAMPLES
    ) -> Sync:
        """Waits until every clock is locked, all of them to one source, and the system clocks are as they have to be.

        Args:
            lab_seconds: so much of the lab's time at most.
            threshold_ns: largest offset that counts as good; None for what the lab's timestamps allow.
            samples: so many good offsets in a row.

        Raises:
            SyncError: they do not lock, or a program ended; says why, and what each clock is doing.
        """
        if threshold_ns is not None:
            self.threshold_ns = threshold_ns
        for clock in self.everyone:
            clock.threshold_ns, clock.good_samples = self.threshold_ns, samples
        self._lab.wait(
            lambda: self.locked or any(clock.ended for clock in self.everyone),
            "synchronised clocks",
            lab_seconds=lab_seconds,
        )
        problems = self._contradictions() if self.locked else [f"the clocks did not lock within {lab_seconds:g} s"]
        if problems:
            raise SyncError("\n".join([*problems, self.explained()]))
        self.since_ns = self._lab.now_ns()
        for clock in self.everyone:
            clock.acknowledge()
        return self

    def _contradictions(self) -> list[str]:
        """What is wrong although every ptp4l says that it is locked."""
        sources = {
            pmc.ask(self._lab.host(clock.node), "TIME_STATUS_NP", **clock.addressed()).fields["gmIdentity"]
            for clock in self.clocks
        }
        found = [f"the clocks follow different sources: {', '.join(sorted(sources))}"] if len(sources) > 1 else []
        readings = [system.read(self._lab, node) for node in system.nodes(self._lab)]
        if any(reading.tai_offset_s != system.TAI_OFFSET_S for reading in readings):
            found.append("a kernel has another TAI offset than the lab")
        for clock in self.phc2sys:
            offset = phc2sys.offset_ns(self._lab.host(clock.node), clock.interfaces[0])
            if abs(offset) > self.threshold_ns:
                found.append(f"{clock.node}: {clock.interfaces[0]} is {offset} ns from CLOCK_REALTIME")
        return [*found, *self._jump_texts(self.jumps(readings))]

    def jumps(self, readings: list[system.Reading] | None = None) -> list[tuple[str, int]]:
        """Nodes whose system clock has jumped since the synchronisation was started, and by how many ns.

        A clock that ptp4l or phc2sys steers goes less than a millisecond a second beside the time that passes, and
        in the virtual lab 1e-9 of it.
        """
        now = readings if readings is not None else [system.read(self._lab, node) for node in self._readings]
        found = [(reading.node, reading.jump_since(self._readings[reading.node])) for reading in now]
        limit = THRESHOLD_NS if self._lab.virtual_time else SECOND // 100
        return [(node, jump_ns) for node, jump_ns in found if abs(jump_ns) > limit]

    def diagnose(self) -> list[Cause]:
        """Why the clocks are not synchronised, the most fundamental cause first; empty if nothing is found."""
        return diagnose(self._lab, self)

    def explained(self) -> str:
        """Causes, and what each clock is doing, in lines."""
        return "\n".join([*(f"  {cause}" for cause in self.diagnose()), "now:", self._doing()])

    @staticmethod
    def _jump_texts(jumps: list[tuple[str, int]]) -> list[str]:
        return [f"the clock of {node} has jumped by {jump_ns} ns" for node, jump_ns in jumps]

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
        samples = [offset.worst_ns for clock in self.clocks for offset in clock.between(start_ns, end_ns)]
        problems = [
            f"{clock.node} left SLAVE for {change.after} ({change.event})"
            for clock in self.clocks
            for moment, change in clock.states
            if start_ns <= moment <= end_ns and change.after != "SLAVE"
        ]
        problems += [f"{clock.program} on {clock.node} ended" for clock in self.everyone if clock.ended]
        problems += [f"{clock.node} is {clock.state}" for clock in self.clocks if clock.state != "SLAVE"]
        if not self._lab.closed:
            problems += self._jump_texts(self.jumps())
        problems += [] if samples else ["no offset was seen"]
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
        for clock in reversed(self.everyone):
            if clock.process is not None:
                clock.process.stop()

    def __str__(self) -> str:
        return "\n".join([f"{self.source.node}: source of time", *map(str, self.clocks)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        charts = "".join(f"<div>{chart.svg(clock)}</div>" for clock in self.clocks)
        return "<br>".join(escape(line) for line in str(self).splitlines()) + charts

    def _doing(self) -> str:
        lines = []
        for clock in self.everyone:
            lines.append(f"  {clock}")
            lines += [f"    {text}" for _, text in clock.messages[-4:]]
            lines += [f"    {text}" for text in clock.warnings[-3:]]
        return "\n".join(lines)


def launch(
    lab: Lab,
    *,
    gptp: bool = False,
    with_phc2sys: bool = False,
    options: Mapping[str, Mapping[str, str]] | None = None,
) -> Sync:
    """Starts ptp4l on the switch (source of time) and on the talker's and listener's node.

    Args:
        gptp, with_phc2sys, options: see :class:`Sync`.

    Raises:
        ConfigError: an option is unknown or its value is not valid.

    The guide's phc2sys, which sets a node's system clock from its interface's clock, has nothing to do in the
    virtual lab: all nodes share one kernel's clock, and no interface has its own.
    """
    return Sync(lab, gptp=gptp, with_phc2sys=with_phc2sys, options=options)
