"""Who stamps the packets of a measurement: the NIC by its own clock where that can be believed, else the kernel.

Source: Documentation/networking/timestamping.rst; the guide, whose receiver has them from an I210.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from tsnlab import programs
from tsnlab.errors import CommandError
from tsnlab.hosts import Host
from tsnlab.lab import Endpoint
from tsnlab.ptp import Sync, capability
from tsnlab.session import Lab

_FILTER_ALL, _TX_ON = 1, 1

_ONE_AT_A_TIME = frozenset({"igb", "e1000e"})
"""Drivers that stamp one sent frame at a time, and none that is sent meanwhile (igb_main.c, tx_hwtstamp_skipped): a
stream that asks for stamps takes them away from ptp4l on the same interface, which then takes its port for faulty."""


@dataclass(frozen=True)
class Stamping:
    """What is stamped at one interface.

    Attributes:
        received, sent: by whom; "none" for sent frames that nobody is asked about.
        why: what keeps it from being the NIC; empty if nothing does.
    """

    received: Literal["hardware", "kernel"] = "kernel"
    sent: Literal["hardware", "kernel", "none"] = "none"
    why: str = ""


def prepare(lab: Lab, end: Endpoint, sync: Sync | None, *, sending: bool) -> Stamping:
    """Has an interface stamp what a measurement needs; how it was before is noted in the journal.

    Args:
        sync: the running synchronisation: a clock that it does not lead stamps nothing here.
        sending: whether sent frames are to be stamped; else all that are received.

    Raises:
        CommandError: there is no such interface, or no ethtool.
    """
    host = lab.host(end.node)
    able = capability.read(host, end.interface)
    if not able.hardware:
        return Stamping(why=f"{end} has no clock")
    if not _leads(sync, end.node):
        return Stamping(why=f"the clock of {end} is not synchronised")
    if sending and sync is not None and (driver := _driver(host, end.interface)) in _ONE_AT_A_TIME:
        return Stamping(why=f"{driver} on {end} stamps one sent frame at a time, and ptp4l needs it")
    try:
        _switch_on(lab, end, sending)
    except CommandError as error:
        return Stamping(why=f"{end}: {error.stderr.strip()}")
    return Stamping(sent="hardware") if sending else Stamping(received="hardware")


def _leads(sync: Sync | None, node: str) -> bool:
    """Whether the clocks of a node's interfaces are those that are synchronised; without any, nothing is."""
    if sync is None:
        return True
    return any(place.node == node and place.timestamping == "hardware" for place in sync.places)


def _driver(host: Host, interface: str) -> str:
    said = host.run(["ethtool", "-i", interface], check=False).stdout
    return next((line.split()[1] for line in said.splitlines() if line.startswith("driver: ")), "")


def _switch_on(lab: Lab, end: Endpoint, sending: bool) -> None:
    """Adds to what the interface stamps; what others, as ptp4l, have switched on stays so."""
    program = programs.command(lab, end.node, "stamping.py")
    host = lab.host(end.node)
    now = json.loads(host.run([*program, "read", end.interface]).stdout)
    sent, received = (_TX_ON, now["rx"]) if sending else (now["tx"], _FILTER_ALL)
    if (sent, received) == (now["tx"], now["rx"]):
        return
    lab.journal.will_change(end.node, [*program, "set", end.interface, str(now["tx"]), str(now["rx"])])
    result = host.run([*program, "set", end.interface, str(sent), str(received)])
    after = json.loads(result.stdout)
    if (after["tx"], after["rx"]) != (sent, received):
        raise CommandError(host.name, result.argv, None, f"the driver stamps {after} instead")
