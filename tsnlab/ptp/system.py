"""The system clocks of the nodes, read independently of what ptp4l and phc2sys say.

The guide runs with a TAI offset of 0 on every node (`phc2sys -O 0`): CLOCK_TAI equals CLOCK_REALTIME and the clocks of
the interfaces. A node whose kernel has another offset, 37 s where a time daemon knows the leap seconds, is wrong by it.

A system clock belongs to a kernel, not to a node: there is no name space for CLOCK_REALTIME, CLOCK_TAI and the offset
between them (time_namespaces(7) has only CLOCK_MONOTONIC and CLOCK_BOOTTIME). Nodes on one kernel therefore have one
reading between them, which names them all; they are known by the kernel's boot id.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tsnlab import programs
from tsnlab.session import Lab

TAI_OFFSET_S = 0
"""Offset of TAI from UTC that every kernel of the lab has to have."""

_BOOT_ID = "/proc/sys/kernel/random/boot_id"

Kernel = tuple[str, ...]
"""Nodes that run on one kernel, and so have one system clock."""


@dataclass(frozen=True)
class Reading:
    """A system clock at one moment.

    Attributes:
        nodes: whose it is.
        realtime_ns, monotonic_ns: CLOCK_REALTIME, and CLOCK_MONOTONIC_RAW, which nothing steers.
        tai_offset_s: CLOCK_TAI - CLOCK_REALTIME.
    """

    nodes: Kernel
    realtime_ns: int
    monotonic_ns: int
    tai_offset_s: int

    @property
    def named(self) -> str:
        """The nodes in a sentence."""
        return ", ".join(self.nodes)

    def jump_since(self, earlier: Reading) -> int:
        """How far CLOCK_REALTIME went beside the time that passed, in ns."""
        return (self.realtime_ns - self.monotonic_ns) - (earlier.realtime_ns - earlier.monotonic_ns)


def kernels(lab: Lab, nodes: Sequence[str]) -> list[Kernel]:
    """Nodes that share a kernel, and with it their system clock, together.

    Raises:
        CommandError, DeadlineError: a node cannot be asked.
    """
    found: dict[str, list[str]] = {}
    for node in nodes:
        found.setdefault(lab.host(node).read_text(_BOOT_ID).strip(), []).append(node)
    return [tuple(group) for group in found.values()]


def read(lab: Lab, nodes: Kernel) -> Reading:
    """Reads the system clock of nodes that share it.

    Raises:
        CommandError, DeadlineError, MachineError: it cannot be asked.
    """
    said = json.loads(lab.host(nodes[0]).run([*programs.command(lab, nodes[0], "clock.py"), "read"]).stdout)
    return Reading(nodes, said["realtime"], said["monotonic"], said["tai_offset"])


def jumps(before: Sequence[Reading], now: Sequence[Reading], limit_ns: int) -> list[tuple[str, int]]:
    """Clocks that went further than a limit beside the time that passed: whose, and by how many ns."""
    earlier = {reading.nodes: reading for reading in before}
    found = [(reading.named, reading.jump_since(earlier[reading.nodes])) for reading in now]
    return [(nodes, jump_ns) for nodes, jump_ns in found if abs(jump_ns) > limit_ns]


def wrong_tai(readings: Sequence[Reading]) -> list[Reading]:
    """Those whose offset of TAI is not the lab's."""
    return [reading for reading in readings if reading.tai_offset_s != TAI_OFFSET_S]
