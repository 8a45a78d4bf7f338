"""What an interface can do for time synchronisation, as the node's own ``ethtool -T`` says.

Source: ethtool(8); the line of the clock has two forms, by version; include/uapi/linux/net_tstamp.h.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tsnlab.hosts import Host

_HARDWARE = ("hardware-transmit", "hardware-receive", "hardware-raw-clock")
_SOFTWARE = ("software-transmit", "software-receive")
_CLOCK = re.compile(r"(?:PTP Hardware Clock|Hardware timestamp provider index): (\d+)")


@dataclass(frozen=True)
class Capability:
    """The timestamps of one interface.

    Attributes:
        interface: its name.
        hardware: whether it stamps what it sends and receives by a clock of its own.
        software: whether the kernel stamps what it sends and receives.
        phc: its clock as a device, ``/dev/ptp0``; None without one.
    """

    interface: str
    hardware: bool
    software: bool
    phc: str | None


def parse(interface: str, text: str) -> Capability:
    """What ``ethtool -T`` printed for an interface."""
    clock = _CLOCK.search(text)
    return Capability(
        interface,
        hardware=clock is not None and all(word in text for word in _HARDWARE),
        software=all(word in text for word in _SOFTWARE),
        phc=f"/dev/ptp{clock[1]}" if clock else None,
    )


def read(host: Host, interface: str) -> Capability:
    """Asks a node.

    Raises:
        CommandError: there is no such interface, or no ethtool.
    """
    return parse(interface, host.run(["ethtool", "-T", interface]).stdout)
