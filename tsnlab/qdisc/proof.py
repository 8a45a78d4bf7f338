"""The proof that gates do what the schedule says: frames sent at known instants, against the derived arrival.

The behaviours are those of the kernel's own tests (tools/testing/selftests/net/forwarding, tc_taprio): calibrate
without a schedule; then a gate that is always open, always closed, in band, out of band; what does not fit into the
rest of a window; frames below and above a class's size limit; and a launch time.

    sent        gate opens, or the launch time        the switch has it whole        the listener's interface has it
    |           |                                     |                              |
    +-----------+-------------------------------------+------------------------------+-------> time in the cycle
                |<-------- frame and cable ---------->|<------ frame and cable ----->|
                derived: this, from the links of the lab file
                measured: the arrival, less the calibration where a machine's own time is more than is allowed

The class of ordinary frames is open all the time, so that ptp4l's pass and the clocks keep going.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from tsnlab import files, links, programs
from tsnlab.analysis.table import Table
from tsnlab.errors import CommandError, StepError
from tsnlab.node.wire import FRAME_LENGTH
from tsnlab.qdisc import kernel
from tsnlab.qdisc.kernel import Poke, Request
from tsnlab.qdisc.refusal import UNTOLD
from tsnlab.schedule import Etf, Taprio
from tsnlab.schedule.margin import frame_ns
from tsnlab.session import Lab
from tsnlab.steps import Doing

CYCLE_NS = 1_000_000
OPEN_NS, CLOSED_NS = 400_000, 600_000
"""The window of the class under test, in every schedule that has one."""

PRIORITY = 5
DELTA_NS = 2_000
TOLERANCE_NS = 1_000
FRAMES = 20
HANDLE = "100"
QUEUES = 2
_LONG, _LIMIT = 500, 200


@dataclass(frozen=True)
class Behaviour:
    """One thing that a schedule has to do.

    Attributes:
        name: in words.
        taprio: the talker's schedule; None for none at all.
        sent_ns: when in the cycle frames are sent.
        leaves_ns: when in the cycle they have to leave, may be in the next one; None if never.
        length: of the frames, in bytes without FCS.
        launch_ns: their launch time in the cycle; None without.
    """

    name: str
    taprio: Taprio | None
    sent_ns: int
    leaves_ns: int | None
    length: int = FRAME_LENGTH
    launch_ns: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of one behaviour.

    Attributes:
        expected_ns: the arrival after the beginning of the cycle, derived; None if nothing may arrive.
        arrived_ns: of each frame that arrived.
        sent: how many were sent.
        skipped: why it could not be asked for; empty if it was.
        allowed_ns: the largest difference that holds.
    """

    behaviour: Behaviour
    expected_ns: int | None
    arrived_ns: tuple[int, ...]
    sent: int
    skipped: str = ""
    allowed_ns: int = TOLERANCE_NS

    @property
    def error_ns(self) -> int | None:
        """The largest difference between a frame's arrival and the derived one; None if none arrived."""
        if self.expected_ns is None or not self.arrived_ns:
            return None
        return max((arrival - self.expected_ns for arrival in self.arrived_ns), key=abs)

    @property
    def holds(self) -> bool:
        """Whether every frame, or none, arrived when it had to; what could not be asked for does not fail."""
        if self.skipped or self.expected_ns is None:
            return not self.arrived_ns
        error = self.error_ns
        # with a schedule, the last frame may still wait for a window when the listener goes home
        return error is not None and abs(error) <= self.allowed_ns and len(self.arrived_ns) == self.sent


@dataclass(frozen=True)
class Calibration:
    """What the way takes beside the links, from frames without a schedule.

    Attributes:
        shift_ns: so much more than derived, by the median; 0 if that is less than what is allowed.
        spread_ns: from the earliest to the latest.
    """

    shift_ns: int = 0
    spread_ns: int = 0

    @property
    def allowed_ns(self) -> int:
        """The largest difference that holds, for what comes after."""
        return TOLERANCE_NS + self.spread_ns

    def __str__(self) -> str:
        less = f"; {self.shift_ns} ns, what the machines' own parts take, are added" if self.shift_ns else ""
        return f"allowed are {self.allowed_ns} ns: {TOLERANCE_NS} ns and the spread without a schedule{less}"


