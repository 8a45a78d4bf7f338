"""The state of an imagined node: what its tools would tell of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What a command would print, and whether it changes anything."""

    out: str = ""
    status: int = 0
    changes: bool = False
    err: str = ""


@dataclass(frozen=True)
class Nic:
    """A PCI network card, as /sys/bus/pci tells it."""

    bdf: str
    vendor: str
    product: str
    interface: str
    group: int


@dataclass
class PlannedNode:
    """One node.

    Attributes:
        name: of the node.
        links: by name, what ``ip -d -j link show`` tells of an interface.
        queues: by interface, its transmit queues.
        qdiscs: by interface, what ``tc -j qdisc show`` tells.
        filters: by interface and direction, what ``tc filter show`` tells.
        vlans: by port of the bridge, the VLANs that it admits.
        classes: by port, the traffic class of each PCP.
        files: by path; of those that are copied, ``sums`` has the SHA-256.
        services: by name, whether it is active, and whether enabled.
        nics: cards that can be passed on; the driver of each, empty for none.
        images: labels of the images that a container engine has.
        containers: those that run; ``inner`` has the nodes that they are.
        hardware_clocks: whether interfaces have a clock of their own.
    """

    name: str
    links: dict[str, dict[str, Any]] = field(default_factory=dict)
    queues: dict[str, int] = field(default_factory=dict)
    qdiscs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    filters: dict[tuple[str, str], str] = field(default_factory=dict)
    vlans: dict[str, list[int]] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)
    services: dict[str, tuple[str, str]] = field(default_factory=dict)
    nics: dict[str, Nic] = field(default_factory=dict)
    drivers: dict[str, str] = field(default_factory=dict)
    images: dict[str, dict[str, str]] = field(default_factory=dict)
    containers: set[str] = field(default_factory=set)
    inner: dict[str, PlannedNode] = field(default_factory=dict)
    hardware_clocks: bool = True
    now_ns: int = 0

    def add_link(self, name: str, *, queues: int = 4, up: bool = True, **more: Any) -> None:
        """An interface that is there."""
        self.links[name] = {"ifname": name, "mtu": 1500, "link_type": "ether", **more}
        self.switch_link(name, up)
        self.queues[name] = queues
        self.qdiscs[name] = [{"kind": "mq", "handle": "0:", "root": True, "options": {}}]

    def switch_link(self, name: str, up: bool) -> None:
        """Switches an interface on or off; there is a cable, and something at its other end."""
        flags = ["BROADCAST", "MULTICAST", *(["UP", "LOWER_UP"] if up else [])]
        self.links[name] |= {"flags": flags, "operstate": "UP" if up else "DOWN"}
        self.files[f"/sys/class/net/{name}/carrier"] = f"{int(up)}\n"

    def add_ports(self, names: Iterable[str]) -> None:
        """Ports of a switch, which admit VLAN 1 and map each PCP to the traffic class of its number."""
        for name in names:
            self.vlans[name] = [1]
            self.classes[name] = [str(number) for number in range(8)]
