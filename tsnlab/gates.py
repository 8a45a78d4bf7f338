"""The gates of a case as they are in a lab: drawn before anything is sent, and again with the packets in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsnlab.case import Case
from tsnlab.errors import ConfigError
from tsnlab.schedule import Entry, Taprio
from tsnlab.show.names import own

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from tsnlab.session import Lab


@dataclass(frozen=True)
class Running:
    """A gate control list and the instant of TAI that its cycles are counted from."""

    taprio: Taprio
    base_time_ns: int

    @property
    def cycle_ns(self) -> int:
        """How long the list takes."""
        return self.taprio.cycle_ns

    @property
    def entries(self) -> list[Entry]:
        """(gate mask, interval in nanoseconds), in order."""
        return self.taprio.entries


def talker(lab: Lab, case: Case, packets: pd.DataFrame | None = None) -> Figure:
    """Draws the gates of the talker's interface over the stream's cycle, and the packets once there are any.

    Raises:
        ConfigError: the case has no schedule for the talker.
    """
    if case.taprio is None:
        raise ConfigError(f"{case.name}: no gates to draw: the case has no taprio")
    return _draw(lab, case, case.taprio, packets, f"the gates of {lab.talker}")


def switch(lab: Lab, case: Case, packets: pd.DataFrame | None = None) -> Figure:
    """Draws the gates of the switch port towards the listener (802.1Qbv), and the packets.

    Raises:
        ConfigError: the case has no schedule for the switch.
    """
    if case.switch is None or not case.switch.qbv:
        raise ConfigError(f"{case.name}: no gates to draw: 802.1Qbv of the switch is off")
    port = lab.spec.port_of(lab.listener)
    return _draw(lab, case, case.switch.taprio(case.stream), packets, f"the gates of {port}")


def _draw(lab: Lab, case: Case, taprio: Taprio, packets: pd.DataFrame | None, what: str) -> Figure:
    from tsnlab import plot

    frame = _nothing_yet(lab, case) if packets is None else packets
    traffic_class = taprio.traffic_class(case.stream.priority)
    title = f"{case.name}: {what}" + ("" if packets is None else " and the packets")
    return plot.gates(frame, Running(taprio, lab.reference_ns), traffic_class=traffic_class, title=title)


def _nothing_yet(lab: Lab, case: Case) -> pd.DataFrame:
    """The table of a measurement before its first packet."""
    from tsnlab import packets

    about = packets.CaptureInfo(
        lab=lab.spec.name,
        case=case.name,
        cycle_ns=case.stream.cycle,
        window=case.stream.window,
        clock=lab.clock,
        badges=tuple(lab.badges),
    )
    return packets.empty(about)


__dir__ = own(__name__)