@dataclass(frozen=True, repr=False)
class Proof:
    """Every behaviour, with what was derived and what was measured."""

    outcomes: tuple[Outcome, ...]
    calibration: Calibration

    @property
    def holds(self) -> bool:
        """Whether all of them hold."""
        return all(outcome.holds for outcome in self.outcomes)

    def table(self) -> Table:
        """One row for each behaviour."""
        return Table(
            title="Gates, proved" if self.holds else "Gates: not as derived",
            header=("behaviour", "sent", "arrived", "derived µs", "largest difference ns", ""),
            rows=tuple(_row(outcome) for outcome in self.outcomes),
            align="lrrrrl",
            notes=(f"{FRAMES} frames each, one in a cycle of {CYCLE_NS // 1000} µs", str(self.calibration)),
        )

    def __repr__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table().html()

    def check(self) -> Proof:
        """Itself, if all hold.

        Raises:
            StepError: one does not; the message is the table.
        """
        if not self.holds:
            raise StepError(str(self))
        return self


class Follows(Protocol):
    """The synchronisation, as far as it is waited for."""

    def again(self, node: str) -> Follows:
        """Starts what follows on a node anew."""

    def wait_locked(self) -> object:
        """Waits until every clock is locked."""


def prove(lab: Lab, sync: Follows | None = None) -> Proof:
    """Sends frames through known schedules at the talker, and compares their arrival with what follows from them.

    The talker's qdiscs are replaced and deleted in the end; the switch may have no gates meanwhile, and there may be
    no load.

    Args:
        sync: the running synchronisation: setting a schedule may reset the interface's clock, so that it is waited for
            before each measurement. None where talker and listener have one clock.

    Raises:
        CommandError, DeadlineError: a schedule was refused, or a program failed.
        SyncError: the clocks do not lock.
    """
    end = lab.talker
    lab.journal.will_change(end.node, ["tc", "qdisc", "del", "dev", end.interface, "root"])
    try:
        links.queues(lab, end, QUEUES)
        first, *others = behaviours(lab)
        calibration = _calibrated(outcome(lab, first, sync=sync))
        found = [outcome(lab, behaviour, calibration, sync) for behaviour in others]
        return Proof((outcome(lab, first, calibration, sync), *found), calibration)
    finally:
        lab.host(end.node).run(["tc", "qdisc", "del", "dev", end.interface, "root"], check=False)


