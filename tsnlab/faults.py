"""Faults for the virtual lab: what goes wrong with time in the field, made to happen, and taken back afterwards.

Each is a context manager::

    with faults.link_down(lab, lab.talker):
        ...

They show that a diagnosis names the right cause, and that a measurement notices.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tsnlab import device_faults, files, programs
from tsnlab.errors import ConfigError
from tsnlab.hosts.virtual import VirtualProcess
from tsnlab.lab import Endpoint
from tsnlab.ptp import Sync, system
from tsnlab.ptp.clock import Clock
from tsnlab.qdisc import kernel
from tsnlab.schedule import Taprio
from tsnlab.session import SECOND, Lab
from tsnlab.show.names import own
from tsnlab.virtual import network


@contextmanager
def grandmaster_gone(sync: Sync) -> Iterator[None]:
    """The switch's ptp4l is killed, and is not started anew: as if the switch were gone."""
    sync.source.restarts_left = 0
    _kill(sync.source)
    yield


@contextmanager
def ptp4l_killed(sync: Sync, node: str) -> Iterator[None]:
    """The ptp4l of a node that follows is killed; whoever supervises it may start it anew.

    Raises:
        ConfigError: none runs there.
    """
    _kill(_follower(sync, node))
    yield


def crash(sync: Sync, node: str) -> None:
    """The ptp4l of a node that follows crashes, once (SIGSEGV).

    Raises:
        ConfigError: none runs there.
    """
    _kill(_follower(sync, node), signal.SIGSEGV)


def _follower(sync: Sync, node: str) -> Clock:
    for clock in sync.clocks:
        if clock.node == node:
            return clock
    raise ConfigError(f"no ptp4l follows on {node}; they do on {', '.join(c.node for c in sync.clocks)}")


@contextmanager
def link_down(lab: Lab, end: Endpoint) -> Iterator[None]:
    """The cable is unplugged from an interface, and plugged in again."""
    if device_faults.is_device(lab, end):
        with device_faults.unplugged(lab, end):
            yield
        return
    plug = network.plug(lab.spec, end)
    lab.host(network.CABLES).run(["ip", "link", "set", plug, "down"])
    try:
        yield
    finally:
        lab.host(network.CABLES).run(["ip", "link", "set", plug, "up"])


def link_flap(lab: Lab, end: Endpoint, lab_seconds: float = 1.0) -> None:
    """The cable is unplugged for a while, and is back when this returns."""
    with link_down(lab, end):
        lab.wait(lambda: False, "the end of the flap", lab_seconds=lab_seconds)


@contextmanager
def clock_jump(lab: Lab, seconds: float) -> Iterator[None]:
    """The system clock is set, for all nodes, as they share it; and set back by as much.

    There is no name space for CLOCK_REALTIME (time_namespaces(7)). For one node alone see :func:`interface_clock_jump`.
    """
    _clock(lab, "jump", round(seconds * SECOND))
    try:
        yield
    finally:
        _clock(lab, "jump", round(-seconds * SECOND))


@contextmanager
def interface_clock_jump(lab: Lab, sync: Sync, node: str, seconds: float) -> Iterator[None]:
    """The clock of one node's interface is set, and its system clock is not; phc2sys finds out and sets it back.

    Raises:
        ConfigError: the node has none.
    """
    phcs = [phc for place in sync.places if place.node == node for phc in place.phcs]
    if not phcs:
        raise ConfigError(f"{node} has no interface with a clock of its own")
    lab.host(node).run(["phc_ctl", phcs[0], "adj", str(seconds)])
    yield


@contextmanager
def wrong_tai_offset(lab: Lab, seconds: int = 37) -> Iterator[None]:
    """The kernel's offset of TAI from UTC is set, for all nodes, as they share it."""
    _clock(lab, "tai", seconds)
    try:
        yield
    finally:
        _clock(lab, "tai", system.TAI_OFFSET_S)


@contextmanager
def closed_gate(lab: Lab, end: Endpoint) -> Iterator[None]:
    """A schedule in which the gate of ptp4l's own frames (priority 0) never opens."""
    content = {
        "map": [0, *[1] * 15],
        "queues": ["1@0", "1@1"],
        "schedule": [{"gates": "2", "for": 1_000_000}],
    }
    taprio = files.check(content, Taprio, "closed gate", exact=True)
    request = kernel.taprio(taprio, lab.reference_ns, "300")
    # with the link up: a link that goes down would be another fault
    host = lab.host(end.node)
    host.run(["tc", "qdisc", "replace", "dev", end.interface, "parent", *request.tc])
    try:
        yield
    finally:
        host.run(["tc", "qdisc", "del", "dev", end.interface, "root"])


def _kill(clock: Clock, number: signal.Signals = signal.SIGKILL) -> None:
    process = clock.process
    if not isinstance(process, VirtualProcess):
        raise ConfigError(f"{clock.node}: faults are for the virtual lab")
    process.signal(number)


def _clock(lab: Lab, command: str, value: int) -> None:
    node = lab.talker.node
    lab.host(node).run([*programs.command(lab, node, "clock.py"), command, str(value)])


__dir__ = own(__name__)
