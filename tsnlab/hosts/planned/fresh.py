"""Nodes as they are after the installation that the guide asks for, and before anything of the guide is done."""

from __future__ import annotations

import re

from tsnlab.hosts.planned import switching
from tsnlab.hosts.planned.node import Nic, PlannedNode
from tsnlab.lab import InContainer, LabFile, Node

_MACHINES = (
    "every node is reached, may be changed, and has the tools that the guide installs (docker 19, Kata 1.11, linuxptp)",
    "interfaces are there, down, without VLANs and qdiscs of their own; they stamp frames by clocks of their own",
    "the switch runs NetworkManager; its ports are in no bridge; PCP n is traffic class n",
    "the NIC to pass on is bound to igb, alone in IOMMU group 16 (the guide's number; it is read every time)",
)

_NAMESPACES = ("the lab is booted and wired, and nothing else has been done in it",)

ASSUMED = {"hardware": _MACHINES, "virtual": _NAMESPACES}
"""What a plan takes for granted, in words, by kind of lab."""

KATA_CONFIG = "/usr/share/defaults/kata-containers/configuration.toml"

_KATA = """\
[hypervisor.qemu]
path = "/usr/bin/qemu-vanilla-system-x86_64"
kernel = "/usr/share/kata-containers/vmlinuz.container"
machine_type = "pc"

# VFIO devices are hotplugged on a bridge by default.
# Enable hotplugging on root bus. This may be required for devices with
# a large PCI bar, as this is a current limitation with hotplugging on
# a bridge. This value is valid for "pc" machine type.
# Default false
#hotplug_vfio_on_root_bus = true

[agent.kata]
"""

_BANNER = "Linux version 5.4.32 (root@build) (gcc version 9.3.0) #1 SMP"
"""Of the guest's kernel; which one it is, only the real guest can say."""

_GUEST_PROCESSORS = 3
"""Of the guide's guest: one that Kata gives, and two more; igb uses no more queues than there are."""

_BDF = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_ID = re.compile(r"([0-9a-f]{4}):([0-9a-f]{4})")
_GUIDES = Nic("0000:05:00.0", "8086", "157b", "enp5s0", 16)


def nodes(spec: LabFile, now_ns: int) -> dict[str, PlannedNode]:
    """All nodes of a lab.

    Args:
        now_ns: the time of the plan, which every clock shows.
    """
    found = {name: _node(spec, name, node, now_ns) for name, node in spec.nodes.items()}
    for name, node in spec.nodes.items():
        if node.container is not None:
            _give_nic(found[node.container.node], node.container)
            found[node.container.node].inner[node.container.name] = found[name]
    return found


def _node(spec: LabFile, name: str, node: Node, now_ns: int) -> PlannedNode:
    hardware = spec.kind == "hardware"
    found = PlannedNode(name, hardware_clocks=hardware, now_ns=now_ns)
    # the nodes of a virtual lab are on one kernel
    found.files["/proc/sys/kernel/random/boot_id"] = f"{name if hardware else spec.name}\n"
    found.files |= {"/proc/net/tcp": "", "/proc/net/tcp6": ""}
    if hardware and node.container is None:
        # the guide's switch is Fedora, its Node 1 CentOS, the others are Ubuntu
        red_hat = node.bridge is not None or any(n.container and n.container.node == name for n in spec.nodes.values())
        found.services["chronyd" if red_hat else "systemd-timesyncd"] = ("active", "enabled")
        found.files |= {"/etc/chrony.conf": "pool 2.pool.ntp.org iburst\n"} if red_hat else {}
    for interface, described in node.interfaces.items():
        queues = described.queues if node.container is None else min(described.queues, _GUEST_PROCESSORS)
        found.add_link(interface, queues=queues, address=described.mac, up=not hardware)
    if node.container is not None:
        found.files["/proc/version"] = f"{_BANNER}\n"
    if node.bridge is not None:
        _make_switch(found, node, hardware)
    return found


def _make_switch(found: PlannedNode, node: Node, hardware: bool) -> None:
    found.add_ports(node.interfaces)
    found.services |= {"NetworkManager": ("active", "enabled"), "network": ("inactive", "disabled")}
    settings, bridge = node.switch, node.bridge
    if not hardware or settings is None or settings.network != "bridge":
        found.add_link(str(bridge), queues=1, up=not hardware)
    if not hardware:
        for interface in node.interfaces:
            found.links[interface]["master"] = bridge
        return
    for extra in (settings.management, settings.service_port, settings.internal_port) if settings else ():
        if extra:
            found.add_link(extra, up=extra == (settings and settings.management))
    for port in node.interfaces:
        found.files |= {f"/sys/class/net/{port}/ieee8021ST/{key}": value for key, value in switching.FRESH.items()}


def _give_nic(host: PlannedNode, container: InContainer) -> None:
    wanted, guides = container.passed_in.lower(), _GUIDES
    bdf = wanted if _BDF.fullmatch(wanted) else guides.bdf
    vendor, product = found.groups() if (found := _ID.fullmatch(wanted)) else (guides.vendor, guides.product)
    named = not _BDF.fullmatch(wanted) and not found
    nic = Nic(bdf, vendor, product, container.passed_in if named else guides.interface, guides.group)
    host.nics[bdf] = nic
    host.drivers[bdf] = "igb"
    host.add_link(nic.interface)
    host.files[KATA_CONFIG] = _KATA
