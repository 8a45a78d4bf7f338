"""The guide's network inside the virtual lab's kernel: cables with a rate and a delay, and the switch's bridge.

A veth pair carries a frame in no time at all, so each cable is a piece of equipment of its own, in its own
network namespace: an interface towards each end, everything that comes in at one is sent out at the other, and
there a netem qdisc adds what a cable adds - one frame after the other at the link's rate, then the propagation
delay. So a node has the interfaces of the guide and no others, their qdiscs are free for the guide's commands,
frames really queue, and a receive timestamp is that of the end of the frame.

Where the lab file says so, the interfaces are not veth but devices of their own (see :mod:`tsnlab.virtual.hardware`):
they and their cables are there when the kernel boots, and only have to be moved to their nodes.

Sources: tc-netem(8), net/sched/act_mirred.c, drivers/net/veth.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tsnlab.lab import Endpoint, LabFile, Link
from tsnlab.schedule import SIZE_TABLE_OVERHEAD

CABLES = "cables"
"""The namespace in which the cables are."""

WIRE_BUFFER = 2000
"""Frames that may queue for one direction of a link; more is lost, as in a switch."""


@dataclass(frozen=True)
class Batch:
    """Lines for one ``ip``, ``tc`` or ``bridge -batch`` in one namespace."""

    where: str
    tool: str
    lines: tuple[str, ...]


def batches(spec: LabFile, pids: Mapping[str, int]) -> list[Batch]:
    """The commands that make the network, in order.

    Args:
        spec: the lab.
        pids: a process in the network namespace of each node, by name.
    """
    pairs = [
        (index, link, side)
        for index, link in enumerate(spec.links)
        for side in (0, 1)
        if spec.nic_of(link.ends[side]) == "veth"
    ]
    made = [
        Batch(CABLES, "ip", tuple(line for pair in pairs for line in _plug(spec, pids, *pair))),
        Batch(CABLES, "tc", tuple(line for pair in pairs for line in _carry(*pair))),
    ]
    for name, node in spec.nodes.items():
        ends = [end for link in spec.links for end in link.ends if end.node == name]
        lines = [line for end in ends for line in _interface(spec, end)]
        lines += _bridge(node.bridge, ends) if node.bridge else []
        made.append(Batch(name, "ip", tuple(lines)))
    made.append(Batch(spec.roles.switch, "bridge", tuple(learned(spec, vlan=1))))
    return made


def devices(spec: LabFile) -> list[Endpoint]:
    """The interfaces that are devices of their own, in the order in which the kernel finds them."""
    return [end for link in spec.links for end in link.ends if spec.nic_of(end) != "veth"]


def moves(spec: LabFile, pids: Mapping[str, int]) -> list[str]:
    """Lines for ``ip -batch`` that move devices from where the kernel finds them to their nodes."""
    found = enumerate(devices(spec))
    return [f"link set eth{index} netns {pids[end.node]} name {end.interface}" for index, end in found]


def learned(spec: LabFile, vlan: int) -> Iterable[str]:
    """Forwarding entries for every host on the switch, as after one frame of each."""
    switch = spec.roles.switch
    for link in spec.links:
        for port, end in (link.ends, link.ends[::-1]):
            if port.node == switch:
                yield f"fdb replace {spec.interface(end).mac} dev {port.interface} master static vlan {vlan}"


def speeds(spec: LabFile, node: str) -> Iterable[str]:
    """The commands that tell the interfaces of a node how fast their links are, for taprio to count with."""
    for link in spec.links:
        for end in link.ends:
            if end.node == node and spec.nic_of(end) == "veth" and link.rate % 1_000_000 == 0:
                yield f"ethtool -s {end.interface} speed {link.rate // 1_000_000} duplex full autoneg off"


def _socket(index: int, side: int) -> str:
    """The cable's own interface towards one of its ends."""
    return f"cable{index}{'ab'[side]}"


def plug(spec: LabFile, end: Endpoint) -> str:
    """The interface in :data:`CABLES` that an interface of a node is plugged into."""
    return next(_socket(index, link.ends.index(end)) for index, link in enumerate(spec.links) if end in link.ends)


def _plug(spec: LabFile, pids: Mapping[str, int], index: int, link: Link, side: int) -> Iterable[str]:
    end = link.ends[side]
    interface = spec.interface(end)
    queues = f"numtxqueues {interface.queues} numrxqueues {interface.queues}"
    yield (
        f"link add {end.interface} netns {pids[end.node]} address {interface.mac} {queues}"
        f" type veth peer name {_socket(index, side)}"
    )
    yield f"link set {_socket(index, side)} up"


def _carry(index: int, link: Link, side: int) -> Iterable[str]:
    here, there = _socket(index, side), _socket(index, 1 - side)
    delay = f"delay {link.delay // 1000}us " if link.delay else ""
    yield f"qdisc add dev {here} root netem {delay}rate {link.rate}bit {SIZE_TABLE_OVERHEAD} limit {WIRE_BUFFER}"
    yield f"qdisc add dev {here} clsact"
    # A mirrored frame is a copy that has forgotten its sender's socket. A redirected one would report to that
    # socket once more that it has been sent, when it leaves the cable: ptp4l takes this for a fault.
    yield f"filter add dev {here} ingress matchall action mirred egress mirror dev {there} pipe action drop"


def _interface(spec: LabFile, end: Endpoint) -> Iterable[str]:
    address = spec.interface(end).address
    if address:
        yield f"address add {address} dev {end.interface}"
    yield f"link set {end.interface} up"


def _bridge(bridge: str, ends: list[Endpoint]) -> Iterable[str]:
    yield f"link add {bridge} type bridge vlan_filtering 1 mcast_snooping 0"
    yield f"link set {bridge} up"
    for end in ends:
        yield f"link set {end.interface} master {bridge}"
