"""What runs where for time synchronisation: it follows from the lab file and from what the interfaces can do.

The guide's places (Step 1), with timestamps taken by the interfaces:

    switch   phc2sys: system clock -> clock of the interfaces      ptp4l: source of time
    nodes    ptp4l: follows by its interface's clock               phc2sys: interface's clock -> system clock

What is different elsewhere:

- **Software timestamps** (an interface without a clock): ptp4l steers the system clock itself.
- **A node whose kernel is the switch's as well** (the virtual lab; containers on one machine): its system clock is the
  one that the time comes from. Nothing may set it: software ptp4l watches it and steers by 1e-9 at most, and there is
  no phc2sys towards it, or the clocks would follow each other in a circle.
- **The virtual lab's links** (veth) have no clock. Each node has one of netdevsim's beside them, a real /dev/ptp device
  that no frame is stamped by; phc2sys keeps it at the system clock, as the guide's phc2sys does on the switch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tsnlab.lab import Endpoint, Node
from tsnlab.ptp import capability, config, netdevsim, system
from tsnlab.ptp.capability import Capability
from tsnlab.ptp.phc2sys import SYSTEM_CLOCK, Phc2sys
from tsnlab.session import Lab

Timestamping = Literal["hardware", "software"]


@dataclass(frozen=True)
class Place:
    """How one node is synchronised.

    Attributes:
        node: which.
        interfaces: its ports.
        grandmaster: whether it is the source of time.
        timestamping: where frames are stamped.
        shares_clock: whether its system clock is that of the source as well.
        options: of ptp4l's section [global].
        phc2sys: what runs beside ptp4l, in order.
        phcs: clocks that are compared with the system clock.
    """

    node: str
    interfaces: tuple[str, ...]
    grandmaster: bool
    timestamping: Timestamping
    shares_clock: bool
    options: dict[str, str]
    phc2sys: tuple[Phc2sys, ...] = ()
    phcs: tuple[str, ...] = ()

    @property
    def steered(self) -> bool:
        """Whether its system clock is set by what runs here."""
        return not self.grandmaster and not self.shares_clock

    def __str__(self) -> str:
        role = "source of time" if self.grandmaster else "follows"
        beside = "".join(f"; phc2sys {value.source} -> {value.clock}" for value in self.phc2sys)
        return f"{self.node}: {role}, {self.timestamping} timestamps on {', '.join(self.interfaces)}{beside}"


def plan(
    lab: Lab,
    *,
    gptp: bool,
    with_phc2sys: bool,
    options: Mapping[str, Mapping[str, str]],
    followers: Sequence[Endpoint] = (),
) -> list[Place]:
    """What has to run in a lab, the source of time first.

    Args:
        gptp: the profile of IEEE 802.1AS instead of the guide's values.
        with_phc2sys: whether phc2sys runs where the guide has it.
        options: by node, options of ptp4l that are set otherwise; they go before those of the lab file.
        followers: the interfaces whose clocks follow; the talker's and the listener's if none is named.

    Raises:
        ConfigError: an option is unknown or its value is not valid.
        CommandError: a node has no such interface.
    """
    ends = [(end.node, (end.interface,)) for end in followers or (lab.talker, lab.listener)]
    everyone = [(lab.switch, tuple(lab.spec.nodes[lab.switch].interfaces)), *ends]
    kernels = system.kernels(lab, [node for node, _ in everyone])
    found = []
    for node, interfaces in everyone:
        is_source = node == lab.switch
        shares = not is_source and any({node, lab.switch} <= set(group) for group in kernels)
        able = [capability.read(lab.host(node), interface) for interface in interfaces]
        described = lab.spec.nodes[node]
        stamping = _timestamping(described, able)
        if stamping == "hardware":
            # a port without a clock cannot take part; in the virtual lab those towards nodes that only make load
            able = [one for one in able if one.hardware]
            interfaces = tuple(one.interface for one in able)
        settings = config.options(
            grandmaster=is_source,
            timestamping=stamping,
            shared_clock=shares or is_source,
            gptp=gptp or lab.spec.ptp_profile == "gptp",
            **{**_sockets(node), **_clocks(able, stamping), **described.ptp4l, **options.get(node, {})},
        )
        beside = list(_beside(lab, node, able, stamping, is_source, shares))
        phcs = tuple(dict.fromkeys(phc for phc, _ in beside))
        running = tuple(_at_socket(value, settings) for _, value in beside if value is not None) if with_phc2sys else ()
        found.append(Place(node, interfaces, is_source, stamping, shares, settings, running, phcs))
    return found


def _timestamping(node: Node, able: Sequence[Capability]) -> Timestamping:
    """As the lab file says, else in hardware if any port can."""
    return node.timestamping or ("hardware" if any(one.hardware for one in able) else "software")


def _sockets(node: str) -> dict[str, str]:
    """Sockets of its own, so that two nodes on one machine do not meet at one."""
    return {"uds_address": f"/var/run/ptp4l-{node}"}


def _clocks(able: Sequence[Capability], stamping: Timestamping) -> dict[str, str]:
    """Ports that do not share a clock are kept together by phc2sys, and ptp4l has to be told."""
    several = stamping == "hardware" and len({one.phc for one in able}) > 1
    return {"boundary_clock_jbod": "1"} if several else {}


def _beside(
    lab: Lab, node: str, able: Sequence[Capability], stamping: Timestamping, is_source: bool, shares: bool
) -> Iterator[tuple[str, Phc2sys | None]]:
    """The clocks of a node, each with the phc2sys that belongs to it."""
    if stamping == "software":
        simulated = netdevsim.clock(lab, node)
        if simulated is not None:
            yield simulated, Phc2sys(simulated, SYSTEM_CLOCK)
        return
    for one in {one.phc: one for one in able}.values():
        assert one.phc is not None
        if is_source:
            yield one.phc, Phc2sys(one.phc, SYSTEM_CLOCK)
        else:
            yield one.phc, None if shares else Phc2sys(SYSTEM_CLOCK, one.interface)


def _at_socket(value: Phc2sys, settings: Mapping[str, str]) -> Phc2sys:
    """The same, waiting for this node's ptp4l."""
    return value.beside(settings["uds_address"], int(settings.get("domainNumber", "0")))
