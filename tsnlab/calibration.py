"""The path from talker to listener, measured without any schedule before numbers are believed.

    talker calls send        frame leaves      switch has it     listener's interface has it whole
    |                        |                 |                 |
    +------------------------+-----------------+-----------------+-------------------> time
    |<------------------- path delay ------------------------------->|
      derived: frame time and cable, twice; what is more is the sender's kernel and its interface

An interface that stamps frames itself does so as they begin: then the second frame time is not part of it.

Both ends read different clocks on hardware, so that these are synchronised meanwhile: a path delay that is negative, or
longer than the gate of a schedule lasts, says that the clocks are wrong rather than the path. Where both read one
clock, a long path is a long path.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from html import escape

from tsnlab import ptp, qdisc
from tsnlab.case import Case
from tsnlab.errors import MeasurementError, StepError
from tsnlab.node.wire import FRAME_LENGTH
from tsnlab.ptp import capability, system
from tsnlab.qdisc import proof
from tsnlab.schedule.margin import frame_ns
from tsnlab.session import SECOND, Lab
from tsnlab.show.names import own

PREAMBLE = 8
"""Bytes before the first that counts."""

TOLERANCE_NS = 200
"""So much the links may be shorter than they are described: the virtual lab's cables count in steps of 64 ns."""


@dataclass(frozen=True, repr=False)
class PathDelay:
    """How long frames were on their way, from the call of send to the arrival of their end.

    Attributes:
        delays_ns: of each frame, in order.
        derived_ns: of the two links alone: frame time and cable, twice.
    """

    delays_ns: tuple[int, ...]
    derived_ns: int

    @property
    def median_ns(self) -> int:
        """Half of the frames took no longer."""
        return sorted(self.delays_ns)[len(self.delays_ns) // 2]

    @property
    def sender_ns(self) -> int:
        """What the sender's kernel and interface take: the median beyond what follows from the links."""
        return self.median_ns - self.derived_ns

    def implausible(self, gate_ns: int | None = None) -> list[str]:
        """Why the delays cannot be true, one sentence each.

        Args:
            gate_ns: how long the stream's gate is open; a frame cannot be longer on its way without leaving it.
        """
        found = []
        negative = sum(delay < 0 for delay in self.delays_ns)
        if negative:
            found.append(f"{negative} of {len(self.delays_ns)} frames arrived before they were sent: clocks apart")
        short = sum(0 <= delay < self.derived_ns - TOLERANCE_NS for delay in self.delays_ns)
        if short:
            found.append(f"{short} frames took less than the {self.derived_ns} ns that the links alone take")
        if gate_ns is not None and max(self.delays_ns) > gate_ns:
            found.append(f"a frame took {max(self.delays_ns)} ns, longer than the gate is open ({gate_ns} ns)")
        return found

    def __str__(self) -> str:
        low, high = min(self.delays_ns), max(self.delays_ns)
        return (
            f"path delay {low / 1000:.3f} to {high / 1000:.3f} us ({len(self.delays_ns)} frames);"
            f" {self.derived_ns / 1000:.3f} us of it are the links, {self.sender_ns} ns the sender"
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>"


def path_delay(lab: Lab, case: Case | None = None) -> PathDelay:
    """Measures the path delay; the talker's interface may have no schedule yet.

    Args:
        case: whose gate a delay is held against.

    Raises:
        StepError: the talker's interface has a schedule, behind which frames would wait.
        SyncError: both ends have clocks of their own, which do not lock.
        MeasurementError: nothing arrived, or the delays cannot be true; says why.
    """
    end = lab.talker
    if qdisc.root(qdisc.show(lab.host(end.node), end.interface)):
        raise StepError(f"{end}: calibrate before a qdisc is attached: frames would wait for its gates")
    behaviour = next(proof.behaviours(lab))
    one_clock = _one_clock(lab)
    with nullcontext() if one_clock else _clocks(lab):
        rows = proof.measure(lab, behaviour)
    if not rows:
        raise MeasurementError(f"no frame of {end} arrived at {lab.listener}; are links and switch set up?")
    derived = _derived_ns(lab, as_it_begins=bool(rows[0][5]))
    found = PathDelay(tuple((row[5] or row[6]) - row[4] for row in rows), derived)
    if problems := found.implausible(None if one_clock else _gate_ns(case)):
        raise MeasurementError("\n  ".join(["the path delay cannot be true:", *problems, str(found)]))
    return found


def _one_clock(lab: Lab) -> bool:
    """Whether both ends read one and the same."""
    both = [lab.talker.node, lab.listener.node]
    stamped = capability.read(lab.host(lab.listener.node), lab.listener.interface).hardware
    return len(system.kernels(lab, both)) == 1 and not stamped


@contextmanager
def _clocks(lab: Lab) -> Iterator[None]:
    """Synchronises the clocks of both ends for a while."""
    sync = ptp.launch(lab)
    try:
        sync.wait_locked()
        yield
    finally:
        sync.stop()


def _derived_ns(lab: Lab, *, as_it_begins: bool) -> int:
    """What follows from the links: frame and cable, twice; of the last frame its first byte where that is stamped."""
    here, there = lab.spec.link_of(lab.talker), lab.spec.link_of(lab.listener)
    first = frame_ns(FRAME_LENGTH, here.rate) + here.delay
    last = PREAMBLE * 8 * SECOND // there.rate if as_it_begins else frame_ns(FRAME_LENGTH, there.rate)
    return first + last + there.delay


def _gate_ns(case: Case | None) -> int | None:
    """How long the stream's gate is open at its launch time."""
    if case is None or case.taprio is None or case.stream.launch_ns is None:
        return None
    window = case.taprio.next_window(case.stream.priority, 0, case.stream.launch_ns)
    return None if window is None else window.end_ns - window.start_ns


__dir__ = own(__name__)