def _calibrated(without: Outcome) -> Calibration:
    """From the outcome without a schedule.

    Raises:
        StepError: no frame arrived.
    """
    if not without.arrived_ns or without.expected_ns is None:
        raise StepError("no frame arrived without a schedule: are the links up, and does the switch forward?")
    median = sorted(without.arrived_ns)[len(without.arrived_ns) // 2] - without.expected_ns
    spread = max(without.arrived_ns) - min(without.arrived_ns)
    return Calibration(median if abs(median) > TOLERANCE_NS else 0, spread)


def behaviours(lab: Lab) -> Iterator[Behaviour]:
    """What is proved, in order; the first is the calibration."""
    window = _taprio(OPEN_NS, CLOSED_NS)
    middle = (OPEN_NS + CLOSED_NS) // 2
    half = frame_ns(FRAME_LENGTH, lab.spec.link_of(lab.talker).rate) // 2
    yield Behaviour("no schedule", None, middle, middle)
    yield Behaviour("gate always open", _taprio(0, CYCLE_NS), middle, middle)
    yield Behaviour("gate always closed", _taprio(0, 0), middle, None)
    yield Behaviour("in band", window, middle, middle)
    yield Behaviour("out of band", window, OPEN_NS // 2, OPEN_NS)
    yield Behaviour("does not fit into the rest", window, CLOSED_NS - half, CYCLE_NS + OPEN_NS)
    limited = window.model_copy(update={"max_sdu": [0, _LIMIT]})
    yield Behaviour("below the size limit", limited, middle, middle)
    yield Behaviour("above the size limit", limited, middle, None, length=_LONG)
    # an interface that launches frames itself does so at the launch time, whenever it was given them
    early = 0 if lab.spec.interface(lab.talker).etf_offload else DELTA_NS
    yield Behaviour("launch time", window, OPEN_NS // 2, middle - early, launch_ns=middle)


def _taprio(start_ns: int, end_ns: int) -> Taprio:
    """Class 1, which is that of the frames, is open in a span of the cycle; class 0 always."""
    spans = [("1", start_ns), ("3", end_ns - start_ns), ("1", CYCLE_NS - end_ns)]
    content = {
        "map": [int(priority == PRIORITY) for priority in range(16)],
        "queues": ["1@0", "1@1"],
        "schedule": [{"gates": gates, "for": length} for gates, length in spans if length],
    }
    return files.check(content, Taprio, "proof", exact=True)


def outcome(
    lab: Lab, behaviour: Behaviour, calibration: Calibration | None = None, sync: Follows | None = None
) -> Outcome:
    """Measures one behaviour; leaves its schedule behind.

    Args:
        calibration: what the way takes beside the links; None for nothing.
        sync: see :func:`prove`.
    """
    known = calibration or Calibration()
    try:
        _set_up(lab, behaviour)
    except CommandError as error:
        if UNTOLD not in error.remedy:
            raise
        return Outcome(behaviour, None, (), 0, UNTOLD)
    if sync is not None:
        sync.again(lab.talker.node).wait_locked()
    rows = measure(lab, behaviour)
    link = lab.spec.link_of(lab.talker)
    way = 2 * (frame_ns(behaviour.length, link.rate) + link.delay) + known.shift_ns
    expected = None if behaviour.leaves_ns is None else behaviour.leaves_ns + way
    arrived = tuple((row[5] or row[6]) - row[2] for row in rows)
    return Outcome(behaviour, expected, arrived, FRAMES, allowed_ns=known.allowed_ns)


def _set_up(lab: Lab, behaviour: Behaviour) -> None:
    end, host = lab.talker, lab.host(lab.talker.node)
    host.run(["tc", "qdisc", "del", "dev", end.interface, "root"], check=False)
    if behaviour.taprio is None:
        return
    requests: list[Request] = [kernel.taprio(behaviour.taprio, lab.reference_ns, HANDLE)]
    if behaviour.launch_ns is not None:
        etf = files.check({"delta": DELTA_NS, "offload_delta": DELTA_NS}, Etf, "proof", exact=True)
        requests.append(kernel.etf(etf, f"{HANDLE}:2", lab.spec.interface(end).etf_offload))
    kernel.rebuild(Doing(host), end.interface, requests, Poke((), 0))


def measure(lab: Lab, behaviour: Behaviour) -> list[list[int]]:
    """Sends the frames of a behaviour; gives the rows of the listener (see :data:`tsnlab.packets.LISTENER_COLUMNS`)."""
    rows: list[list[int]] = []
    about: dict[str, Any] = {}

    def take(line: str) -> None:
        record = json.loads(line)
        rows.extend(record.pop("packets", []))
        about.update(record)

    begin = programs.command(lab, lab.listener.node, "listener.py")
    talk = _talker(lab, behaviour)
    # by the wall clock, a program far away takes its time until it runs
    patience = ["--quiet=0.01", "--first=0.2"] if lab.virtual_time else ["--quiet=1", "--first=20"]
    listener = lab.host(lab.listener.node).start([*begin, lab.listener.interface, *patience], take)
    lab.wait(lambda: bool(about) or listener.returncode is not None, "listener", lab_seconds=10)
    lab.host(lab.talker.node).run(talk, timeout=60)
    listener.wait(60).check()
    return rows


def _talker(lab: Lab, behaviour: Behaviour) -> list[str]:
    words = [
        *programs.command(lab, lab.talker.node, "talker.py"),
        lab.talker.interface,
        f"--source={links.mac(lab, lab.talker)}",
        f"--destination={links.mac(lab, lab.listener)}",
        f"--base={lab.reference_ns}",
        f"--cycle={CYCLE_NS}",
        "--settle=10000000",
        f"--count={FRAMES}",
        f"--priority={PRIORITY}",
        f"--wakeup={behaviour.sent_ns}",
        f"--length={behaviour.length}",
    ]
    if behaviour.launch_ns is None:
        # without a launch time this is only when the talker ends: not when a gate opens, which it would disturb
        return [*words, f"--offset={CYCLE_NS // 3}"]
    return [*words, "--txtime", f"--offset={behaviour.launch_ns}"]


def _row(outcome: Outcome) -> tuple[str, ...]:
    expected = "none" if outcome.expected_ns is None else f"{outcome.expected_ns / 1000:.3f}"
    error = "" if outcome.error_ns is None else f"{outcome.error_ns:+d}"
    verdict = outcome.skipped or ("holds" if outcome.holds else "DOES NOT HOLD")
    return (outcome.behaviour.name, str(outcome.sent), str(len(outcome.arrived_ns)), expected, error, verdict)
