"""Faults of the virtual lab's own devices: what goes wrong with cables and NICs, made to happen, at an exact instant.

They are for interfaces that are devices (`nic: i210` in the lab file); see :mod:`tsnlab.faults` for all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tsnlab.errors import ConfigError
from tsnlab.lab import Endpoint
from tsnlab.session import Lab
from tsnlab.virtual.hardware import Hardware
from tsnlab.virtual.i210.nic import I210
from tsnlab.virtual_lab import VirtualLab


def is_device(lab: Lab, end: Endpoint) -> bool:
    """Whether an interface is a device of the virtual lab's own."""
    return isinstance(lab, VirtualLab) and str(end) in lab.hardware.nics


@contextmanager
def unplugged(lab: Lab, end: Endpoint) -> Iterator[None]:
    """The cable is pulled out, what is on it is lost, and it is plugged in again.

    Raises:
        ConfigError: the interface is no device of the virtual lab.
    """
    _hardware(lab, end).cables[str(end)].plugged = False
    try:
        yield
    finally:
        _hardware(lab, end).cables[str(end)].plugged = True


def lost_stamps(lab: Lab, end: Endpoint, count: int) -> None:
    """So many of the next transmit timestamps never come.

    Raises:
        ConfigError: the interface is no device of the virtual lab.
    """
    _nic(lab, end).timesync.lost += count


@contextmanager
def late_stamps(lab: Lab, end: Endpoint, late_ns: int) -> Iterator[None]:
    """Transmit timestamps come so much later.

    Raises:
        ConfigError: the interface is no device of the virtual lab.
    """
    timesync = _nic(lab, end).timesync
    before, timesync.late_ns = timesync.late_ns, late_ns
    try:
        yield
    finally:
        timesync.late_ns = before


def clock_step(lab: Lab, end: Endpoint, by_ns: int) -> None:
    """The clock of an interface jumps, unseen by the node.

    Raises:
        ConfigError: the interface is no device of the virtual lab.
    """
    _hardware(lab, end).clocks[str(end)].step(by_ns)


@contextmanager
def runaway_clock(lab: Lab, end: Endpoint, by_ppb: int) -> Iterator[None]:
    """The oscillator of an interface goes off its frequency by so much more.

    Raises:
        ConfigError: the interface is no device of the virtual lab.
    """
    _hardware(lab, end).clocks[str(end)].error_ppb += by_ppb
    try:
        yield
    finally:
        _hardware(lab, end).clocks[str(end)].error_ppb -= by_ppb


def die(lab: Lab, end: Endpoint) -> None:
    """A NIC falls off the bus, for good: its registers read as ones, its link is down.

    Raises:
        ConfigError: the interface is no device of the virtual lab.
    """
    _nic(lab, end).die()


def _hardware(lab: Lab, end: Endpoint) -> Hardware:
    """The lab's devices, with the time where its kernel stands."""
    if not isinstance(lab, VirtualLab) or str(end) not in lab.hardware.nics:
        raise ConfigError(f"{end} is no device of a virtual lab; with `nic: i210` in the lab file it is one")
    if lab.machine.calendar is not None:
        lab.machine.calendar.settle()
    return lab.hardware


def _nic(lab: Lab, end: Endpoint) -> I210:
    return _hardware(lab, end).nics[str(end)]
