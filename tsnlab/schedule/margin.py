"""Whether a stream fits its schedule, told before anything is applied: what is needed against what there is.

    wake-up       etf hands on    gate opens   leaves                gate closes
    |             |               |            |                     |
    +-------------+---------------+------------+---------------------+-----> time in the cycle
    latency       launch - delta  window start  launch               window end
                  +- synchronisation           + late + frame

Sources: tc-taprio(8) (a frame leaves only if it fits into what is left of the window), tc-etf(8), IEEE 802.1Q annex Q.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsnlab.analysis.table import Table
from tsnlab.errors import ConfigError
from tsnlab.node.wire import FRAME_LENGTH
from tsnlab.schedule.taprio import SIZE_TABLE_OVERHEAD

if TYPE_CHECKING:
    from tsnlab.case import Case
    from tsnlab.lab import Link
    from tsnlab.session import Lab

VLAN_TAG = 4
"""Bytes."""


@dataclass(frozen=True)
class Margin:
    """One condition: something needs time, and so much there is.

    Attributes:
        what: in words.
        needed_ns, available_ns: it holds if the first is not more than the second.
    """

    what: str
    needed_ns: int
    available_ns: int

    @property
    def left_ns(self) -> int:
        """What is left; negative if it does not fit."""
        return self.available_ns - self.needed_ns


@dataclass(frozen=True, repr=False)
class Fit:
    """The conditions of a case in a lab; shows itself as a table."""

    case: str
    margins: tuple[Margin, ...]

    @property
    def fits(self) -> bool:
        """Whether every condition holds."""
        return all(margin.left_ns >= 0 for margin in self.margins)

    def check(self) -> Fit:
        """Itself, if the stream fits.

        Raises:
            ConfigError: it does not; the message is the table.
        """
        if not self.fits:
            raise ConfigError(str(self))
        return self

    def table(self) -> Table:
        """One row for each condition."""
        rows = tuple(_row(margin) for margin in self.margins)
        title = f"{self.case}: the stream {'fits' if self.fits else 'does not fit'} its schedules"
        return Table(title, ("condition", "needed µs", "available µs", "left µs", ""), rows, "lrrrl", ())

    def __repr__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table().html()


def _row(margin: Margin) -> tuple[str, ...]:
    numbers = (f"{ns / 1000:.3f}" for ns in (margin.needed_ns, margin.available_ns, margin.left_ns))
    return (margin.what, *numbers, "" if margin.left_ns >= 0 else "NO")


def frame_ns(length: int, rate_bps: int) -> int:
    """How long a frame of so many bytes (without FCS) occupies a link, with preamble, FCS and gap."""
    return (length + SIZE_TABLE_OVERHEAD) * 8 * 1_000_000_000 // rate_bps


def fit(case: Case, lab: Lab, *, sync_error_ns: int = 0, late_ns: int = 0, frame: int = FRAME_LENGTH + VLAN_TAG) -> Fit:
    """Whether the stream of a case fits the talker's and the switch's gates in a lab.

    Args:
        sync_error_ns: largest difference between two nodes' clocks, as the synchronisation says.
        late_ns: how late the kernel hands a frame on at most, beyond its launch time minus delta; see
            :func:`tsnlab.qdisc.recommend_delta`.
        frame: length of the stream's frames in bytes, without FCS.
    """
    link = lab.spec.link_of(lab.talker)
    offload = lab.spec.interface(lab.talker).etf_offload
    found: list[Margin] = []
    launch = case.stream.launch_ns
    if launch is not None and case.taprio is not None:
        early = 0 if offload or case.etf is None else case.etf.delta
        found += _talker(case, launch, early, late_ns + sync_error_ns, frame_ns(frame, link.rate))
        if case.switch is not None and case.switch.qbv:
            found += _switch(case, link, early, late_ns + sync_error_ns, frame)
    return Fit(case.name, tuple(found))


def _talker(case: Case, launch: int, early: int, late: int, occupies: int) -> list[Margin]:
    """The talker wakes up in time, and its frame leaves inside the window."""
    assert case.taprio is not None
    stream = case.stream
    window = case.taprio.next_window(stream.priority, 0, launch - early, 1)
    if window is None:
        return [Margin("the gate of the stream's class never opens", 1, 0)]
    leaves = max(window.start_ns, launch - early)
    return [
        Margin("wake-up latency before the frame is handed on", int(stream.wakeup_latency.maximum), launch - early),
        Margin("etf is early, before the window", window.start_ns, launch - early),
        Margin("lateness, sync error and frame, to the end of the window", leaves + late + occupies, window.end_ns),
    ]


def _switch(case: Case, link: Link, early: int, late: int, frame: int) -> list[Margin]:
    """The frame meets an open gate and an idle line at the switch port, also if a full frame had just begun."""
    assert case.switch is not None
    assert case.stream.launch_ns is not None
    occupies = frame_ns(frame, link.rate)
    arrives = case.stream.launch_ns - early + occupies + link.delay
    opens, closes = case.stream.launch_ns - case.switch.before, case.stream.launch_ns + case.switch.after
    other = case.load.frame if case.load is not None else 1514
    return [
        Margin(
            "guard band: a best-effort frame that had just begun", opens + frame_ns(other, link.rate), arrives - late
        ),
        Margin("frame at the switch, to the end of its gate", arrives + late + occupies, closes),
    ]
