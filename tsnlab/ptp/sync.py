"""Synchronisation as it runs: started, supervised, waited for, and judged for the time of a measurement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tsnlab import node_file
from tsnlab.errors import SyncError, TsnlabError
from tsnlab.lab import Endpoint
from tsnlab.ptp import config, options, phc2sys, places, pmc, shown, system
from tsnlab.ptp.clock import GOOD_SAMPLES, Clock
from tsnlab.ptp.diagnosis import Cause, diagnose
from tsnlab.ptp.places import Place
from tsnlab.ptp.record import Record
from tsnlab.session import SECOND, Lab
from tsnlab.steps import Doing

if TYPE_CHECKING:
    import pandas as pd

THRESHOLD_NS = 1_000
"""Largest offset of a clock that counts as synchronised, with timestamps by the interfaces or in virtual time."""

WALL_CLOCK_THRESHOLD_NS = 5_000_000
"""The same for timestamps in software by the wall clock: a frame may be kept waiting before it gets its timestamp."""

_CONFIG = "/run/ptp4l-{node}.cfg"
_SETTLE_S = 1.0


class Sync:
    """The running synchronisation of a lab.

    Args:
        lab: the lab.
        gptp: the profile of IEEE 802.1AS instead of the guide's values.
        with_phc2sys: whether phc2sys runs where :mod:`tsnlab.ptp.places` has it.
        options: by node, options of ptp4l that are set otherwise.
        followers: the interfaces whose clocks follow; the talker's and the listener's if none is named.

    Attributes:
        places: what runs where, the source of time first.
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
        with_phc2sys: bool = True,
        options: Mapping[str, Mapping[str, str]] | None = None,
        followers: Sequence[Endpoint] = (),
    ) -> None:
        self._lab = lab
        self._record = Record(lab)
        self.places = places.plan(lab, gptp=gptp, with_phc2sys=with_phc2sys, options=options or {}, followers=followers)
        stamped = all(place.timestamping == "hardware" for place in self.places)
        allowed = THRESHOLD_NS if lab.virtual_time or stamped else WALL_CLOCK_THRESHOLD_NS
        self.threshold_ns = lab.spec.sync_threshold or allowed
        self.since_ns = lab.now_ns()
        self._kernels = system.kernels(lab, [place.node for place in self.places])
        self._readings = self._read()
        # the guide's order: the source's phc2sys waits for its ptp4l, the others' for theirs
        self.phc2sys: list[Clock] = []
        self._started: list[Clock] = []
        lab.stops.append(self.stop)
        ptp4l = [clock for place in self.places for clock in self._start(place)]
        self.source, *self.clocks = ptp4l

    def _start(self, place: Place) -> list[Clock]:
        """The ptp4l of a node, and what belongs to it."""
        host = self._lab.host(place.node)
        path = _CONFIG.format(node=place.node)
        version = host.run(["ptp4l", "-v"], check=False).stdout
        text = config.text(place.interfaces, options.named_for(version, place.options))
        node_file.write(self._lab, place.node, Doing(host), path, text)
        clock = Clock(place.node, self.threshold_ns, place.interfaces, place.options)
        self._run(clock, ["ptp4l", "-f", path, "-m", "-q"])
        for value in place.phc2sys:
            follower = Clock(place.node, self.threshold_ns, (value.clock,), program="phc2sys")
            self._run(follower, value.argv())
            self.phc2sys.append(follower)
        return [clock]

    def _run(self, clock: Clock, argv: list[str]) -> None:
        self._started.append(clock)
        clock.start(self._lab.host(clock.node), argv, self._taker(clock))

    def _taker(self, clock: Clock) -> Callable[[str], None]:
        def take(line: str) -> None:
            now_ns = self._lab.now_ns()
            clock.take(now_ns, line)
            self._record.add(clock, now_ns, line)

        return take

    # --- waited for ---------------------------------------------------------------------------------

    @property
    def everyone(self) -> list[Clock]:
        """Every program, the source first."""
        return [self.source, *self.clocks, *self.phc2sys]

    @property
    def locked(self) -> bool:
        """Whether every clock follows its source closely enough, since a step has last taken a link down."""
        followers = [*self.clocks, *self.phc2sys]
        return not self.source.ended and all(clock.locked(self._lab.disturbed_ns) for clock in followers)

    @property
    def outdated(self) -> bool:
        """Whether a step has taken a link down since the clocks were last found synchronised."""
        return self._lab.disturbed_ns > self.since_ns

    def look(self) -> None:
        """Takes what the programs have said, and starts anew what has ended; call it while anything is waited for."""
        for clock in self.everyone:
            clock.supervise(self._lab.now_ns())

    def again(self, node: str) -> Sync:
        """Starts the ptp4l and phc2sys of a node anew: they set a clock in the beginning only.

        For an interface that was reset (`ethtool -L`, etf with offload), which sets its clock to the system's.
        """
        for clock in self.everyone:
            if clock.node == node:
                clock.again()
        return self

    def wait_locked(
        self, lab_seconds: float = 60.0, *, threshold_ns: int | None = None, samples: int = GOOD_SAMPLES
    ) -> Sync:
        """Waits until every clock is locked, all of them to one source, and the system clocks are as they have to be.

        Locked are: each ptp4l that follows and each phc2sys, by so many good offsets in a row; and the clock of each
        interface beside the system clock, by as many comparisons that neither of the two takes part in.

        Args:
            lab_seconds: so much of the lab's time at most.
            threshold_ns: largest offset that counts as good; None for the lab file's, or what its timestamps allow.
            samples: so many good offsets in a row.

        Raises:
            SyncError: they do not lock, or a program ended too often; says why, and what each clock is doing.
        """
        if threshold_ns is not None:
            self.threshold_ns = threshold_ns
        for clock in self.everyone:
            clock.threshold_ns, clock.good_samples = self.threshold_ns, samples
        deadline_ns = self._lab.now_ns() + int(lab_seconds * SECOND)
        problems = self._wait_once(deadline_ns, lab_seconds)
        while problems and self.locked and self._lab.now_ns() < deadline_ns and not self._broken():
            self._lab.wait(lambda: False, "another look at the clocks", lab_seconds=_SETTLE_S)
            problems = self._wait_once(deadline_ns, lab_seconds)
        if problems:
            raise SyncError("\n".join([*problems, self.explained(), *shown.kept(self, self._lab)]))
        self._settle()
        return self

    def _wait_once(self, deadline_ns: int, lab_seconds: float) -> list[str]:
        left_s = max(0.0, (deadline_ns - self._lab.now_ns()) / SECOND)
        self._lab.wait(self._locked_or_hopeless, "synchronised clocks", lab_seconds=left_s)
        if not self.locked:
            return [f"the clocks did not lock within {lab_seconds:g} s"]
        return self._contradictions()

    def _locked_or_hopeless(self) -> bool:
        self.look()
        return self.locked or self._broken()

    def _broken(self) -> bool:
        return any(clock.ended and not clock.restarts_left for clock in self.everyone)

    def _settle(self) -> None:
        """From here on, what was is history; a clock that is steered may have been set."""
        self.since_ns = self._lab.now_ns()
        for clock in self.everyone:
            clock.acknowledge()
        steered = {place.node for place in self.places if place.steered}
        now = {reading.nodes: reading for reading in self._read()}
        self._readings = [now[r.nodes] if steered & set(r.nodes) else r for r in self._readings]

    # --- looked at ----------------------------------------------------------------------------------

    def _read(self) -> list[system.Reading]:
        return [system.read(self._lab, nodes) for nodes in self._kernels]

    def _contradictions(self) -> list[str]:
        """What is wrong although every program says that it is locked."""
        sources = {
            pmc.ask(self._lab.host(clock.node), "TIME_STATUS_NP", **clock.addressed()).fields["gmIdentity"]
            for clock in self.clocks
        }
        found = [f"the clocks follow different sources: {', '.join(sorted(sources))}"] if len(sources) > 1 else []
        readings = self._read()
        found += [f"{reading.named}: another TAI offset than the lab's" for reading in system.wrong_tai(readings)]
        found += [f"{node}: {phc} is {offset} ns from CLOCK_REALTIME" for node, phc, offset in self.apart()]
        steered = {place.node for place in self.places if place.steered}
        unasked = [reading for reading in readings if not steered & set(reading.nodes)]
        return [*found, *self._jump_texts(self.jumps(unasked))]

    def apart(self, samples: int | None = None) -> list[tuple[str, str, int]]:
        """Clocks of interfaces that are too far from the system clock: node, device, largest difference in ns.

        Raises:
            SyncError: one cannot be compared.
        """
        count = samples or self.source.good_samples
        found = []
        for place in self.places:
            for phc in place.phcs if self.phc2sys or place.timestamping == "hardware" else ():
                worst = max(phc2sys.offsets_ns(self._lab.host(place.node), phc, count), key=abs)
                found += [(place.node, phc, worst)] if abs(worst) > self.threshold_ns else []
        return found

    def jumps(self, readings: list[system.Reading] | None = None) -> list[tuple[str, int]]:
        """Nodes whose system clock has jumped since the synchronisation was started, and by how many ns.

        A clock that ptp4l or phc2sys steers goes less than a millisecond a second beside the time that passes, and
        in the virtual lab 1e-9 of it. Nodes on one kernel share its clock, and are named together.
        """
        now = readings if readings is not None else self._read()
        return system.jumps(self._readings, now, THRESHOLD_NS if self._lab.virtual_time else SECOND // 100)

    def wrong_tai(self) -> list[system.Reading]:
        """Kernels whose offset of TAI from UTC is not the lab's."""
        return system.wrong_tai(self._read())

    def diagnose(self) -> list[Cause]:
        """Why the clocks are not synchronised, the most fundamental cause first; empty if nothing is found."""
        return diagnose(self._lab, self)

    def explained(self) -> str:
        """Causes, and what each clock is doing, in lines."""
        return "\n".join([*(f"  {cause}" for cause in self.diagnose()), "now:", shown.doing(self)])

    @staticmethod
    def _jump_texts(jumps: list[tuple[str, int]]) -> list[str]:
        return [f"the clock of {nodes} has jumped by {jump_ns} ns" for nodes, jump_ns in jumps]

    def during(self, start_ns: int, end_ns: int, queueing_ns: int = 0) -> dict[str, Any]:
        """How the clocks were synchronised between two instants of the lab's time.

        Args:
            start_ns: from here,
            end_ns: to here.
            queueing_ns: so much of an offset is no offset: a message that was stamped in software may then
                have waited for frames of other traffic.

        Returns:
            ``ok``, ``worst_offset_ns``, ``samples``, ``restarts``, ``one_clock`` (whether talker and listener are read
            by one and the same), and ``why`` if they were not.
        """
        self.look()
        samples = [offset.worst_ns for clock in self.clocks for offset in clock.between(start_ns, end_ns)]
        beside = [offset.worst_ns for clock in self.phc2sys for offset in clock.between(start_ns, end_ns)]
        problems = [
            f"{clock.node} left SLAVE for {change.after} ({change.event})"
            for clock in self.clocks
            for moment, change in clock.states
            if start_ns <= moment <= end_ns and change.after != "SLAVE"
        ]
        ends = [(clock, how) for clock in self.everyone for how in clock.ended_between(start_ns, end_ns)]
        problems += [f"{clock.program} on {clock.node} {how}, and was started anew" for clock, how in ends]
        problems += [f"{clock.program} on {clock.node} ended" for clock in self.everyone if clock.ended]
        problems += [f"{clock.node} is {clock.state}" for clock in self.clocks if clock.state != "SLAVE"]
        if not self._lab.closed:
            problems += self._jump_texts(self.jumps())
        problems += [] if samples else ["no offset was seen"]
        worst = max(samples, default=0)
        stamped_in_software = any(place.timestamping == "software" for place in self.places)
        limit = self.threshold_ns + (queueing_ns if stamped_in_software else 0)
        if worst > limit:
            problems.append(f"an offset of {worst} ns is above {limit} ns")
        if max(beside, default=0) > self.threshold_ns:
            problems.append(f"phc2sys saw an offset of {max(beside)} ns, above {self.threshold_ns} ns")
        return {
            "ok": not problems,
            "worst_offset_ns": worst,
            "samples": len(samples),
            "threshold_ns": limit,
            "restarts": len(ends),
            "one_clock": self._one_clock(),
            "why": "; ".join(problems),
        }

    def _one_clock(self) -> bool:
        """Whether all times of the stream are read from one kernel's clock: no difference of clocks is in them."""
        ends = {self._lab.talker.node, self._lab.listener.node}
        stamped = any(place.timestamping == "hardware" for place in self.places if place.node in ends)
        return not stamped and any(ends <= set(nodes) for nodes in self._kernels)

    # --- kept and shown -----------------------------------------------------------------------------

    def table(self) -> pd.DataFrame:
        """Every offset and state so far; see :func:`tsnlab.ptp.shown.table`."""
        return shown.table(self)

    def to_json(self) -> dict[str, Any]:
        """The state of every clock, for ``run.json``."""
        return shown.to_json(self)

    def stop(self) -> None:
        """Ends every program; on a node that does not answer they end with the connection."""
        for clock in reversed(self._started):
            clock.restarts_left = 0
            if clock.process is not None:
                with suppress(TsnlabError):
                    clock.process.stop()

    def __str__(self) -> str:
        followers = [*self.clocks, *self.phc2sys]
        return "\n".join([f"{self.source.node}: source of time", *map(str, followers)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return shown.html(self)


def expected_error_ns(lab: Lab) -> int:
    """How far two clocks may be apart when :meth:`Sync.wait_locked` is content: twice the largest good offset.

    Known before anything runs; for what it turned out to be see :meth:`Sync.during`.
    """
    exact = lab.virtual_time or lab.spec.kind == "hardware"
    return 2 * (lab.spec.sync_threshold or (THRESHOLD_NS if exact else WALL_CLOCK_THRESHOLD_NS))


def launch(
    lab: Lab,
    *,
    gptp: bool = False,
    with_phc2sys: bool = True,
    options: Mapping[str, Mapping[str, str]] | None = None,
    followers: Sequence[Endpoint] = (),
) -> Sync:
    """Starts ptp4l on the switch (source of time) and on the talker's and listener's node, and phc2sys beside them.

    What runs where, with which timestamps, follows from what the interfaces can do and from the lab file; see
    :mod:`tsnlab.ptp.places`.

    Args:
        gptp, with_phc2sys, options, followers: see :class:`Sync`.

    Raises:
        ConfigError: an option is unknown or its value is not valid.
        CommandError: an interface is not there, or a tool is missing.
    """
    return Sync(lab, gptp=gptp, with_phc2sys=with_phc2sys, options=options, followers=followers)
