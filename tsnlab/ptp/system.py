"""The system clocks of the nodes, read independently of what ptp4l and phc2sys say.

The guide runs with a TAI offset of 0 on every node (`phc2sys -O 0`): CLOCK_TAI equals CLOCK_REALTIME and the clocks of
the interfaces. A node whose kernel has another offset, 37 s where a time daemon knows the leap seconds, is wrong by it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from tsnlab import traffic
from tsnlab.hosts.virtual import VirtualHost
from tsnlab.session import Lab

TAI_OFFSET_S = 0
"""Offset of TAI from UTC that every kernel of the lab has to have."""


@dataclass(frozen=True)
class Reading:
    """A node's clocks at one moment.

    Attributes:
        node: which.
        realtime_ns, monotonic_ns: CLOCK_REALTIME, and CLOCK_MONOTONIC_RAW, which nothing steers.
        tai_offset_s: CLOCK_TAI - CLOCK_REALTIME.
    """

    node: str
    realtime_ns: int
    monotonic_ns: int
    tai_offset_s: int

    def jump_since(self, earlier: Reading) -> int:
        """How far CLOCK_REALTIME went beside the time that passed, in ns."""
        return (self.realtime_ns - self.monotonic_ns) - (earlier.realtime_ns - earlier.monotonic_ns)


def read(lab: Lab, node: str) -> Reading:
    """Reads the clocks of a node.

    Raises:
        CommandError, DeadlineError, MachineError: it cannot be asked.
    """
    said = json.loads(lab.host(node).run([*traffic.program("clock.py"), "read"]).stdout)
    return Reading(node, said["realtime"], said["monotonic"], said["tai_offset"])


def nodes(lab: Lab) -> list[str]:
    """The nodes with a system clock of their own: those of the virtual lab share one kernel's."""
    everyone = [lab.talker.node, lab.listener.node, lab.switch]
    return everyone[:1] if all(isinstance(lab.host(node), VirtualHost) for node in everyone) else everyone
