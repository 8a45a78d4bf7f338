"""The network scripts of the guide's switch, as texts: one file for each interface, read by the service `network`.

Source: the guide, "Set up an experimental TSN network", step 3, which lists them in this order (a line break is
missing there between the file of SE01 and the name of the next); Red Hat's sysconfig.txt for the keys.
"""

from __future__ import annotations

from tsnlab.errors import ConfigError
from tsnlab.lab import Node

FOLDER = "/etc/sysconfig/network-scripts"

_ADDRESSES = ("BOOTPROTO", "IPADDR", "PREFIX", "NETMASK", "GATEWAY", "DNS", "DOMAIN", "DEFROUTE", "PEERDNS", "HWADDR")
"""Beginnings of the keys that say how a machine is reached."""


def path(interface: str) -> str:
    """Where the script of an interface is."""
    return f"{FOLDER}/ifcfg-{interface}"


def text(interface: str, *, kind: str = "Ethernet", bridge: str | None = None) -> str:
    """The script of one interface, as the guide prints it.

    Args:
        kind: ``Ethernet`` or ``bridge``.
        bridge: the bridge that it is a port of.
    """
    lines = [f"DEVICE={interface}", f"TYPE={kind}"]
    lines += [f"BRIDGE={bridge}"] if bridge else []
    lines += ["ONBOOT=yes", "BOOTPROTO=none", "ZONE=trusted", 'IPV6INT="no"', 'NM_CONTROLLED="no"']
    return "\n".join(lines) + "\n"


def texts(node: Node) -> dict[str, str]:
    """The scripts of a switch by interface, in the guide's order.

    Raises:
        ConfigError: the lab file does not say enough of the switch.
    """
    settings, bridge = node.switch, node.bridge
    if settings is None or bridge is None or settings.management is None:
        raise ConfigError(f"{node.title}: network scripts need `bridge` and `switch.management` in the lab file")
    alone = [name for name in (settings.management, settings.service_port) if name]
    ports = [*node.interfaces, *([settings.internal_port] if settings.internal_port else [])]
    found = {bridge: text(bridge, kind="bridge"), **{name: text(name) for name in alone}}
    return found | {port: text(port, bridge=bridge) for port in ports}


def keeping_addresses(wanted: str, present: str) -> str:
    """A script with the addresses that an existing one gives its interface.

    The guide's script of the main interface has none: written over one that has, the switch could not be reached
    any more after its next start.
    """
    lines = [line.strip() for line in present.splitlines() if line.strip().upper().startswith(_ADDRESSES)]
    kept = {line.partition("=")[0].strip().upper(): line for line in lines}
    in_place = [kept.pop(line.partition("=")[0], line) for line in wanted.splitlines()]
    return "\n".join([*in_place, *kept.values()]) + "\n"
